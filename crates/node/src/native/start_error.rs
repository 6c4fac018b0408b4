//! Why a node does not start.

use meshwork_base::{ConfigError, SpaceId};
use meshwork_identity::{InvitationError, PasswordError};
use meshwork_op_log::OpenError;
use meshwork_storage::StorageError;

use super::profile::ProfileError;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A call that cannot be meant.
    #[error("{0}")]
    Usage(String),
    /// A setting out of its range.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// Not an invitation.
    #[error(transparent)]
    Invitation(#[from] InvitationError),
    /// Not a password.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The data directory's profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The data directory's store.
    #[error("{0}{then}", then = then(.0))]
    Storage(#[from] StorageError),
    /// What the store holds.
    #[error("the log in {directory} cannot be used: {source}")]
    Log {
        /// The data directory.
        directory: String,
        /// Why.
        source: OpenError,
    },
    /// An invitation to another space than the data directory belongs to.
    #[error(
        "the data directory belongs to space {member}, the invitation leads to space {invited}; use another --data for it"
    )]
    OtherSpace {
        /// The directory's.
        member: SpaceId,
        /// The invitation's.
        invited: SpaceId,
    },
    /// Not the password with which the data directory's space was joined.
    #[error("wrong password: the space of this data directory was joined with another one")]
    WrongPassword,
    /// The hub does not let us in.
    #[error("the hub refuses: {0}")]
    Refused(String),
    /// The connector could not be made.
    #[error("cannot make connections: {0}")]
    Connector(String),
    /// The operating system gives no randomness or no thread.
    #[error("the operating system refuses: {0}")]
    System(String),
    /// The thread ended before the node had started.
    #[error("the node ended before it had started; its log says why")]
    Ended,
}

/// A node that runs goes on by itself once there is room; this one did not start.
fn then(error: &StorageError) -> &'static str {
    if matches!(error, StorageError::Full { .. }) { ", then start again" } else { "" }
}
