//! What can be set.

use meshwork_base::ConfigError;
use serde::{Deserialize, Serialize};

/// Settings of a [`RedbStore`](crate::RedbStore) and its [`Writer`](crate::Writer).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Memory for pages of the file, read and to be written.
    pub cache_bytes: usize,
    /// What one transaction takes at most, unless a single write is larger.
    pub commit_bytes_max: usize,
    /// How long a writer that was idle waits for further writes before it commits, in microseconds. They cost one
    /// flush together, and on a busy machine the writer does not take the processor from those who send what was
    /// written to others.
    pub gather_us: u64,
    /// When more than this waits to be written, the writer says that it has stalled. It still takes what comes: its
    /// callers hold their own limits, and a write that was refused would be lost.
    pub queue_bytes_max: usize,
    /// How long a failed commit waits before it is tried again; doubles each time.
    pub retry_first_ms: u64,
    /// The longest such wait.
    pub retry_max_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
            commit_bytes_max: 8 << 20,
            gather_us: 200,
            queue_bytes_max: 256 << 20,
            retry_first_ms: 100,
            retry_max_ms: 5_000,
        }
    }
}

impl Config {
    /// Checks every setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check("cache_bytes", self.cache_bytes, 1 << 20..=1 << 30)?;
        ConfigError::check("commit_bytes_max", self.commit_bytes_max, 4 << 10..=256 << 20)?;
        ConfigError::check("gather_us", self.gather_us, 0..=100_000)?;
        ConfigError::check("queue_bytes_max", self.queue_bytes_max, 1 << 20..=1 << 30)?;
        ConfigError::check("retry_first_ms", self.retry_first_ms, 1..=60_000)?;
        ConfigError::check("retry_max_ms", self.retry_max_ms, self.retry_first_ms..=600_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_each_bound_is_checked() {
        assert_eq!(Config::default().validate(), Ok(()));
        let wrong = [
            ("cache_bytes", Config { cache_bytes: 0, ..Config::default() }),
            ("commit_bytes_max", Config { commit_bytes_max: 1, ..Config::default() }),
            ("gather_us", Config { gather_us: 100_001, ..Config::default() }),
            ("queue_bytes_max", Config { queue_bytes_max: 1, ..Config::default() }),
            ("retry_first_ms", Config { retry_first_ms: 0, ..Config::default() }),
            ("retry_max_ms", Config { retry_max_ms: 99, ..Config::default() }),
        ];
        for (name, config) in wrong {
            assert_eq!(config.validate().unwrap_err().name, name);
        }
    }
}
