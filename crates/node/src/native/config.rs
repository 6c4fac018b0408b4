//! Everything that can be configured: one struct, one section for each part.

use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat};
use meshwork_base::ConfigError;
use meshwork_transport::webrtc::WebRtcConfig;
use serde::{Deserialize, Serialize};

/// The prefix of environment variables: `MESHWORK_NAME`, `MESHWORK_TRANSPORT__LINKS_MAX`, …
const ENVIRONMENT_PREFIX: &str = "MESHWORK";
/// The only list that can be set by the environment: addresses between commas.
const HUBS_VARIABLE: &str = "MESHWORK_DISCOVERY__HUBS";
const NAME_BYTES_MAX: usize = 64;

/// The settings of a node. In a file (TOML), a section is a table: `[transport]` with `links_max = 16`.
///
/// Later sources win: defaults, the file, the environment, flags.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeConfig {
    /// The name that others see: 1 to 64 bytes.
    pub name: String,
    /// The directory that holds the key and the log; without one, both live in memory and end with the process.
    pub data: Option<PathBuf>,
    /// The room's password, if it has one.
    pub password: Option<String>,
    /// An invitation's link: hub, room, space and secret in one.
    pub invitation: Option<String>,
    /// How many events a slow listener may lag behind before it misses some.
    pub events_capacity: usize,
    /// How many edits may be visible here without being durable; a further one waits.
    pub unsaved_edits_max: usize,
    /// The log.
    pub op_log: meshwork_op_log::Config,
    /// The documents.
    pub documents: meshwork_crdt_state::Config,
    /// Who is here.
    pub presence: meshwork_presence::Config,
    /// Hubs and room.
    pub discovery: meshwork_discovery::Config,
    /// Links.
    pub transport: meshwork_transport::Config,
    /// When an operation counts as confirmed.
    pub consensus: meshwork_consensus::Config,
    /// The disk.
    pub storage: meshwork_storage::Config,
    /// WebRTC.
    pub webrtc: WebRtcConfig,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            name: "node".into(),
            data: None,
            password: None,
            invitation: None,
            events_capacity: 16_384,
            unsaved_edits_max: 65_536,
            op_log: Default::default(),
            documents: Default::default(),
            presence: Default::default(),
            discovery: Default::default(),
            transport: Default::default(),
            consensus: Default::default(),
            storage: Default::default(),
            webrtc: Default::default(),
        }
    }
}

/// Settings that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadConfigError {
    /// A file is missing or malformed, a key is unknown, or a value is of the wrong kind.
    #[error("configuration: {0}")]
    Source(#[from] config::ConfigError),
    /// A value is out of its range.
    #[error("configuration: {0}")]
    Range(#[from] ConfigError),
}

impl NodeConfig {
    /// The defaults, changed by `file` and by the environment. Flags come after; then [`validate`](Self::validate).
    pub fn load(file: Option<&Path>) -> Result<Self, LoadConfigError> {
        let mut sources = config::Config::builder();
        if let Some(path) = file {
            sources = sources.add_source(File::from(path).format(FileFormat::Toml));
        }
        // Values stay text until their setting says what it takes: a name of digits keeps its leading zeros.
        let environment = Environment::with_prefix(ENVIRONMENT_PREFIX).prefix_separator("_").separator("__");
        sources = sources.add_source(environment.ignore_empty(true));
        if let Some(hubs) = std::env::var(HUBS_VARIABLE).ok().filter(|hubs| !hubs.is_empty()) {
            let hubs: Vec<&str> = hubs.split(',').map(str::trim).collect();
            sources = sources.set_override("discovery.hubs", hubs)?;
        }
        Ok(sources.build()?.try_deserialize()?)
    }

    /// Checks every setting, and names the first that is out of its range by its section and name.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check("name (bytes)", self.name.len(), 1..=NAME_BYTES_MAX)?;
        ConfigError::check("events_capacity", self.events_capacity, 16..=1 << 24)?;
        ConfigError::check("unsaved_edits_max", self.unsaved_edits_max, 1..=1 << 24)?;
        let sections = [
            ("op_log", self.op_log.validate()),
            ("documents", self.documents.validate()),
            ("presence", self.presence.validate()),
            ("discovery", self.discovery.validate()),
            ("transport", self.transport.validate()),
            ("consensus", self.consensus.validate()),
            ("storage", self.storage.validate()),
            ("webrtc", self.webrtc.validate()),
        ];
        for (section, checked) in sections {
            checked.map_err(|error| ConfigError { name: format!("{section}.{}", error.name), ..error })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn load(text: &str) -> Result<NodeConfig, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let config = NodeConfig::load(Some(file.path())).map_err(|error| error.to_string())?;
        config.validate().map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn a_file_changes_what_it_names() {
        let config = load("name = \"ada\"\n[transport]\nlinks_max = 3").unwrap();
        assert_eq!((config.name.as_str(), config.transport.links_max), ("ada", 3));
        assert_eq!(config.presence, NodeConfig::default().presence);
    }

    #[test]
    fn mistakes_are_named() {
        let table = [
            ("nmae = \"ada\"", "nmae"),
            ("[transport]\nlink_max = 3", "link_max"),
            ("[transport]\nlinks_max = \"many\"", "transport.links_max"),
            ("[transport]\nlinks_max = 0", "setting `transport.links_max` is 0, but takes 1 to"),
            ("name = \"\"", "setting `name (bytes)` is 0, but takes 1 to 64"),
        ];
        for (text, expected) in table {
            let error = load(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let missing = NodeConfig::load(Some(Path::new("no/such/file.toml"))).unwrap_err().to_string();
        assert!(missing.contains("no/such/file.toml"), "{missing}");
    }
}
