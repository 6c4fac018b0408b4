//! What to do when a hub says no.

use crate::ErrorCode;

/// How a session goes on after an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// Only this one message was in vain.
    None,
    /// It will pass: try again with the usual backoff.
    Passing,
    /// Somebody has to change something, here or there: tell people, and look again after `refused_retry_ms`.
    Lasting,
    /// Trying again would do harm: tell people, and stay away until started again.
    Final,
}

impl Refusal {
    pub(crate) fn of(code: ErrorCode) -> Self {
        match code {
            ErrorCode::UnknownPeer => Self::None,
            ErrorCode::TooFast
            | ErrorCode::Replaced
            | ErrorCode::TooManyFailures
            | ErrorCode::RoomFull
            | ErrorCode::RoomsFull
            | ErrorCode::HubFull
            | ErrorCode::TooManyConnections
            | ErrorCode::HeartbeatTimeout => Self::Passing,
            ErrorCode::Malformed
            | ErrorCode::TooLarge
            | ErrorCode::Unexpected
            | ErrorCode::BadSignature
            | ErrorCode::WrongHost
            | ErrorCode::SessionTaken
            | ErrorCode::SpaceMismatch
            | ErrorCode::Unknown => Self::Lasting,
            ErrorCode::WrongPassword => Self::Final,
        }
    }
}
