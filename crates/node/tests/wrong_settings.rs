//! Whatever is wrong with a setting, the error names it.

#![cfg(feature = "native")]

use std::io::Write as _;

use meshwork::NodeConfig;
use serde_json::Value;

/// What a setting may be told by mistake, as TOML.
const MISTAKES: [&str; 9] =
    ["0", "-1", "1.5", "9223372036854775807", "true", "\"text\"", "\"\"", "[7]", "{ unknown = 1 }"];

fn load(text: &str) -> Result<(), String> {
    let mut file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    file.write_all(text.as_bytes()).map_err(|error| error.to_string())?;
    let config = NodeConfig::load(Some(file.path())).map_err(|error| error.to_string())?;
    config.validate().map_err(|error| error.to_string())
}

/// The dotted names of all settings: of a node, and of its sections.
fn names(value: &Value, name: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !name.contains('.') => {
            for (key, value) in fields {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                names(value, &name, found);
            }
        }
        _ => found.push(name.to_owned()),
    }
}

#[test]
fn every_setting_is_named_when_it_is_wrong() {
    let mut all = Vec::new();
    names(&serde_json::to_value(NodeConfig::default()).unwrap(), "", &mut all);
    assert!(all.len() > 50, "{all:?}");
    let mut refused = 0;
    for name in &all {
        for mistake in MISTAKES {
            let text = format!("{name} = {mistake}\n");
            if let Err(error) = load(&text) {
                refused += 1;
                let key = name.rsplit('.').next().unwrap_or_default();
                assert!(error.contains(key), "`{text}` is refused without a name: {error}");
            }
        }
        let text = format!("{name}x = 1\n");
        let error = load(&text).expect_err("there is no such setting");
        assert!(
            error.contains(&format!("{}x", name.rsplit('.').next().unwrap_or_default())),
            "{text}: {error}"
        );
    }
    assert!(refused > 3 * all.len(), "{refused} of {}", all.len());
}
