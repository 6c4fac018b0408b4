//! What is wrong with a message.

/// Text that is not a message of the hub's protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Over the limit.
    #[error("the message has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// Not JSON, or not a message that this version knows.
    #[error("the message is malformed: {0}")]
    Malformed(String),
}
