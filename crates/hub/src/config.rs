//! Settings.

use std::time::Duration;

use meshwork_base::ConfigError;
use serde::{Deserialize, Serialize};

use crate::bucket::Rate;

/// Every bound of a hub.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HubConfig {
    /// The names under which sessions reach this hub, with the port unless it is the scheme's own (`hub.example`,
    /// `10.0.0.5:7070`). Empty: any name is taken, and a hostile hub could pass this hub's challenges on to sessions
    /// that trust it, and speak here in their name. Set it on a public hub.
    pub hosts: Vec<String>,
    /// The hub is behind a reverse proxy of ours: the last address in `X-Forwarded-For` is the client's.
    pub behind_proxy: bool,
    /// How many rooms there may be. At the bound, the one that has been empty for the longest is forgotten.
    pub rooms_max: usize,
    /// How many rooms an address may make at once.
    pub rooms_per_address_max: u32,
    /// How long until an address may make one more, in milliseconds.
    pub room_made_ms: u64,
    /// How many sessions a room may have.
    pub peers_per_room_max: usize,
    /// How many connections there may be.
    pub connections_max: usize,
    /// How many connections one address may have. (Of an IPv6 address, the network of 64 bits counts.)
    pub connections_per_address_max: usize,
    /// How many messages a second a connection may send for long.
    pub messages_per_second: u32,
    /// How many messages it may send at once, as when a session links to everybody in a full room.
    pub messages_burst_max: u32,
    /// The longest message, in bytes.
    pub message_bytes_max: usize,
    /// How many wrong passwords in a row an address may show.
    pub password_failures_max: u32,
    /// How long until an address is forgiven one of them, in milliseconds.
    pub password_forgiven_ms: u64,
    /// How old a hub has to be before a session without a space may name one for a room that is not known, in
    /// milliseconds. Until then it waits for one that has a space: after a restart, for a member that comes back.
    pub found_after_ms: u64,
    /// How long an empty room is remembered, in milliseconds.
    pub room_idle_ms: u64,
    /// How old a signal may get, in milliseconds.
    pub signal_ttl_ms: u64,
    /// How long a session whose connection broke keeps its seat, in milliseconds.
    pub reconnect_ms: u64,
    /// How many signals may wait for such a session.
    pub waiting_signals_max: usize,
    /// How many bytes they may have.
    pub waiting_bytes_max: usize,
    /// How long a connection may be silent, in milliseconds.
    pub heartbeat_timeout_ms: u64,
    /// How often to look for what has expired, in milliseconds. Everything that expires may do so that much later.
    pub sweep_ms: u64,
    /// How many messages may wait in the server for a client that is slow to read. One more closes the connection.
    pub outgoing_messages_max: usize,
    /// How many bytes they may have.
    pub outgoing_bytes_max: usize,
    /// How long one message may take to be written, in milliseconds. Longer closes the connection.
    pub write_timeout_ms: u64,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            behind_proxy: false,
            rooms_max: 10_000,
            rooms_per_address_max: 256,
            room_made_ms: 10_000,
            peers_per_room_max: 64,
            connections_max: 10_000,
            connections_per_address_max: 256,
            messages_per_second: 100,
            messages_burst_max: 1_000,
            message_bytes_max: 20 * 1024,
            password_failures_max: 10,
            password_forgiven_ms: 60_000,
            found_after_ms: 2_000,
            room_idle_ms: 3_600_000,
            signal_ttl_ms: 30_000,
            reconnect_ms: 5_000,
            waiting_signals_max: 64,
            waiting_bytes_max: 256 * 1024,
            heartbeat_timeout_ms: 30_000,
            sweep_ms: 1_000,
            outgoing_messages_max: 256,
            outgoing_bytes_max: 1024 * 1024,
            write_timeout_ms: 10_000,
        }
    }
}

