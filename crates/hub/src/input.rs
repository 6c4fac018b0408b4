//! What a hub can be told.

use std::net::IpAddr;

use meshwork_discovery::ErrorCode;

/// A WebSocket. Never used twice by one hub.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionId(pub u64);

/// One input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// Somebody connected.
    Connected {
        /// Which connection this is from now on.
        connection: ConnectionId,
        /// From where.
        address: IpAddr,
    },
    /// Text came, untrusted and undecoded.
    Received {
        /// On which connection.
        connection: ConnectionId,
        /// The text.
        message: String,
    },
    /// Something came that the protocol has no word for, such as a ping or a part of a text. It counts as a message.
    NothingSaid {
        /// On which connection.
        connection: ConnectionId,
    },
    /// The server itself saw a violation, such as a frame too large to read.
    Violated {
        /// On which connection.
        connection: ConnectionId,
        /// What.
        code: ErrorCode,
    },
    /// The connection is gone.
    Disconnected {
        /// Which.
        connection: ConnectionId,
    },
}
