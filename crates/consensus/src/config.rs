//! What can be set.

use meshwork_base::ConfigError;
use serde::{Deserialize, Serialize};

use crate::{Policy, RECEIPT_BYTES_MAX};

/// Settings of consensus.
///
/// Should every issuer be hostile, memory is bounded by `nodes_max` × (`kept_bytes_max` + `replicas_max` × 100 bytes).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// When an operation is confirmed.
    pub policy: Policy,
    /// At most one own receipt in this time; a lone one leaves at once.
    pub receipt_interval_ms: u64,
    /// How long the receipts of others gather before they are relayed.
    pub relay_interval_ms: u64,
    /// Nodes whose receipts are kept. At the bound, the unlinked one heard longest ago makes room for a linked one.
    pub nodes_max: usize,
    /// Replicas on which one node's receipts are believed. What it says about further ones is left out.
    pub replicas_max: usize,
    /// Living receipts kept of one node, in bytes; beyond it the oldest is not relayed any more.
    pub kept_bytes_max: usize,
    /// Own tips remembered per replica, to tell another node's chain from ours.
    pub tips_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: Policy::Count(2),
            receipt_interval_ms: 5,
            relay_interval_ms: 1_000,
            nodes_max: 256,
            replicas_max: 8_192,
            kept_bytes_max: 1024 * 1024,
            tips_max: 16,
        }
    }
}

impl Config {
    /// Checks every field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check("nodes_max", self.nodes_max, 1..=65_536)?;
        let Policy::Count(count) = self.policy;
        ConfigError::check("policy.count", usize::from(count), 1..=self.nodes_max + 1)?;
        ConfigError::check("receipt_interval_ms", self.receipt_interval_ms, 1..=60_000)?;
        ConfigError::check("relay_interval_ms", self.relay_interval_ms, 10..=600_000)?;
        ConfigError::check("replicas_max", self.replicas_max, 1..=1_048_576)?;
        ConfigError::check("kept_bytes_max", self.kept_bytes_max, 2 * RECEIPT_BYTES_MAX..=64 * 1024 * 1024)?;
        ConfigError::check("tips_max", self.tips_max, 1..=1_024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_bad_values_are_named() {
        assert_eq!(Config::default().validate(), Ok(()));
        let table = [
            (Config { policy: Policy::Count(0), ..Config::default() }, "policy.count"),
            (Config { receipt_interval_ms: 0, ..Config::default() }, "receipt_interval_ms"),
            (Config { relay_interval_ms: 9, ..Config::default() }, "relay_interval_ms"),
            (Config { nodes_max: 0, ..Config::default() }, "nodes_max"),
            (Config { replicas_max: 0, ..Config::default() }, "replicas_max"),
            (Config { kept_bytes_max: 1_000, ..Config::default() }, "kept_bytes_max"),
            (Config { tips_max: 0, ..Config::default() }, "tips_max"),
        ];
        for (config, name) in table {
            assert_eq!(config.validate().unwrap_err().name, name);
        }
    }
}
