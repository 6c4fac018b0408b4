//! What presence can be told.

use meshwork_base::{Bytes, NodeId, SessionId};

use crate::{Datagram, Message};

/// One input.
#[derive(Clone, Debug)]
pub enum Input {
    /// A link is up.
    PeerUp {
        /// The session at its other end.
        peer: SessionId,
        /// Its node, as the handshake proved.
        node: NodeId,
    },
    /// A link is gone. The member is not, unless `left`.
    PeerDown {
        /// The session at its other end.
        peer: SessionId,
        /// It said goodbye.
        left: bool,
    },
    /// A message from a linked peer.
    Received {
        /// Who sent it.
        from: SessionId,
        /// What it says.
        message: Message,
    },
    /// Show another status to the others.
    SetStatus(String),
    /// This process cannot keep its heartbeat for now (a background tab), or can again.
    SetAway(bool),
    /// Show the others a value for a while, in place of the one under the same key.
    SetValue {
        /// Its key.
        key: String,
        /// It.
        value: Bytes,
        /// How long it lives, in milliseconds.
        ttl_ms: u64,
    },
    /// Show a value no longer.
    ClearValue {
        /// Its key.
        key: String,
    },
    /// What a linked peer shows.
    Seen {
        /// Who sent it.
        from: SessionId,
        /// What it says.
        datagram: Datagram,
    },
    /// Say goodbye to everybody.
    Leave,
}
