//! `docs/configuration.md` mentions every setting, under its section and with its default.
#![cfg(feature = "native")]

use std::{collections::BTreeMap, fs, path::Path};

use meshwork::NodeConfig;
use serde_json::Value;

/// What stands before the first section with a name.
const NODE: &str = "";
/// Random or without a text of its own; the page says what it is in words.
const IN_WORDS: [(&str, &str); 1] = [("discovery", "room")];

/// For each section, the rows of its table: a setting, and its default as the page writes it.
type Page = BTreeMap<String, BTreeMap<String, String>>;

fn page(text: &str) -> Page {
    let mut page = Page::new();
    let mut section = NODE.to_owned();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = match heading.strip_prefix("`[").and_then(|heading| heading.split_once("]`")) {
                Some((name, _)) => name.to_owned(),
                None if heading == "The node" => NODE.to_owned(),
                None => heading.to_owned(),
            };
        } else if let Some(row) = line.strip_prefix("| `") {
            let (setting, rest) = row.split_once('`').unwrap();
            let default = rest.trim_start_matches([' ', '|']).split(" |").next().unwrap_or_default();
            page.entry(section.clone())
                .or_default()
                .insert(setting.to_owned(), default.trim().replace('`', ""));
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
        Value::Array(items) => {
            format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

/// What `page` lacks or has wrong of `settings`, and what it has beyond them.
fn differences(page: &Page, section: &str, settings: &serde_json::Map<String, Value>) -> Vec<String> {
    let empty = BTreeMap::new();
    let rows = page.get(section).unwrap_or(&empty);
    let mut found = Vec::new();
    for (setting, default) in settings {
        match rows.get(setting) {
            None => found.push(format!("[{section}] {setting} is missing")),
            Some(_) if IN_WORDS.contains(&(section, setting.as_str())) => {}
            Some(row) if *row == written(default) => {}
            Some(row) => found.push(format!("[{section}] {setting}: {row}, not {}", written(default))),
        }
    }
    let unknown = rows.keys().filter(|setting| !settings.contains_key(*setting));
    found.extend(unknown.map(|setting| format!("[{section}] {setting} does not exist")));
    found
}

fn object(value: &impl serde::Serialize) -> serde_json::Map<String, Value> {
    match serde_json::to_value(value).unwrap() {
        Value::Object(fields) => fields,
        other => panic!("settings are a table, not {other}"),
    }
}

#[test]
fn every_setting_is_described_with_its_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = page(&fs::read_to_string(path).unwrap());
    let (sections, node): (Vec<_>, Vec<_>) =
        object(&NodeConfig::default()).into_iter().partition(|(_, value)| value.is_object());
    let mut found = differences(&page, NODE, &node.into_iter().collect());
    for (section, settings) in &sections {
        found.extend(differences(&page, section, &object(settings)));
    }
    found.extend(differences(&page, "The hub", &object(&meshwork_hub::HubConfig::default())));
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(page.len(), sections.len() + 2, "{:?}", page.keys());
}

#[test]
fn what_is_missing_wrong_or_too_much_is_found() {
    let page = page("## The node\n| `name` | `\"node\"` | |\n## `[a]`: b\n| `x` | 1 | |\n| `z` | 3 | |\n");
    let settings = |text: &str| serde_json::from_str(text).unwrap();
    assert_eq!(differences(&page, NODE, &settings(r#"{"name": "node"}"#)), [""; 0]);
    assert_eq!(
        differences(&page, "a", &settings(r#"{"x": 2, "y": null}"#)),
        ["[a] x: 1, not 2", "[a] y is missing", "[a] z does not exist"]
    );
}
