//! Settings: the text of a configuration file, section by section.

use std::collections::BTreeSet;

use config::{File, FileFormat};
use meshwork_base::ConfigError;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The sections of a node that need no native library, and a hub's settings.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    op_log: meshwork_op_log::Config,
    documents: meshwork_crdt_state::Config,
    presence: meshwork_presence::Config,
    discovery: meshwork_discovery::Config,
    transport: meshwork_transport::Config,
    consensus: meshwork_consensus::Config,
    storage: meshwork_storage::Config,
    hub: meshwork_hub::HubConfig,
}

impl Settings {
    fn validate(&self) -> [(&'static str, Result<(), ConfigError>); 8] {
        [
            ("op_log", self.op_log.validate()),
            ("documents", self.documents.validate()),
            ("presence", self.presence.validate()),
            ("discovery", self.discovery.validate()),
            ("transport", self.transport.validate()),
            ("consensus", self.consensus.validate()),
            ("storage", self.storage.validate()),
            ("hub", self.hub.validate()),
        ]
    }
}

/// Runs a fuzz input: settings or an error that says which of them is wrong; and settings that are in range are the
/// same after they were written and read again.
pub fn run(text: &str) {
    let Some(source) = source(text) else { return };
    let settings: Settings = match source.clone().try_deserialize() {
        Ok(settings) => settings,
        Err(error) => return names_a_key(&source, &error.to_string()),
    };
    let sections = serde_json::to_value(&settings).expect("settings can be written");
    for (section, checked) in settings.validate() {
        let Err(error) = checked else { continue };
        // A name may go on with what is counted: `hubs (how many)`.
        let name = error.name.split([' ', '.']).next().unwrap_or_default();
        assert!(sections[section].get(name).is_some(), "{section} has no setting `{}`", error.name);
        assert!(error.to_string().contains(&error.allowed));
    }
    if settings.validate().iter().all(|(_, checked)| checked.is_ok()) {
        let again: Settings = serde_json::from_value(sections).expect("what was written can be read");
        assert_eq!(again, settings);
    }
}

/// The text, if it is TOML: what is not is refused by its line, before there are any keys.
fn source(text: &str) -> Option<config::Config> {
    config::Config::builder().add_source(File::from_str(text, FileFormat::Toml)).build().ok()
}

fn names_a_key(source: &config::Config, error: &str) {
    let mut keys = BTreeSet::new();
    collect(&value::<serde_json::Value>(source), &mut keys);
    assert!(keys.iter().any(|key| error.contains(key.as_str())), "`{error}` names none of {keys:?}");
}

fn value<T: DeserializeOwned + Default>(source: &config::Config) -> T {
    source.clone().try_deserialize().unwrap_or_default()
}

fn collect(value: &serde_json::Value, keys: &mut BTreeSet<String>) {
    if let serde_json::Value::Object(fields) = value {
        for (key, value) in fields {
            keys.insert(key.clone());
            collect(value, keys);
        }
    }
}
