//! What discovery can be told.

use meshwork_base::SessionId;

use crate::{HubId, ServerMessage, Signal};

/// One input.
#[derive(Clone, Debug)]
pub enum Input {
    /// Connect to every configured hub: at the beginning, and now rather than later where an attempt waits for its time.
    Start,
    /// The WebSocket to a hub is open.
    Opened {
        /// Which hub.
        hub: HubId,
    },
    /// The WebSocket to a hub is gone, or could not be opened.
    Closed {
        /// Which hub.
        hub: HubId,
        /// Why, for people.
        reason: String,
    },
    /// A message from a hub.
    Received {
        /// Which hub.
        hub: HubId,
        /// What it says.
        message: ServerMessage,
    },
    /// Carry a signal to a peer, by way of a hub that knows it.
    Signal {
        /// To whom.
        to: SessionId,
        /// What.
        signal: Signal,
    },
    /// Leave the room and close every connection.
    Stop,
}
