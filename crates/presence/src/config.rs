//! What can be set.

use meshwork_base::ConfigError;
use serde::{Deserialize, Serialize};

/// Settings of presence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Between two heartbeats.
    pub heartbeat_ms: u64,
    /// A member of which nobody has heard for so long is gone.
    pub stale_ms: u64,
    /// The same for a member that is away.
    pub away_stale_ms: u64,
    /// For how long those who are gone are remembered, so that late rumours do not bring them back. At least
    /// `away_stale_ms`, since nobody spreads rumours that are older.
    pub gone_ms: u64,
    /// The most other members; as many who are gone are remembered. At the bound rumours of further ones are left
    /// out, and a linked one takes the place of the unlinked one heard longest ago.
    pub members_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            heartbeat_ms: 3_000,
            stale_ms: 15_000,
            away_stale_ms: 600_000,
            gone_ms: 900_000,
            members_max: 1_024,
        }
    }
}

impl Config {
    /// Checks every field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
        ConfigError::check("heartbeat_ms", self.heartbeat_ms, 10..=DAY_MS)?;
        ConfigError::check("stale_ms", self.stale_ms, self.heartbeat_ms + 1..=DAY_MS)?;
        ConfigError::check("away_stale_ms", self.away_stale_ms, self.stale_ms..=7 * DAY_MS)?;
        ConfigError::check("gone_ms", self.gone_ms, self.away_stale_ms..=30 * DAY_MS)?;
        ConfigError::check("members_max", self.members_max, 1..=65_536)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_bad_values_are_named() {
        assert_eq!(Config::default().validate(), Ok(()));
        let table = [
            (Config { heartbeat_ms: 0, ..Config::default() }, "heartbeat_ms"),
            (Config { heartbeat_ms: u64::MAX, ..Config::default() }, "heartbeat_ms"),
            (Config { stale_ms: 3_000, ..Config::default() }, "stale_ms"),
            (Config { away_stale_ms: 14_999, ..Config::default() }, "away_stale_ms"),
            (Config { gone_ms: 599_999, ..Config::default() }, "gone_ms"),
            (Config { members_max: 0, ..Config::default() }, "members_max"),
        ];
        for (config, name) in table {
            assert_eq!(config.validate().unwrap_err().name, name);
        }
    }
}
