//! The lanes of a link, and who reads what.

use crate::WireError;
use serde::{Deserialize, Serialize};

/// A data channel of a link. The first three are reliable and ordered, and neither of the first two waits behind a long
/// transfer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Channel {
    /// Handshake, pings, receipts, presence, digests.
    Control,
    /// New operations.
    Live,
    /// Catching up.
    Bulk,
    /// Ephemeral values: unordered, and what is lost is not sent again. Its frames are [datagrams](crate::seal_datagram).
    Lossy,
}

impl Channel {
    /// All of them, in the order in which a link opens them.
    pub const ALL: [Self; 4] = [Self::Control, Self::Live, Self::Bulk, Self::Lossy];

    /// Those on which everything arrives, in order.
    pub const RELIABLE: [Self; 3] = [Self::Control, Self::Live, Self::Bulk];

    /// The label of the data channel.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Live => "live",
            Self::Bulk => "bulk",
            Self::Lossy => "lossy",
        }
    }

    /// Its position in [`Channel::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Which machine an envelope is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Protocol {
    /// Handshake and pings: the link itself.
    Link = 1,
    /// Operations and anti-entropy.
    OpLog = 2,
    /// Who is here.
    Presence = 3,
    /// Durability receipts.
    Consensus = 4,
    /// What those who are here show for a while; the only one on the lossy channel, and only there.
    Ephemeral = 5,
}

impl TryFrom<u8> for Protocol {
    type Error = WireError;

    fn try_from(byte: u8) -> Result<Self, WireError> {
        [Self::Link, Self::OpLog, Self::Presence, Self::Consensus, Self::Ephemeral]
            .into_iter()
            .find(|protocol| *protocol as u8 == byte)
            .ok_or(WireError::Protocol(byte))
    }
}
