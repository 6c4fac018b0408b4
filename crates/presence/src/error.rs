//! What cannot be said.

use meshwork_base::SessionId;

use crate::{CAPABILITIES_MAX, HEARS_MAX, RUMOURS_MAX};

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
    /// A list of sessions that the sender hears, not as it has to be.
    #[error("a list of heard sessions is out of order, or over {HEARS_MAX}")]
    Hears,
    /// A value without a key.
    #[error("a value needs a key")]
    NoKey,
    /// Too many values.
    #[error(
        "a session shows at most {limit} values, this would be {count}: clear some, or put several into one"
    )]
    Values {
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// Too much in all values together.
    #[error("the values of a session take at most {limit} bytes, these would take {size}: clear some")]
    SessionBytes {
        /// All keys and values.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Too short or too long a life.
    #[error("a value lives {least} to {most} ms, not {ttl_ms}")]
    Ttl {
        /// The time to live.
        ttl_ms: u64,
        /// The shortest.
        least: u64,
        /// The longest.
        most: u64,
    },
    /// Counters of values that do not descend, or a value that has none.
    #[error("the counters of its values make no sense")]
    Counters,
    /// Two different sets of values under one number.
    #[error("its values in version {0} are not what they were in the same version")]
    TwoVersions(u64),
    /// Two living values under one key.
    #[error("two of its values have the key `{0}`")]
    TwoValues(String),
    /// A heartbeat in somebody else's name.
    #[error("a heartbeat in the name of session {0}, which is not the sender")]
    Impersonation(SessionId),
}
