//! What transport can be told.

use meshwork_base::{Bytes, NodeId, ReplicaId, SessionId};
use meshwork_wire::{Channel, Protocol};

use crate::{Fingerprints, LinkId, Signal};

/// One input.
#[derive(Clone, Debug)]
pub enum Input {
    /// Handshakes name this incarnation from now on.
    Incarnation {
        /// Its replica.
        replica: ReplicaId,
    },
    /// A session worth a link.
    PeerFound {
        /// Which.
        session: SessionId,
        /// Its node, as the hub says.
        node: NodeId,
    },
    /// The session has left; a link that lives stays, a broken one is not tried again.
    PeerGone {
        /// Which.
        session: SessionId,
    },
    /// A signal from a peer, by way of discovery.
    Signal {
        /// From whom.
        from: SessionId,
        /// What.
        signal: Signal,
    },
    /// Send a payload to a linked peer.
    Send {
        /// To whom.
        to: SessionId,
        /// On which lane.
        channel: Channel,
        /// For which machine there.
        protocol: Protocol,
        /// What.
        payload: Bytes,
    },
    /// A machine found a peer misbehaving: count it, and cut the link at the configured number.
    Misbehaved {
        /// Who.
        peer: SessionId,
        /// What it did.
        reason: String,
    },
    /// Say goodbye on every link and close it.
    Close,
    /// Something happened to a connection.
    Connection {
        /// Which.
        link: LinkId,
        /// What.
        event: ConnectionEvent,
    },
}

/// What a performer tells of one connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConnectionEvent {
    /// The local description (SDP) is ready to be carried to the other side.
    Described(String),
    /// A local ICE candidate is ready to be carried to the other side.
    Candidate(String),
    /// All channels are open.
    Opened(Fingerprints),
    /// A frame came.
    Received {
        /// On which lane.
        channel: Channel,
        /// The bytes, untrusted.
        frame: Bytes,
    },
    /// A transmitted frame has left our hands: there is room for its bytes again.
    Sent {
        /// On which lane.
        channel: Channel,
        /// How many bytes.
        bytes: usize,
    },
    /// The connection is of no use any more.
    Closed {
        /// Why, for people.
        reason: String,
    },
}
