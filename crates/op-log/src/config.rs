//! The log's settings.

use std::time::Duration;

use meshwork_base::ConfigError;
use serde::{Deserialize, Serialize};

/// How the log paces itself, and every bound on what peers can make it hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A busy log signs at most this often, in milliseconds; an idle one signs at once.
    pub flush_interval_ms: u64,
    /// How often versions are compared with a peer while anything has changed, in milliseconds.
    pub sync_interval_ms: u64,
    /// How long news of received operations is gathered before other peers are told, in milliseconds.
    pub announce_interval_ms: u64,
    /// A peer that was asked for operations and is silent this long is given up for another, in milliseconds.
    pub want_timeout_ms: u64,
    /// How far a peer may run ahead while it catches us up, in bytes.
    pub credit_bytes: u64,
    /// What a peer is sent of what it asked for in one `serve_interval_ms`, in bytes; the last block may overdraw it.
    /// A link that cannot keep up says so between two of them.
    pub serve_bytes_max: u64,
    /// See `serve_bytes_max`, in milliseconds.
    pub serve_interval_ms: u64,
    /// What the blocks of one peer that wait for others may take, in bytes; as much again for those handed to
    /// [`OpLog::merge`](crate::OpLog::merge).
    pub buffered_bytes_max: usize,
    /// How many blocks of one peer may wait for others; as many again of those handed to
    /// [`OpLog::merge`](crate::OpLog::merge).
    pub buffered_blocks_max: usize,
    /// How many replicas that we lack are noted for one peer at a time.
    pub remote_replicas_max: usize,
    /// What all kept proofs of equivocation may take, in bytes. (They are kept without the operations' bodies, mostly
    /// some hundred bytes each.)
    pub proof_bytes_max: usize,
    /// How many operations are delivered at a time.
    pub deliver_operations_max: usize,
    /// Operations that have waited this long (at most twice) for others that no linked peer has are told of, in
    /// milliseconds.
    pub waiting_told_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            flush_interval_ms: 2,
            sync_interval_ms: 2_000,
            announce_interval_ms: 50,
            want_timeout_ms: 5_000,
            credit_bytes: 512 * 1024,
            serve_bytes_max: 1024 * 1024,
            serve_interval_ms: 10,
            buffered_bytes_max: 16 * 1024 * 1024,
            buffered_blocks_max: 4_096,
            remote_replicas_max: 65_536,
            proof_bytes_max: 4 * 1024 * 1024,
            deliver_operations_max: 4_096,
            waiting_told_ms: 30_000,
        }
    }
}

impl Config {
    /// Checks every setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check("flush_interval_ms", self.flush_interval_ms, 0..=1_000)?;
        ConfigError::check("sync_interval_ms", self.sync_interval_ms, 10..=600_000)?;
        ConfigError::check("announce_interval_ms", self.announce_interval_ms, 0..=60_000)?;
        ConfigError::check("want_timeout_ms", self.want_timeout_ms, 100..=600_000)?;
        ConfigError::check("credit_bytes", self.credit_bytes, 64 * 1024..=CREDIT_BYTES_MAX)?;
        ConfigError::check("serve_bytes_max", self.serve_bytes_max, 64 * 1024..=2 * 1024 * 1024)?;
        ConfigError::check("serve_interval_ms", self.serve_interval_ms, 1..=1_000)?;
        ConfigError::check("buffered_bytes_max", self.buffered_bytes_max, 2 * 1024 * 1024..=1 << 30)?;
        ConfigError::check("buffered_blocks_max", self.buffered_blocks_max, 16..=1_000_000)?;
        ConfigError::check("remote_replicas_max", self.remote_replicas_max, 16..=10_000_000)?;
        ConfigError::check("proof_bytes_max", self.proof_bytes_max, 256 * 1024..=1 << 30)?;
        ConfigError::check("deliver_operations_max", self.deliver_operations_max, 1..=1_000_000)?;
        ConfigError::check("waiting_told_ms", self.waiting_told_ms, 1_000..=86_400_000)
    }

    pub(crate) fn flush_interval(&self) -> Duration {
        Duration::from_millis(self.flush_interval_ms)
    }

    pub(crate) fn sync_interval(&self) -> Duration {
        Duration::from_millis(self.sync_interval_ms)
    }

    pub(crate) fn announce_interval(&self) -> Duration {
        Duration::from_millis(self.announce_interval_ms)
    }

    pub(crate) fn serve_interval(&self) -> Duration {
        Duration::from_millis(self.serve_interval_ms)
    }

    pub(crate) fn waiting_told(&self) -> Duration {
        Duration::from_millis(self.waiting_told_ms)
    }

    pub(crate) fn want_timeout(&self) -> Duration {
        Duration::from_millis(self.want_timeout_ms)
    }
}

/// The most credit that a peer can pile up here, in bytes: what it is streamed without answering.
pub(crate) const CREDIT_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_zero_is_named() {
        assert_eq!(Config::default().validate(), Ok(()));
        let error = Config { credit_bytes: 0, ..Config::default() }.validate().unwrap_err();
        assert_eq!(error.name, "credit_bytes");
    }
}
