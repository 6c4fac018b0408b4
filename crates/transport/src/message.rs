//! What the two ends of a link say to each other about the link itself ([`Protocol::Link`](meshwork_wire::Protocol::Link)
//! on the control channel).

use bytes::Bytes;
use meshwork_base::{NodeId, ReplicaId, SessionId, SpaceId};
use meshwork_identity::Signature;
use meshwork_wire::{WireError, decode, decode_prefix, encode};
use serde::{Deserialize, Serialize};

use crate::Refusal;

/// The version of these messages that this build speaks.
pub const LINK_VERSION: u16 = 1;

/// How much of a peer's own words is shown to people, in characters.
const WORDS_MAX: usize = 200;

/// One message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Message {
    /// Who I am; the first message of both sides. Its tag and version stay where they are in every version.
    Hello(Hello),
    /// Proof of what `Hello` says; the second message of both sides.
    Proof(Proof),
    /// Your proof holds. Payloads follow.
    Ready,
    /// Are you there?
    Ping {
        /// Comes back in the [`Message::Pong`].
        token: u64,
    },
    /// I am.
    Pong {
        /// From the [`Message::Ping`].
        token: u64,
    },
    /// The last message of a link.
    Bye(Farewell),
}

/// Who is at this end of the connection.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// [`LINK_VERSION`] of the sender.
    pub version: u16,
    /// The space that it wants to speak about.
    pub space: SpaceId,
    /// Its key.
    pub node: NodeId,
    /// The running process or tab.
    pub session: SessionId,
    /// The incarnation of its storage.
    pub replica: ReplicaId,
    /// Whether its storage outlives the process.
    pub durable: bool,
    /// Makes every transcript unlike all others.
    pub nonce: [u8; 32],
    /// The fingerprint of its own DTLS certificate, in lower case.
    pub certificate: String,
}

/// Proof of a [`Hello`], over the transcript of both.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Proof {
    /// By the node's key.
    pub signature: Signature,
    /// By the space's secret.
    pub mac: [u8; 32],
}

/// Why a link is closed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Farewell {
    /// The session ends.
    Leaving,
    /// The sender will have nothing to do with the receiver, for this reason.
    Refused(String),
}

impl Message {
    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        match encode(self) {
            Ok(bytes) => bytes.into(),
            Err(error) => unreachable!("a link message is short: {error}"),
        }
    }

    /// The message that `payload` encodes. A `Hello` of another version is refused by that version's number, whatever
    /// else may have changed in it.
    pub fn decode(payload: &[u8]) -> Result<Self, Refusal> {
        const HELLO: u32 = 0;
        match decode_prefix::<(u32, u16)>(payload) {
            Ok(((HELLO, found), _)) if found != LINK_VERSION => Err(Refusal::Version { found }),
            _ => Ok(decode(payload)?),
        }
    }
}

impl Farewell {
    /// A refusal, cut to a length that the other side shows whole.
    pub(crate) fn refused(reason: &str) -> Self {
        Self::Refused(words(reason))
    }
}

/// A peer's words, fit to be shown: short, and without control characters.
pub(crate) fn words(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(WORDS_MAX).collect()
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}
