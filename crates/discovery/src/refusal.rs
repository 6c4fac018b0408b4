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
    /// Every further attempt would be a guess: tell people, and stay away until started again.
    Final,
}

impl Refusal {
    /// `proven`: what we show at the door has let us in before.
    pub(crate) fn of(code: ErrorCode, proven: bool) -> Self {
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
            // Somebody else may have set the password of a room that a hub had forgotten; it will be forgotten again.
            ErrorCode::WrongPassword if proven => Self::Lasting,
            ErrorCode::WrongPassword => Self::Final,
        }
    }
}
