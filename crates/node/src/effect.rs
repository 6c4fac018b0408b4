//! What a whole node asks of its host.

use meshwork_base::{Dot, Row, Version, WriteId};
use meshwork_crdt_state::{EditError, RequestId};
use meshwork_discovery::{ClientMessage, HubId};
use meshwork_op_log::Incarnation;
use meshwork_transport::{ConnectionAction, LinkId};
use url::Url;

use crate::Event;

/// One effect, for a performer or for the application.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Make these rows durable together, then answer [`Input::Persisted`](crate::Input::Persisted).
    Persist {
        /// Names the write.
        write: WriteId,
        /// The rows.
        rows: Vec<Row>,
    },
    /// Do something with a connection.
    Connection {
        /// Which.
        link: LinkId,
        /// What.
        action: ConnectionAction,
    },
    /// Do something with a hub's WebSocket.
    Hub {
        /// Which.
        hub: HubId,
        /// What.
        action: HubAction,
    },
    /// The answer to an edit.
    Edited {
        /// Which edit.
        request: RequestId,
        /// The operation it became, or why not.
        result: Result<Dot, EditError>,
    },
    /// The answers to several transactions.
    EditedMany {
        /// Which.
        request: RequestId,
        /// For each transaction the operation it became, or why not.
        results: Vec<Result<Dot, EditError>>,
    },
    /// Operations are authored by this incarnation from now on.
    Incarnation(Incarnation),
    /// Everything up to `version` is durable here.
    Stored {
        /// Up to where.
        version: Version,
    },
    /// Tell the application.
    Event(Event),
    /// Everything is stored; links are being closed.
    Closed,
}

/// What to do with a WebSocket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HubAction {
    /// Open it.
    Open {
        /// Where: `ws://` or `wss://`.
        url: Url,
    },
    /// Send a message.
    Send(ClientMessage),
    /// Close it.
    Close,
}
