//! What the log can be told.

use meshwork_base::{SessionId, WriteId};

use crate::{Message, NewOperation};

/// One input.
#[derive(Clone, Debug)]
pub enum Input {
    /// Local operations, in order, numbered for the current incarnation.
    Append(Vec<NewOperation>),
    /// A link is up; the handshake is done.
    PeerUp {
        /// The session at its other end.
        peer: SessionId,
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
    /// The link's queue is full: push nothing to this peer until it has drained.
    Congested {
        /// The session at its other end.
        peer: SessionId,
    },
    /// The link's queue has drained.
    Drained {
        /// The session at its other end.
        peer: SessionId,
    },
    /// The write is durable. Writes are answered in the order in which they were asked for.
    Persisted {
        /// Which.
        write: WriteId,
    },
    /// Compare versions with every linked peer now.
    Sync,
    /// Sign and store what is open, clear the durable mark, then say [`Effect::Closed`](crate::Effect::Closed).
    Close,
}
