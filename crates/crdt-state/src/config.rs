//! Settings of the documents.

use meshwork_base::ConfigError;
use serde::{Deserialize, Serialize};

/// The deepest nesting that an operation may contain: keys of a path plus levels inside a value.
///
/// A constant of the format, not a setting: what is valid must not depend on who receives it.
pub const DEPTH_MAX: usize = 128;

/// The longest key of a map, in bytes of UTF-8. A constant of the format like [`DEPTH_MAX`].
pub const KEY_BYTES_MAX: usize = 1024;

/// What local edits may do. Operations of others are measured by the constants of the format alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The deepest nesting that an edit may make: 1 to [`DEPTH_MAX`].
    pub depth_max: usize,
    /// The longest key that an edit may make, in bytes: 1 to [`KEY_BYTES_MAX`].
    pub key_bytes_max: usize,
    /// The most edits in one transaction.
    pub edits_max: usize,
    /// How far the hybrid time of others may push the local clock ahead of the wall clock, in milliseconds.
    pub clock_ahead_max_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            depth_max: DEPTH_MAX,
            key_bytes_max: KEY_BYTES_MAX,
            edits_max: 100_000,
            clock_ahead_max_ms: 60_000,
        }
    }
}

impl Config {
    /// Checks every setting against its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check("depth_max", self.depth_max, 1..=DEPTH_MAX)?;
        ConfigError::check("key_bytes_max", self.key_bytes_max, 1..=KEY_BYTES_MAX)?;
        ConfigError::check("edits_max", self.edits_max, 1..=1_000_000)?;
        ConfigError::check("clock_ahead_max_ms", self.clock_ahead_max_ms, 0..=86_400_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_each_bound_is_checked() {
        assert_eq!(Config::default().validate(), Ok(()));
        let broken = [
            Config { depth_max: 129, ..Config::default() },
            Config { key_bytes_max: 0, ..Config::default() },
            Config { edits_max: 0, ..Config::default() },
            Config { clock_ahead_max_ms: 86_400_001, ..Config::default() },
        ];
        assert!(broken.iter().all(|config| config.validate().is_err()));
    }
}
