//! What cannot be said.

use meshwork_base::SessionId;

use crate::{CAPABILITIES_MAX, RUMOURS_MAX};

/// A value or a message that is refused. Nothing changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PresenceError {
    /// Too long a text.
    #[error("a {what} takes at most {limit} bytes, this one has {size}: shorten it")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// Its bytes.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// A text that would upset a terminal.
    #[error("a {0} takes no control characters: remove them")]
    Control(&'static str),
    /// A capability without a name.
    #[error("a capability needs a name")]
    Unnamed,
    /// Too many capabilities.
    #[error("a session takes at most {CAPABILITIES_MAX} capabilities, this one has {0}")]
    Capabilities(usize),
    /// Too many rumours in one message.
    #[error("a message takes at most {RUMOURS_MAX} rumours, this one has {0}")]
    Rumours(usize),
    /// A heartbeat in somebody else's name.
    #[error("a heartbeat in the name of session {0}, which is not the sender")]
    Impersonation(SessionId),
}
