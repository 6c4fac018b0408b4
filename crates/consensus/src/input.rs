//! What consensus can be told.

use meshwork_base::{NodeId, ReplicaId, SessionId, Version};

use crate::Message;

/// One input.
#[derive(Clone, Debug)]
pub enum Input {
    /// This node stores under this incarnation from now on; earlier receipts of it are void.
    Incarnation {
        /// Its replica.
        replica: ReplicaId,
        /// Grows from one incarnation of a node to the next.
        epoch: u64,
    },
    /// Everything up to `version` is durable here.
    Stored {
        /// Up to where.
        version: Version,
    },
    /// A link is up.
    PeerUp {
        /// The session at its other end.
        peer: SessionId,
        /// Its node, as the handshake proved.
        node: NodeId,
    },
    /// A link is gone.
    PeerDown {
        /// The session at its other end.
        peer: SessionId,
    },
    /// A message from a linked peer.
    Received {
        /// Who sent it.
        from: SessionId,
        /// What it says.
        message: Message,
    },
}
