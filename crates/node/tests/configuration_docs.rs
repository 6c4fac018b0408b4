//! `docs/configuration.md` has every setting under its section, with its default and its range.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a failing helper fails the test")]

use std::{collections::BTreeMap, fs, path::Path};

use meshwork::{ConfigError, NodeConfig};
use meshwork_hub::HubConfig;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// The sections of the page that have no table in a file.
const NODE: &str = "The node";
const HUB: &str = "The hub";

/// More than any range ends with.
const TOO_MUCH: u32 = u32::MAX;

/// A setting, as the page has it.
struct Row {
    default: String,
    range: String,
}

/// For each section, its settings.
type Page = BTreeMap<String, BTreeMap<String, Row>>;

fn page(text: &str) -> Page {
    let mut page = Page::new();
    let mut section = String::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let table = heading.strip_prefix("`[").and_then(|heading| heading.split_once("]`"));
            section = table.map_or(heading, |(name, _)| name).to_owned();
        } else if line.starts_with("| `") {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, setting, default, range, ..] = cells[..] else {
                panic!("a row with too few cells: {line}")
            };
            let row = Row { default: default.replace('`', ""), range: range.to_owned() };
            page.entry(section.clone()).or_default().insert(setting.replace('`', ""), row);
        }
    }
    page
}

/// A default as the page writes it.
fn written(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name} = {}", written(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", ")),
        value => value.to_string(),
    }
}

/// A range whose ends may name other settings of the section, with their defaults in place.
fn resolved(range: &str, rows: &BTreeMap<String, Row>) -> String {
    let end = |end: &str| {
        let (base, more) = end.split_once(" + ").unwrap_or((end, "0"));
        let base = base
            .strip_prefix('`')
            .and_then(|name| name.strip_suffix('`'))
            .map_or(base, |name| &rows[name].default);
        match (base.parse::<u64>(), more.parse::<u64>()) {
            (Ok(base), Ok(more)) => (base + more).to_string(),
            _ => end.to_owned(),
        }
    };
    range.split(" to ").map(end).collect::<Vec<_>>().join(" to ")
}

/// What `page` lacks or has wrong of `settings`, and what it has beyond them. `refusal` says what a setting takes.
fn differences(
    page: &Page,
    section: &str,
    settings: &Map<String, Value>,
    refusal: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let empty = BTreeMap::new();
    let rows = page.get(section).unwrap_or(&empty);
    let mut found = Vec::new();
    for (setting, default) in settings {
        let Some(row) = rows.get(setting) else {
            found.push(format!("[{section}] {setting} is missing"));
            continue;
        };
        // A room has no default that means anything.
        if row.default != written(default) && (section, setting.as_str()) != ("discovery", "room") {
            found.push(format!("[{section}] {setting}: default {}, not {}", row.default, written(default)));
        }
        let takes = default.is_number().then(|| refusal(setting)).flatten();
        let range = resolved(&row.range, rows);
        if let Some(takes) = takes.filter(|takes| *takes != range) {
            found.push(format!("[{section}] {setting}: range {range}, not {takes}"));
        }
    }
    let unknown = rows.keys().filter(|setting| !settings.contains_key(*setting));
    found.extend(unknown.map(|setting| format!("[{section}] {setting} does not exist")));
    found
}

fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value).unwrap() {
        Value::Object(fields) => fields,
        other => panic!("settings are a table, not {other}"),
    }
}

/// What `setting` of `section` takes, as its refusal says.
fn refusal<T: Serialize + DeserializeOwned + Default>(
    section: Option<&str>,
    setting: &str,
    validate: fn(&T) -> Result<(), ConfigError>,
) -> Option<String> {
    let mut config = serde_json::to_value(T::default()).unwrap();
    let table = match section {
        Some(section) => &mut config[section],
        None => &mut config,
    };
    table[setting] = TOO_MUCH.into();
    let error = validate(&serde_json::from_value(config).unwrap()).unwrap_err();
    // Of some settings, another one's range ends with them; that one complains.
    error.name.ends_with(setting).then_some(error.allowed)
}

#[test]
fn every_setting_is_described_with_its_default_and_range() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = page(&fs::read_to_string(path).unwrap());
    let (sections, node): (Map<_, _>, Map<_, _>) =
        object(&NodeConfig::default()).into_iter().partition(|(_, value)| value.is_object());
    let of_node = |section| move |setting: &str| refusal(section, setting, NodeConfig::validate);
    let mut found = differences(&page, NODE, &node, of_node(None));
    for (section, settings) in &sections {
        found.extend(differences(&page, section, &object(settings), of_node(Some(section))));
    }
    let of_hub = |setting: &str| refusal(None, setting, HubConfig::validate);
    found.extend(differences(&page, HUB, &object(&HubConfig::default()), of_hub));
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(page.len(), sections.len() + 2, "{:?}", page.keys());
}

#[test]
fn what_is_missing_wrong_or_too_much_is_found() {
    let text = "## `[a]`: b\n| `x` | 1 | 1 to 5 | |\n| `w` | 4 | `x` to 9 | |\n| `v` | 4 | `z` + 1 to `w` | |\n| `z` | 3 | | |\n";
    let settings = serde_json::from_str(r#"{"x": 2, "y": null, "w": 4, "v": 4}"#).unwrap();
    let expected = [
        "[a] v: range 4 to 4, not 1 to 9",
        "[a] x: default 1, not 2",
        "[a] x: range 1 to 5, not 1 to 9",
        "[a] y is missing",
        "[a] z does not exist",
    ];
    let mut found = differences(&page(text), "a", &settings, |_| Some("1 to 9".into()));
    found.sort();
    assert_eq!(found, expected);
}
