//! What can be set.

use meshwork_base::ConfigError;
use serde::{Deserialize, Serialize};

use crate::{SESSION_VALUES_BYTES_MAX, VALUE_BYTES_MAX, VALUE_TTL_MS_MAX, VALUES_MAX};

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
    /// Ephemeral values that this session shows at a time.
    pub values_max: usize,
    /// The longest of them, in bytes.
    pub value_bytes_max: usize,
    /// Keys and values of this session together, in bytes.
    pub own_values_bytes_max: usize,
    /// The shortest time to live of a value.
    pub value_ttl_ms_min: u64,
    /// The longest time to live of a value.
    pub value_ttl_ms_max: u64,
    /// At most one batch of datagrams with values leaves in this time; what is set meanwhile replaces what waits.
    pub values_send_ms: u64,
    /// Datagrams in a batch, for each linked peer.
    pub values_batch_max: usize,
    /// How often everything that lives is shown again, for those who missed it.
    pub values_refresh_ms: u64,
    /// Values of all others that are kept, in bytes. At the bound further ones are left out until there is room.
    pub seen_values_bytes_max: usize,
    /// Datagrams of one peer that are read in a second; further ones count as lost.
    pub values_received_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            heartbeat_ms: 3_000,
            stale_ms: 15_000,
            away_stale_ms: 600_000,
            gone_ms: 900_000,
            members_max: 1_024,
            values_max: VALUES_MAX,
            value_bytes_max: VALUE_BYTES_MAX,
            own_values_bytes_max: SESSION_VALUES_BYTES_MAX,
            value_ttl_ms_min: 500,
            value_ttl_ms_max: 600_000,
            values_send_ms: 50,
            values_batch_max: 4,
            values_refresh_ms: 2_000,
            seen_values_bytes_max: 4 * 1024 * 1024,
            values_received_max: 200,
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
        ConfigError::check("members_max", self.members_max, 1..=65_536)?;
        ConfigError::check("values_max", self.values_max, 1..=VALUES_MAX)?;
        ConfigError::check("value_bytes_max", self.value_bytes_max, 1..=VALUE_BYTES_MAX)?;
        let own_values_bytes = 1..=SESSION_VALUES_BYTES_MAX;
        ConfigError::check("own_values_bytes_max", self.own_values_bytes_max, own_values_bytes)?;
        ConfigError::check("value_ttl_ms_max", self.value_ttl_ms_max, 100..=VALUE_TTL_MS_MAX)?;
        ConfigError::check("value_ttl_ms_min", self.value_ttl_ms_min, 100..=self.value_ttl_ms_max)?;
        ConfigError::check("values_send_ms", self.values_send_ms, 10..=10_000)?;
        ConfigError::check("values_batch_max", self.values_batch_max, 1..=16)?;
        ConfigError::check("values_refresh_ms", self.values_refresh_ms, 100..=60_000)?;
        ConfigError::check("seen_values_bytes_max", self.seen_values_bytes_max, 16_384..=1 << 30)?;
        ConfigError::check("values_received_max", self.values_received_max, 1..=10_000)
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
            (Config { values_max: 33, ..Config::default() }, "values_max"),
            (Config { value_bytes_max: 769, ..Config::default() }, "value_bytes_max"),
            (Config { value_ttl_ms_max: 3_600_001, ..Config::default() }, "value_ttl_ms_max"),
            (Config { value_ttl_ms_max: 499, ..Config::default() }, "value_ttl_ms_min"),
            (Config { values_send_ms: 9, ..Config::default() }, "values_send_ms"),
        ];
        for (config, name) in table {
            assert_eq!(config.validate().unwrap_err().name, name);
        }
    }
}
