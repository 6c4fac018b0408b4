//! Settings.

use meshwork_base::ConfigError;
use serde::{Deserialize, Serialize};

/// Settings of the transport.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Links at a time, including those in the making.
    pub links_max: usize,
    /// In a room with more sessions than `links_max`, so many are chosen at random to be linked with; besides, links are
    /// taken that others choose.
    pub links_wanted: usize,
    /// Sessions kept in mind, linked or not.
    pub peers_max: usize,
    /// How long the greater session waits for an offer before it makes one itself, in milliseconds.
    pub offer_wait_ms: u64,
    /// How long descriptions may take to be exchanged, in milliseconds.
    pub signalling_timeout_ms: u64,
    /// How long channels may take to open once both descriptions are there, in milliseconds.
    pub connecting_timeout_ms: u64,
    /// How long the handshake may take, in milliseconds.
    pub handshake_timeout_ms: u64,
    /// The wait after a first failure, in milliseconds; it doubles with every further one.
    pub retry_min_ms: u64,
    /// The longest wait between attempts, in milliseconds.
    pub retry_max_ms: u64,
    /// The wait after a refused handshake (other version or space, wrong secret, …), in milliseconds.
    pub refused_retry_ms: u64,
    /// The other side's ICE candidates that are taken for one attempt.
    pub candidates_max: usize,
    /// The longest description or candidate that is taken, in bytes.
    pub signal_bytes_max: usize,
    /// While more than this is in flight on a channel, messages wait for each other and leave in full frames, in bytes.
    pub batch_above_bytes: usize,
    /// What waits for one peer before it counts as congested, in bytes.
    pub queue_bytes_max: usize,
    /// What waits for a congested peer when it counts as drained, in bytes.
    pub queue_low_bytes: usize,
    /// What waits for one peer before its link is given up, in bytes.
    pub queue_hard_bytes_max: usize,
    /// Datagrams that wait for one peer on its lossy channel; at the bound the oldest gives way.
    pub lossy_datagrams_max: usize,
    /// How often a node may misbehave before it is cut off.
    pub misbehaviour_max: u32,
    /// How long a node that was cut off is ignored, and how long its misbehaviour is remembered, in milliseconds.
    pub ban_ms: u64,
    /// A ping is sent when nothing was received for this long, in milliseconds.
    pub ping_after_ms: u64,
    /// A link is dead when nothing was received for this long, in milliseconds.
    pub dead_after_ms: u64,
    /// The round trip of a busy link is measured this often, in milliseconds.
    pub rtt_every_ms: u64,
    /// A machine that was not run for this long was paused, and does not hold its peers' silence against them at once,
    /// in milliseconds.
    pub pause_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            links_max: 64,
            links_wanted: 16,
            peers_max: 1024,
            offer_wait_ms: 2_000,
            signalling_timeout_ms: 10_000,
            connecting_timeout_ms: 10_000,
            handshake_timeout_ms: 5_000,
            retry_min_ms: 250,
            retry_max_ms: 30_000,
            refused_retry_ms: 30_000,
            candidates_max: 64,
            signal_bytes_max: 64 * 1024,
            batch_above_bytes: 4 * 1024,
            queue_bytes_max: 4 * 1024 * 1024,
            queue_low_bytes: 1024 * 1024,
            queue_hard_bytes_max: 8 * 1024 * 1024,
            lossy_datagrams_max: 32,
            misbehaviour_max: 3,
            ban_ms: 60_000,
            ping_after_ms: 1_000,
            dead_after_ms: 2_500,
            rtt_every_ms: 10_000,
            pause_ms: 1_500,
        }
    }
}

impl Config {
    /// The first setting that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        const HOUR_MS: u64 = 3_600_000;
        const GIB: usize = 1 << 30;
        ConfigError::check("links_max", self.links_max, 1..=4096)?;
        ConfigError::check("links_wanted", self.links_wanted, 1..=4096)?;
        ConfigError::check("peers_max", self.peers_max, self.links_max..=65_536)?;
        ConfigError::check("offer_wait_ms", self.offer_wait_ms, 0..=HOUR_MS)?;
        ConfigError::check("signalling_timeout_ms", self.signalling_timeout_ms, 1..=HOUR_MS)?;
        ConfigError::check("connecting_timeout_ms", self.connecting_timeout_ms, 1..=HOUR_MS)?;
        ConfigError::check("handshake_timeout_ms", self.handshake_timeout_ms, 1..=HOUR_MS)?;
        ConfigError::check("retry_min_ms", self.retry_min_ms, 1..=HOUR_MS)?;
        ConfigError::check("retry_max_ms", self.retry_max_ms, self.retry_min_ms..=HOUR_MS)?;
        ConfigError::check("refused_retry_ms", self.refused_retry_ms, self.retry_min_ms..=HOUR_MS)?;
        ConfigError::check("candidates_max", self.candidates_max, 1..=1024)?;
        ConfigError::check("signal_bytes_max", self.signal_bytes_max, 1024..=1024 * 1024)?;
        ConfigError::check("batch_above_bytes", self.batch_above_bytes, 1..=crate::IN_FLIGHT_BYTES_MAX)?;
        ConfigError::check("queue_bytes_max", self.queue_bytes_max, 1024..=GIB)?;
        ConfigError::check("queue_low_bytes", self.queue_low_bytes, 0..=self.queue_bytes_max)?;
        ConfigError::check("queue_hard_bytes_max", self.queue_hard_bytes_max, self.queue_bytes_max..=GIB)?;
        ConfigError::check("lossy_datagrams_max", self.lossy_datagrams_max, 1..=4096)?;
        ConfigError::check("misbehaviour_max", self.misbehaviour_max, 1..=1000)?;
        ConfigError::check("ban_ms", self.ban_ms, 1..=24 * HOUR_MS)?;
        ConfigError::check("ping_after_ms", self.ping_after_ms, 1..=HOUR_MS)?;
        ConfigError::check("dead_after_ms", self.dead_after_ms, self.ping_after_ms + 1..=HOUR_MS)?;
        ConfigError::check("rtt_every_ms", self.rtt_every_ms, self.ping_after_ms..=HOUR_MS)?;
        ConfigError::check("pause_ms", self.pause_ms, self.ping_after_ms + 1..=HOUR_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_a_bad_setting_is_named() {
        assert_eq!(Config::default().validate(), Ok(()));
        let name = |config: Config| config.validate().unwrap_err().name;
        assert_eq!(name(Config { links_max: 0, ..Config::default() }), "links_max");
        assert_eq!(name(Config { peers_max: 10, ..Config::default() }), "peers_max");
        assert_eq!(name(Config { dead_after_ms: 900, ..Config::default() }), "dead_after_ms");
        assert_eq!(name(Config { pause_ms: 900, ..Config::default() }), "pause_ms");
        assert_eq!(name(Config { lossy_datagrams_max: 0, ..Config::default() }), "lossy_datagrams_max");
        assert_eq!(name(Config { queue_low_bytes: usize::MAX, ..Config::default() }), "queue_low_bytes");
    }
}
