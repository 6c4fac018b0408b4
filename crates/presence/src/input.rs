//! What presence can be told.

use meshwork_base::{NodeId, SessionId};

use crate::Message;

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
    /// Say goodbye to everybody.
    Leave,
}
