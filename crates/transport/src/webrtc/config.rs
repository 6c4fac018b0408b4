//! The settings of the WebRTC performer.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use meshwork_base::ConfigError;
use serde::{Deserialize, Serialize};

/// How connections are made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebRtcConfig {
    /// Addresses at which each connection binds a UDP socket, and which it offers as candidates. A wildcard
    /// means one socket for every interface of that family, *without* loopback. Add `::` for IPv6.
    pub bind: Vec<IpAddr>,
    /// STUN and TURN servers.
    pub ice_servers: Vec<IceServer>,
    /// The pause between two rounds of connectivity checks, in milliseconds.
    pub ice_check_ms: u64,
    /// Silence after which ICE calls a connection disconnected, in milliseconds.
    pub ice_disconnected_ms: u64,
    /// Further silence after which it has failed and is closed, in milliseconds.
    pub ice_failed_ms: u64,
    /// The pause between two keep-alives, in milliseconds.
    pub ice_keep_alive_ms: u64,
    /// How long a connection may take to open, counted from its making, in milliseconds.
    pub open_ms: u64,
    /// What may be in flight on one channel, in bytes. More than 64 KiB wants a larger
    /// `receive_buffer_bytes` on the other side.
    pub send_buffer_bytes: usize,
    /// The kernel's receive buffer of each socket, in bytes, as far as the system permits.
    pub receive_buffer_bytes: usize,
}

impl Default for WebRtcConfig {
    fn default() -> Self {
        Self {
            bind: vec![Ipv4Addr::LOCALHOST.into(), Ipv4Addr::UNSPECIFIED.into()],
            ice_servers: Vec::new(),
            // The library's 200 ms would be most of the time that a connection takes.
            ice_check_ms: 20,
            // The library's 5, 25 and 2 s would notice a killed peer after half a minute.
            ice_disconnected_ms: 1_000,
            ice_failed_ms: 2_000,
            ice_keep_alive_ms: 500,
            open_ms: 30_000,
            // Beyond what the other side's kernel holds, SCTP loses packets and waits a second for its timer.
            send_buffer_bytes: 64 * 1024,
            receive_buffer_bytes: 1024 * 1024,
        }
    }
}

impl WebRtcConfig {
    /// Checks that every value is in its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check("bind (addresses)", self.bind.len(), 1..=16)?;
        ConfigError::check("ice_servers (servers)", self.ice_servers.len(), 0..=16)?;
        for server in &self.ice_servers {
            server.validate()?;
        }
        ConfigError::check("ice_check_ms", self.ice_check_ms, 5..=1_000)?;
        ConfigError::check("ice_disconnected_ms", self.ice_disconnected_ms, 100..=60_000)?;
        ConfigError::check("ice_failed_ms", self.ice_failed_ms, 100..=60_000)?;
        ConfigError::check("ice_keep_alive_ms", self.ice_keep_alive_ms, 50..=10_000)?;
        ConfigError::check("open_ms", self.open_ms, 100..=600_000)?;
        ConfigError::check("send_buffer_bytes", self.send_buffer_bytes, 1024..=16 * 1024 * 1024)?;
        ConfigError::check("receive_buffer_bytes", self.receive_buffer_bytes, 4096..=64 * 1024 * 1024)
    }
}

/// A STUN or TURN server.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IceServer {
    /// Where it is: `stun:host:port`, `turn:host:port?transport=udp`.
    pub urls: Vec<String>,
    /// The user's name, for TURN.
    pub username: String,
    /// The user's password, for TURN.
    pub credential: String,
}

impl IceServer {
    fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check("ice_servers.urls (addresses)", self.urls.len(), 1..=16)?;
        for url in &self.urls {
            let known = ["stun:", "stuns:", "turn:", "turns:"].iter().any(|scheme| url.starts_with(scheme));
            if !known {
                return Err(ConfigError {
                    name: "ice_servers.urls".into(),
                    value: url.clone(),
                    allowed: "addresses like `stun:host:3478` and `turn:host:3478`".into(),
                });
            }
            if url.starts_with("turn") && (self.username.is_empty() || self.credential.is_empty()) {
                return Err(ConfigError {
                    name: "ice_servers.username".into(),
                    value: format!("incomplete for `{url}`"),
                    allowed: "a name and a credential for every TURN server".into(),
                });
            }
        }
        Ok(())
    }
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The credential stays out of logs.
        f.debug_struct("IceServer")
            .field("urls", &self.urls)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_bad_settings_are_named() {
        assert_eq!(WebRtcConfig::default().validate(), Ok(()));

        let name = |config: WebRtcConfig| config.validate().unwrap_err().name;
        assert_eq!(name(WebRtcConfig { bind: vec![], ..Default::default() }), "bind (addresses)");
        assert_eq!(name(WebRtcConfig { ice_check_ms: 0, ..Default::default() }), "ice_check_ms");
        let server = |url: &str| WebRtcConfig {
            ice_servers: vec![IceServer { urls: vec![url.into()], ..Default::default() }],
            ..Default::default()
        };
        assert_eq!(server("stun:example.org:3478").validate(), Ok(()));
        assert_eq!(name(server("http://example.org")), "ice_servers.urls");
        assert_eq!(name(server("turn:example.org:3478")), "ice_servers.username");
    }

    #[test]
    fn a_credential_is_not_shown() {
        let server = IceServer { credential: "secret".into(), ..Default::default() };
        assert!(!format!("{server:?}").contains("secret"));
    }
}
