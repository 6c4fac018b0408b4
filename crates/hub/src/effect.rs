//! What a hub asks for.

use meshwork_discovery::ServerMessage;

use crate::ConnectionId;

/// One effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Send a message.
    Send {
        /// On which connection.
        connection: ConnectionId,
        /// What.
        message: ServerMessage,
    },
    /// Close a connection, after what was sent before. The hub has forgotten it; `Disconnected` need not follow.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why, for people.
        reason: String,
    },
}
