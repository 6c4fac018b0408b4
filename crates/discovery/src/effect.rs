//! What discovery asks for.

use meshwork_base::{NodeId, SessionId, SpaceId};
use url::Url;

use crate::{ClientMessage, HubId, Signal};

/// One effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Open a WebSocket to a hub.
    Open {
        /// Which hub.
        hub: HubId,
        /// Where: `ws://` or `wss://`.
        url: Url,
    },
    /// Send a message to a hub.
    Send {
        /// Which hub.
        hub: HubId,
        /// What.
        message: ClientMessage,
    },
    /// Close the WebSocket to a hub, after what was sent before. Nothing more of it is reported: no `Closed`, no
    /// `Received`.
    Close {
        /// Which hub.
        hub: HubId,
    },
    /// A session is in the room.
    PeerFound {
        /// Which.
        session: SessionId,
        /// Its node, as it proved to the hub. The link's handshake proves it to us.
        node: NodeId,
    },
    /// A session has left the room on every hub that knew it. An existing link is not touched.
    PeerGone {
        /// Which.
        session: SessionId,
    },
    /// A signal from a peer.
    Signal {
        /// From whom.
        from: SessionId,
        /// What.
        signal: Signal,
    },
    /// Something that people may want to see.
    Event(Event),
}

/// What happened with a hub.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// In the room.
    Joined {
        /// Which hub.
        hub: HubId,
        /// The space that lives in the room. A session without a space of its own takes it over.
        space: SpaceId,
    },
    /// Not reachable for now; the next attempt is scheduled.
    Unreachable {
        /// Which hub.
        hub: HubId,
        /// Why, for people.
        reason: String,
        /// When the next attempt is made, in milliseconds from now.
        retry_in_ms: u64,
    },
    /// The hub refuses us, and trying again will not help.
    Refused {
        /// Which hub.
        hub: HubId,
        /// Why, for people.
        reason: String,
    },
}
