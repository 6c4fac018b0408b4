//! Settings.

use meshwork_base::{ConfigError, Seed};
use meshwork_identity::RoomCode;
use serde::{Deserialize, Serialize};
use url::Url;

const HUBS_MAX: usize = 16;

/// Where to look for peers, and how patiently.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Hubs, or nodes that embed one: `http`, `https`, `ws` or `wss`. At most 16; a session that has no space yet takes
    /// it from the first that answers, in this order.
    #[serde(with = "urls")]
    pub hubs: Vec<Url>,
    /// The room to join on each of them. It has to be set when there is a hub.
    pub room: RoomCode,
    /// The longest wait before the first attempt to connect again, in milliseconds. Doubled for each next one.
    pub backoff_min_ms: u64,
    /// The longest wait between two attempts, in milliseconds.
    pub backoff_max_ms: u64,
    /// How often to send a heartbeat, in milliseconds. A hub gives up after 30,000 without a message.
    pub heartbeat_ms: u64,
    /// How long to wait for a connection or an answer, in milliseconds.
    pub reply_timeout_ms: u64,
    /// How long to wait after a refusal, in milliseconds.
    pub refused_retry_ms: u64,
    /// How many peers a hub may name. One that names more is refused.
    pub peers_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hubs: Vec::new(),
            room: Self::unset_room(),
            backoff_min_ms: 250,
            backoff_max_ms: 30_000,
            heartbeat_ms: 10_000,
            reply_timeout_ms: 10_000,
            refused_retry_ms: 60_000,
            peers_max: 1_024,
        }
    }
}

impl Config {
    /// Checks every setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check("hubs (how many)", self.hubs.len(), 0..=HUBS_MAX)?;
        for hub in &self.hubs {
            if !matches!(hub.scheme(), "http" | "https" | "ws" | "wss") || !hub.has_host() {
                let allowed = "links that start with http://, https://, ws:// or wss:// and a host".into();
                return Err(ConfigError { name: "hubs".into(), value: hub.to_string(), allowed });
            }
        }
        if !self.hubs.is_empty() && self.room == Self::unset_room() {
            let allowed = "a code of 6 characters of A-Z and 0-9 when there is a hub".into();
            return Err(ConfigError { name: "room".into(), value: "not set".into(), allowed });
        }
        ConfigError::check("backoff_min_ms", self.backoff_min_ms, 10..=60_000)?;
        ConfigError::check("backoff_max_ms", self.backoff_max_ms, self.backoff_min_ms..=3_600_000)?;
        ConfigError::check("heartbeat_ms", self.heartbeat_ms, 100..=25_000)?;
        ConfigError::check("reply_timeout_ms", self.reply_timeout_ms, 100..=120_000)?;
        ConfigError::check("refused_retry_ms", self.refused_retry_ms, 1_000..=86_400_000)?;
        ConfigError::check("peers_max", self.peers_max, 1..=65_536)
    }

    /// Stands for "no room", where there is no hub either.
    fn unset_room() -> RoomCode {
        RoomCode::generate(&mut Seed::from_number(0).random())
    }
}

mod urls {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use url::Url;

    pub(super) fn serialize<S: Serializer>(urls: &[Url], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(urls.iter().map(Url::as_str))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Url>, D::Error> {
        let parse =
            |text: String| text.parse().map_err(|error| D::Error::custom(format!("`{text}`: {error}")));
        Vec::<String>::deserialize(deserializer)?.into_iter().map(parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked_and_named() {
        let good = Config {
            hubs: vec!["http://h".parse().unwrap()],
            room: "A3B7K9".parse().unwrap(),
            ..Config::default()
        };
        assert_eq!((Config::default().validate(), good.validate()), (Ok(()), Ok(())));
        let table = [
            ("hubs", Config { hubs: vec!["ftp://h".parse().unwrap()], ..good.clone() }),
            ("room", Config { room: Config::default().room, ..good.clone() }),
            ("backoff_min_ms", Config { backoff_min_ms: 0, ..good.clone() }),
            ("backoff_max_ms", Config { backoff_max_ms: 1, ..good.clone() }),
            ("heartbeat_ms", Config { heartbeat_ms: 40_000, ..good.clone() }),
            ("reply_timeout_ms", Config { reply_timeout_ms: 0, ..good.clone() }),
            ("refused_retry_ms", Config { refused_retry_ms: 0, ..good.clone() }),
            ("peers_max", Config { peers_max: 0, ..good.clone() }),
        ];
        for (name, config) in table {
            assert_eq!(config.validate().unwrap_err().name, name);
        }
    }

    #[test]
    fn hubs_are_written_as_links() {
        let config: Config = serde_json::from_str(r#"{"hubs":["http://h:1"],"room":"a3b7k9"}"#).unwrap();
        assert_eq!(config.hubs[0].as_str(), "http://h:1/");
        assert!(serde_json::from_str::<Config>(r#"{"hubs":["nonsense"]}"#).is_err());
        // The tables of Unicode would be a tenth of the browser's module, and browsers have them.
        let ascii = r#"{"hubs":["http://xn--mnchen-3ya.example"]}"#;
        assert_eq!(
            serde_json::from_str::<Config>(ascii).unwrap().hubs[0].host_str(),
            Some("xn--mnchen-3ya.example")
        );
        assert!(serde_json::from_str::<Config>(r#"{"hubs":["http://münchen.example"]}"#).is_err());
        assert!(serde_json::from_str::<Config>(r#"{"hub":[]}"#).is_err());
    }
}
