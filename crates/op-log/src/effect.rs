//! What the log asks for.

use meshwork_base::{Dot, NodeId, ReplicaId, Row, SessionId, Version, WriteId};
use meshwork_wire::Channel;

use crate::{Message, Operation};

/// One effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Local operations are authored by this incarnation from now on. The first effect after opening, and again when
    /// the incarnation had to be retired.
    Incarnation(Incarnation),
    /// Make these rows durable together, then answer [`Input::Persisted`](crate::Input::Persisted).
    Persist {
        /// Names the write.
        write: WriteId,
        /// The rows.
        rows: Vec<Row>,
    },
    /// Send a message to a linked peer.
    Send {
        /// To whom.
        to: SessionId,
        /// On which lane.
        channel: Channel,
        /// What.
        message: Message,
    },
    /// Operations that are verified and causally ready, in causal order: those of others, and, while opening, all that
    /// were stored. Operations just appended are not delivered back.
    Deliver(Vec<Operation>),
    /// Forget all documents: every operation of the log is delivered again. (A fork of our own replica was cut off.)
    Rebuild,
    /// Everything up to `version` is durable here. Grows with every answered write.
    Stored {
        /// Up to where.
        version: Version,
    },
    /// A peer sent what no correct peer sends. Its link pays.
    Misbehaved {
        /// Who.
        peer: SessionId,
        /// What it did.
        reason: String,
    },
    /// Something that people may want to see.
    Event(Event),
    /// Everything is stored and the durable mark is cleared.
    Closed,
}

/// One incarnation of this node's storage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Incarnation {
    /// Its replica id.
    pub replica: ReplicaId,
    /// Grows from one incarnation of a node to the next (the wall clock in milliseconds at its birth, made monotonic).
    pub epoch: u64,
    /// The sequence of its next operation.
    pub next_sequence: u64,
}

/// What happened to the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// All that the peer had told us of is here, and the versions agreed.
    Synced {
        /// With whom.
        peer: SessionId,
    },
    /// One dot, two operations: the author lied to somebody. The replica is closed, the proof is kept and spread.
    Equivocation {
        /// The dot.
        dot: Dot,
        /// Who signed both.
        author: NodeId,
    },
    /// Operations have waited for long for others that no linked peer has. Said again when further ones do.
    Waiting {
        /// How many operations wait by now, for whatever reason.
        operations: u64,
        /// What is missing: the first few.
        dots: Vec<Dot>,
    },
    /// This node's replica was retired and a new one has begun.
    Retired {
        /// The old one.
        replica: ReplicaId,
        /// The last of its operations that this node keeps. It made those after it again under another replica.
        kept: u64,
        /// Why, for people.
        reason: String,
    },
}
