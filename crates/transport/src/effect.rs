//! What transport asks for.

use std::fmt;

use meshwork_base::{Bytes, NodeId, ReplicaId, SessionId};
use meshwork_wire::{Channel, Protocol};

use crate::{LinkId, Signal};

/// One effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Ask the performer to do something with a connection.
    Connection {
        /// Which.
        link: LinkId,
        /// What.
        action: ConnectionAction,
    },
    /// Carry a signal to a peer, by way of discovery.
    Signal {
        /// To whom.
        to: SessionId,
        /// What.
        signal: Signal,
    },
    /// A payload from a linked peer, for the machine that `protocol` names.
    Deliver {
        /// From whom.
        from: SessionId,
        /// For which machine.
        protocol: Protocol,
        /// What, untrusted.
        payload: Bytes,
    },
    /// A link is up, its handshake done.
    PeerUp(Peer),
    /// A link is gone.
    PeerDown {
        /// The session at its other end.
        peer: SessionId,
        /// It said goodbye.
        left: bool,
        /// Why, for people.
        reason: String,
    },
    /// The peer's queue is full: nothing more on `live` or `bulk` until it has drained.
    Congested {
        /// Whose.
        peer: SessionId,
    },
    /// The peer's queue has drained.
    Drained {
        /// Whose.
        peer: SessionId,
    },
    /// Something that people may want to see.
    Event(Event),
}

/// What a performer is asked to do with one connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConnectionAction {
    /// Make a connection and describe it as the offering side.
    Offer,
    /// Make a connection for this offer and describe the answer.
    Answer {
        /// The offer's SDP.
        offer: String,
    },
    /// Take the answer to our offer.
    Accept {
        /// The answer's SDP.
        answer: String,
    },
    /// Take a candidate of the other side.
    AddCandidate(String),
    /// Send a frame. At most [`IN_FLIGHT_BYTES_MAX`](crate::IN_FLIGHT_BYTES_MAX) are outstanding on a channel.
    Transmit {
        /// On which lane.
        channel: Channel,
        /// The bytes.
        frame: Bytes,
    },
    /// Close the connection and forget it. No event follows.
    Close,
}

/// Who is at the other end of a link, as its handshake proved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// The running process or tab.
    pub session: SessionId,
    /// The key that signed the handshake.
    pub node: NodeId,
    /// The incarnation of its storage.
    pub replica: ReplicaId,
    /// Whether its storage outlives the process.
    pub durable: bool,
    /// From both descriptions applied to channels open, in microseconds.
    pub connect_us: u64,
}

/// What happened to links.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// An attempt failed; the stage says where.
    ConnectFailed {
        /// With whom.
        peer: SessionId,
        /// How far it came.
        stage: Stage,
        /// Why, for people.
        reason: String,
        /// When the next attempt is made, in milliseconds from now; `None` when there will be none.
        retry_in_ms: Option<u64>,
    },
    /// A peer broke the rules.
    Misbehaved {
        /// Who.
        peer: SessionId,
        /// What it did.
        reason: String,
        /// It cost the peer its link.
        cut: bool,
    },
    /// A peer was found, but the configured number of links is reached.
    LinksFull {
        /// Whom we do not dial.
        peer: SessionId,
    },
}

/// How far an attempt to link came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Descriptions are being exchanged through the hub.
    Signalling,
    /// Candidates are being tried.
    Connecting,
    /// Channels are open; keys and the space secret are being proved.
    Handshake,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signalling => "signalling",
            Self::Connecting => "connecting",
            Self::Handshake => "handshake",
        })
    }
}
