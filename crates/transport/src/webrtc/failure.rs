//! Why a connection ended.

use meshwork_wire::Channel;
use webrtc::error::Error;

/// Why a connection ended of itself. The text is for people.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("cannot set up a connection: {0}")]
    SetUp(Error),
    #[error("the other side's description is not usable: {0}")]
    Description(Error),
    #[error("the other side's description has {bytes} bytes, {max} are allowed")]
    DescriptionTooLong { bytes: usize, max: usize },
    #[error("the other side's description has {candidates} candidates, {max} are allowed")]
    DescriptionTooWide { candidates: usize, max: usize },
    #[error("not open within {0} ms")]
    OpenTimeout(u64),
    #[error("no way leads to the other side, or it has fallen silent")]
    Unreachable,
    #[error("the other side closed the connection")]
    ClosedByPeer,
    #[error("the other side opened a data channel `{0}` that does not belong to a link")]
    UnexpectedChannel(String),
    #[error("data channel `{0}` is not ordered")]
    UnorderedChannel(&'static str),
    #[error("data channel `{0}` is ordered, so that a late message would hold up later ones")]
    OrderedChannel(&'static str),
    #[error("cannot send on channel `{}`: {error}", channel.label())]
    Send { channel: Channel, error: Error },
    #[error("the certificates of the connection are unknown")]
    NoCertificates,
    #[error("the connection's driver stopped; its log says why")]
    DriverStopped,
    #[error("the WebRTC library panicked; please report it")]
    Panicked,
}