impl HubConfig {
    /// Checks every setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check("hosts (how many)", self.hosts.len(), 0..=64)?;
        if let Some(host) = self.hosts.iter().find(|host| host.is_empty() || host.contains('/')) {
            let allowed = "names such as `hub.example` or `10.0.0.5:7070`, without scheme and path".into();
            return Err(ConfigError { name: "hosts".into(), value: host.clone(), allowed });
        }
        ConfigError::check("rooms_max", self.rooms_max, 1..=1_000_000)?;
        ConfigError::check("rooms_per_address_max", self.rooms_per_address_max, 1..=1_000_000)?;
        ConfigError::check("room_made_ms", self.room_made_ms, 1..=3_600_000)?;
        ConfigError::check("peers_per_room_max", self.peers_per_room_max, 2..=512)?;
        ConfigError::check("connections_max", self.connections_max, 1..=1_000_000)?;
        ConfigError::check("connections_per_address_max", self.connections_per_address_max, 1..=1_000_000)?;
        ConfigError::check("messages_per_second", self.messages_per_second, 1..=100_000)?;
        ConfigError::check("messages_burst_max", self.messages_burst_max, 10..=1_000_000)?;
        let largest = meshwork_discovery::CLIENT_MESSAGE_BYTES_MAX;
        ConfigError::check("message_bytes_max", self.message_bytes_max, 1_024..=largest)?;
        ConfigError::check("password_failures_max", self.password_failures_max, 1..=10_000)?;
        ConfigError::check("password_forgiven_ms", self.password_forgiven_ms, 1..=86_400_000)?;
        ConfigError::check("found_after_ms", self.found_after_ms, 0..=8_000)?;
        ConfigError::check("room_idle_ms", self.room_idle_ms, 1_000..=604_800_000)?;
        ConfigError::check("signal_ttl_ms", self.signal_ttl_ms, 100..=600_000)?;
        ConfigError::check("reconnect_ms", self.reconnect_ms, 0..=600_000)?;
        ConfigError::check("waiting_signals_max", self.waiting_signals_max, 0..=4_096)?;
        ConfigError::check("waiting_bytes_max", self.waiting_bytes_max, 0..=16 * 1024 * 1024)?;
        ConfigError::check("heartbeat_timeout_ms", self.heartbeat_timeout_ms, 1_000..=600_000)?;
        ConfigError::check("sweep_ms", self.sweep_ms, 10..=60_000)?;
        ConfigError::check("outgoing_messages_max", self.outgoing_messages_max, 16..=65_536)?;
        let largest = meshwork_discovery::SERVER_MESSAGE_BYTES_MAX;
        ConfigError::check("outgoing_bytes_max", self.outgoing_bytes_max, largest..=64 * 1024 * 1024)?;
        ConfigError::check("write_timeout_ms", self.write_timeout_ms, 100..=600_000)
    }

    pub(crate) fn message_rate(&self) -> Rate {
        let refill = Duration::from_secs(1) / self.messages_per_second.max(1);
        Rate { capacity: self.messages_burst_max, refill }
    }

    pub(crate) fn room_rate(&self) -> Rate {
        Rate { capacity: self.rooms_per_address_max, refill: Duration::from_millis(self.room_made_ms) }
    }

    pub(crate) fn failure_rate(&self) -> Rate {
        Rate {
            capacity: self.password_failures_max,
            refill: Duration::from_millis(self.password_forgiven_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked_and_named() {
        let good = HubConfig::default();
        assert_eq!(good.validate(), Ok(()));
        let table = [
            ("hosts", HubConfig { hosts: vec!["http://h".into()], ..good.clone() }),
            ("rooms_max", HubConfig { rooms_max: 0, ..good.clone() }),
            ("rooms_per_address_max", HubConfig { rooms_per_address_max: 0, ..good.clone() }),
            ("room_made_ms", HubConfig { room_made_ms: 0, ..good.clone() }),
            ("peers_per_room_max", HubConfig { peers_per_room_max: 1, ..good.clone() }),
            ("connections_max", HubConfig { connections_max: 0, ..good.clone() }),
            ("connections_per_address_max", HubConfig { connections_per_address_max: 0, ..good.clone() }),
            ("messages_per_second", HubConfig { messages_per_second: 0, ..good.clone() }),
            ("messages_burst_max", HubConfig { messages_burst_max: 0, ..good.clone() }),
            ("message_bytes_max", HubConfig { message_bytes_max: 1 << 20, ..good.clone() }),
            ("password_failures_max", HubConfig { password_failures_max: 0, ..good.clone() }),
            ("password_forgiven_ms", HubConfig { password_forgiven_ms: 0, ..good.clone() }),
            ("found_after_ms", HubConfig { found_after_ms: 60_000, ..good.clone() }),
            ("room_idle_ms", HubConfig { room_idle_ms: 0, ..good.clone() }),
            ("signal_ttl_ms", HubConfig { signal_ttl_ms: 0, ..good.clone() }),
            ("reconnect_ms", HubConfig { reconnect_ms: 1_000_000, ..good.clone() }),
            ("waiting_signals_max", HubConfig { waiting_signals_max: 5_000, ..good.clone() }),
            ("waiting_bytes_max", HubConfig { waiting_bytes_max: 1 << 30, ..good.clone() }),
            ("heartbeat_timeout_ms", HubConfig { heartbeat_timeout_ms: 0, ..good.clone() }),
            ("sweep_ms", HubConfig { sweep_ms: 0, ..good.clone() }),
            ("outgoing_messages_max", HubConfig { outgoing_messages_max: 0, ..good.clone() }),
            ("outgoing_bytes_max", HubConfig { outgoing_bytes_max: 0, ..good.clone() }),
            ("write_timeout_ms", HubConfig { write_timeout_ms: 0, ..good.clone() }),
        ];
        for (name, config) in table {
            assert_eq!(config.validate().unwrap_err().name, name);
        }
        assert!(serde_json::from_str::<HubConfig>(r#"{"room_max": 1}"#).is_err());
    }
}
