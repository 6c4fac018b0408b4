//! What a whole node can be told.

use meshwork_base::{Bytes, DocumentId, WriteId};
use meshwork_crdt_state::{Edit, RequestId};
use meshwork_discovery::{HubId, ServerMessage};
use meshwork_transport::{ConnectionEvent, LinkId};

/// One input, from the application or from a performer.
#[derive(Clone, Debug)]
pub enum Input {
    /// The application wants something.
    Command(Command),
    /// A connection tells something.
    Connection {
        /// Which.
        link: LinkId,
        /// What.
        event: ConnectionEvent,
    },
    /// A hub's WebSocket tells something.
    Hub {
        /// Which.
        hub: HubId,
        /// What.
        event: HubEvent,
    },
    /// A write is durable, and so is every write before it.
    Persisted {
        /// Which.
        write: WriteId,
    },
}

/// What an application can ask of a node.
#[derive(Clone, Debug)]
pub enum Command {
    /// Connect to the hubs: at the beginning, and again at once when the network is back.
    Start,
    /// One transaction on one document.
    Edit {
        /// Comes back in [`Effect::Edited`](crate::Effect::Edited).
        request: RequestId,
        /// Which document.
        document: DocumentId,
        /// What to change, in order.
        edits: Vec<Edit>,
    },
    /// Several transactions on one document, one after the other.
    EditMany {
        /// Comes back in [`Effect::EditedMany`](crate::Effect::EditedMany).
        request: RequestId,
        /// Which document.
        document: DocumentId,
        /// What to change, in order.
        transactions: Vec<Vec<Edit>>,
    },
    /// Compare versions with every linked peer now.
    Sync,
    /// Show another status to the others.
    SetStatus(String),
    /// This process cannot keep its heartbeat for now, or can again.
    SetAway(bool),
    /// Show the others a value for a while, in place of the one under the same key. It is not stored. One that breaks a
    /// bound is answered by [`Event::EphemeralRefused`](crate::Event::EphemeralRefused).
    SetEphemeral {
        /// Its key.
        key: String,
        /// It.
        value: Bytes,
        /// How long it lives, in milliseconds.
        ttl_ms: u64,
    },
    /// Show a value no longer.
    ClearEphemeral {
        /// Its key.
        key: String,
    },
    /// Store everything, say goodbye, stop.
    Close,
    /// Say goodbye to everybody now, whatever is still to be stored: for a host that is about to be gone, as a browser's
    /// page is. Give [`Close`](Self::Close) before it.
    Depart,
}

/// What happens to a WebSocket.
#[derive(Clone, Debug)]
pub enum HubEvent {
    /// It is open.
    Opened,
    /// It is gone, or could not be opened.
    Closed {
        /// Why, for people.
        reason: String,
    },
    /// A message came.
    Received(ServerMessage),
}
