//! What a hub tells people when something is not done.

use meshwork_discovery::ErrorCode;

use crate::HubConfig;

/// A hub that cannot be started.
#[cfg(feature = "native")]
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] meshwork_base::ConfigError),
    /// Somebody else has the port.
    #[error("{address} is in use by another program{}", suggest(.free))]
    PortInUse {
        /// What was asked for.
        address: std::net::SocketAddr,
        /// A port nearby that is free.
        free: Option<u16>,
    },
    /// The address cannot be listened on for another reason.
    #[error(
        "cannot listen on {address}: {source}; choose an address of this machine, or 0.0.0.0 for all of them"
    )]
    Listen {
        /// What was asked for.
        address: std::net::SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The server broke down.
    #[error("the hub's server stopped: {0}")]
    Server(#[from] std::io::Error),
    /// There is no page to serve.
    #[error("cannot serve the page in {directory}: {source}; `cargo xtask web` builds it into target/page")]
    Page {
        /// Where it was looked for.
        directory: String,
        /// What is wrong.
        source: std::io::Error,
    },
    /// No randomness.
    #[error("the operating system gives no random bytes: {0}")]
    Random(String),
}

#[cfg(feature = "native")]
fn suggest(free: &Option<u16>) -> String {
    match free {
        Some(port) => format!("; port {port} is free, or use port 0 for any free one"),
        None => "; use port 0 for any free one".into(),
    }
}

/// The code, for people, with what to do about it.
pub(crate) fn explain(code: ErrorCode, config: &HubConfig) -> String {
    match code {
        ErrorCode::Malformed => {
            "this is not a message of the hub's protocol: update the older of the two".into()
        }
        ErrorCode::TooLarge => format!("a message takes at most {} bytes", config.message_bytes_max),
        ErrorCode::TooFast => {
            format!("a connection may send {} messages a second", config.messages_per_second)
        }
        ErrorCode::Unexpected => "this message makes no sense here: authenticate, join, then signal".into(),
        ErrorCode::BadSignature => {
            "the signature does not fit the challenge, the host and the session".into()
        }
        ErrorCode::WrongHost => {
            format!(
                "this hub goes by other names: use {}, or have yours added to `hosts`",
                config.hosts.join(" or ")
            )
        }
        ErrorCode::SessionTaken => {
            "this session id belongs to another node: start again with a new one".into()
        }
        ErrorCode::Replaced => "this session connected again elsewhere".into(),
        ErrorCode::WrongPassword => "wrong password for this room (or it has none, and one was given)".into(),
        ErrorCode::TooManyFailures => "too many wrong passwords from this address: wait some minutes".into(),
        ErrorCode::SpaceMismatch => {
            "this room belongs to another space: use another code, or an invitation".into()
        }
        ErrorCode::RoomFull => format!("the room is full: it takes {} sessions", config.peers_per_room_max),
        ErrorCode::RoomsFull => {
            "the hub has no room left, or your address made too many: try later, or use another hub".into()
        }
        ErrorCode::HubFull => "the hub takes no more connections: try later, or use another hub".into(),
        ErrorCode::TooManyConnections => {
            format!("an address may have {} connections", config.connections_per_address_max)
        }
        ErrorCode::UnknownPeer => "no such session in this room, or too much waits for it: try again".into(),
        ErrorCode::HeartbeatTimeout => format!("no message for {} milliseconds", config.heartbeat_timeout_ms),
        ErrorCode::Unknown => "refused".into(),
    }
}
