//! Why the other end of a connection is not let in.

use meshwork_base::{NodeId, SessionId, SpaceId};
use meshwork_wire::WireError;

use crate::LINK_VERSION;

/// A handshake that fails, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It speaks another version.
    #[error("it speaks link version {found}, this build speaks {LINK_VERSION}; upgrade the older side")]
    Version {
        /// Its version.
        found: u16,
    },
    /// It is in another space.
    #[error(
        "the room leads to another space ({found}, ours is {ours}); ask its members for a new invitation"
    )]
    Space {
        /// Its space.
        found: SpaceId,
        /// Our space.
        ours: SpaceId,
    },
    /// It does not know the space's secret, or we do not.
    #[error(
        "wrong password or invitation: its secret of the space is not ours; compare them with its members"
    )]
    Secret,
    /// The signature does not belong to the key and the transcript.
    #[error("the signature of node {node} does not hold for this connection; something on the way alters it")]
    Signature {
        /// The key that it claims.
        node: NodeId,
    },
    /// Another node than the hub announced.
    #[error("the hub announced node {announced}, but node {found} answered; do not trust this hub")]
    Node {
        /// As the hub says.
        announced: NodeId,
        /// As the handshake says.
        found: NodeId,
    },
    /// Another session than the one that sent the signals.
    #[error("signals came from session {expected}, but session {found} answered; do not trust this hub")]
    Session {
        /// Whose signals.
        expected: SessionId,
        /// As the handshake says.
        found: SessionId,
    },
    /// The certificate is not the one that the peer showed.
    #[error("its certificate was substituted on the way; do not trust this hub")]
    Certificate,
    /// The performer could not tell the certificates.
    #[error("the certificates of this connection are not known, so it cannot be proved")]
    NoCertificate,
    /// It is us.
    #[error("this is our own session")]
    Itself,
    /// Its node misbehaved a short while ago.
    #[error("node {node} misbehaved and is ignored for a while")]
    Banned {
        /// Whose key.
        node: NodeId,
    },
    /// Something that has no place at this point.
    #[error("it sent {0}")]
    OutOfTurn(&'static str),
    /// Its bytes make no sense.
    #[error(transparent)]
    Wire(WireError),
    /// It refuses us.
    #[error("it refuses us: {0}")]
    ByPeer(String),
}

impl Refusal {
    /// Whether only a peer that breaks the rules can be the cause.
    pub(crate) fn is_misbehaviour(&self) -> bool {
        match self {
            Self::Wire(error) => !matches!(error, WireError::Version { .. }),
            Self::Signature { .. } | Self::OutOfTurn(_) => true,
            _ => false,
        }
    }
}
