//! What sessions and hubs say to each other: JSON text on a WebSocket, one message each.
//!
//! Numbers are written as text: JSON has only doubles, which do not hold 64 bits.

use meshwork_base::{NodeId, SessionId, SpaceId};
use meshwork_identity::{RoomAccess, RoomCode, Signature};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{MessageError, Nonce, hex};

/// The version of this protocol.
pub const PROTOCOL: u64 = 1;

/// The longest message to a hub, in bytes.
pub const CLIENT_MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// The longest message from a hub, in bytes. (A list of peers may be longer than any signal.)
pub const SERVER_MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// The longest name of a session, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// What a session says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ClientMessage {
    /// Answers the challenge.
    Authenticate {
        /// The key that signs.
        node: NodeId,
        /// The running process or tab. The same session authenticating again replaces its older connection.
        session: SessionId,
        /// What to show to people.
        name: String,
        /// The hub's host as the session knows it.
        host: String,
        /// Over [`challenge_transcript`](crate::challenge_transcript).
        #[serde(with = "hex")]
        signature: Signature,
    },
    /// Enters a room, and creates it if nobody is there.
    Join {
        /// Which.
        room: RoomCode,
        /// The session's space: the room takes it over if it has none yet.
        space: SpaceId,
        /// The session has no space of its own (`space` is a fresh one): if the room has another, it adopts that.
        adopt: bool,
        /// Opens a room with a password; whoever creates a room sets it.
        #[serde(default, with = "hex::optional", skip_serializing_if = "Option::is_none")]
        access: Option<RoomAccess>,
    },
    /// Carry an offer.
    Offer {
        /// To whom.
        to: SessionId,
        /// See [`Signal`](crate::Signal).
        #[serde(with = "decimal")]
        attempt: u64,
        /// The offer.
        body: String,
    },
    /// Carry an answer.
    Answer {
        /// To whom.
        to: SessionId,
        /// See [`Signal`](crate::Signal).
        #[serde(with = "decimal")]
        attempt: u64,
        /// The answer.
        body: String,
    },
    /// Carry a candidate.
    Candidate {
        /// To whom.
        to: SessionId,
        /// See [`Signal`](crate::Signal).
        #[serde(with = "decimal")]
        attempt: u64,
        /// The candidate.
        body: String,
    },
    /// Still here; the hub answers.
    Heartbeat,
    /// Leaves the room.
    Leave,
}

/// A session in a room.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RoomPeer {
    /// The running process or tab.
    pub session: SessionId,
    /// Its node, as it proved to the hub.
    pub node: NodeId,
    /// What to show to people.
    pub name: String,
}

/// What a hub says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ServerMessage {
    /// The first word on every connection.
    Challenge {
        /// What to sign.
        #[serde(with = "hex")]
        nonce: Nonce,
        /// The [version](PROTOCOL) that the hub speaks.
        #[serde(with = "decimal")]
        protocol: u64,
        /// The hub's release, for people.
        hub: String,
    },
    /// The signature is good.
    Authenticated,
    /// In the room.
    Joined {
        /// The space that lives there.
        space: SpaceId,
        /// Who else is there.
        peers: Vec<RoomPeer>,
    },
    /// Somebody came.
    PeerJoined {
        /// Who.
        peer: RoomPeer,
    },
    /// Somebody left.
    PeerLeft {
        /// Who.
        session: SessionId,
    },
    /// An offer.
    Offer {
        /// From whom.
        from: SessionId,
        /// See [`Signal`](crate::Signal).
        #[serde(with = "decimal")]
        attempt: u64,
        /// The offer.
        body: String,
    },
    /// An answer.
    Answer {
        /// From whom.
        from: SessionId,
        /// See [`Signal`](crate::Signal).
        #[serde(with = "decimal")]
        attempt: u64,
        /// The answer.
        body: String,
    },
    /// A candidate.
    Candidate {
        /// From whom.
        from: SessionId,
        /// See [`Signal`](crate::Signal).
        #[serde(with = "decimal")]
        attempt: u64,
        /// The candidate.
        body: String,
    },
    /// Answers a heartbeat.
    HeartbeatAck,
    /// Something was not done. Every code but `unknown-peer` is followed by the end of the connection.
    Error {
        /// What, for programs.
        code: ErrorCode,
        /// What, for people.
        message: String,
    },
}

/// What a hub refuses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// Not a message.
    Malformed,
    /// A message over the limit.
    TooLarge,
    /// More messages than allowed.
    TooFast,
    /// A message that makes no sense at this point.
    Unexpected,
    /// A signature that does not verify.
    BadSignature,
    /// The session knows the hub under a name that is not its own.
    WrongHost,
    /// The session id belongs to another node.
    SessionTaken,
    /// The same session connected again.
    Replaced,
    /// The room has another password, or none.
    WrongPassword,
    /// Too many wrong passwords from this address.
    TooManyFailures,
    /// Another space lives in the room.
    SpaceMismatch,
    /// The room has no seat left.
    RoomFull,
    /// The hub has no room left.
    RoomsFull,
    /// The hub takes no more connections.
    HubFull,
    /// Too many connections from this address.
    TooManyConnections,
    /// No such session in the room; the connection lives on.
    UnknownPeer,
    /// No sign of life for too long.
    HeartbeatTimeout,
    /// A code that this version does not know.
    #[serde(other)]
    Unknown,
}

impl ClientMessage {
    /// The text to send.
    pub fn to_json(&self) -> Result<String, MessageError> {
        encode(self, CLIENT_MESSAGE_BYTES_MAX)
    }

    /// The message in `text`, which a stranger sent.
    pub fn from_json(text: &str) -> Result<Self, MessageError> {
        decode(text, CLIENT_MESSAGE_BYTES_MAX)
    }
}

impl ServerMessage {
    /// The text to send.
    pub fn to_json(&self) -> Result<String, MessageError> {
        encode(self, SERVER_MESSAGE_BYTES_MAX)
    }

    /// The message in `text`, which a hub sent.
    pub fn from_json(text: &str) -> Result<Self, MessageError> {
        decode(text, SERVER_MESSAGE_BYTES_MAX)
    }
}

/// `name` without control characters, cut to [`NAME_BYTES_MAX`] bytes.
pub fn clean_name(name: &str) -> String {
    let mut clean = String::new();
    for character in name.chars().filter(|character| !character.is_control()) {
        if clean.len() + character.len_utf8() > NAME_BYTES_MAX {
            break;
        }
        clean.push(character);
    }
    clean
}

/// A hub's words, fit to be shown: at most so many characters, and none that controls a terminal.
pub(crate) fn words(text: &str, characters_max: usize) -> String {
    text.chars().filter(|character| !character.is_control()).take(characters_max).collect()
}

fn encode<T: Serialize>(message: &T, limit: usize) -> Result<String, MessageError> {
    let text = serde_json::to_string(message).map_err(|error| MessageError::Malformed(error.to_string()))?;
    check_size(&text, limit)?;
    Ok(text)
}

fn decode<T: DeserializeOwned>(text: &str, limit: usize) -> Result<T, MessageError> {
    check_size(text, limit)?;
    // The error may quote what was sent; a stranger's text is cut short.
    let cut =
        |error: serde_json::Error| MessageError::Malformed(error.to_string().chars().take(120).collect());
    serde_json::from_str(text).map_err(cut)
}

fn check_size(text: &str, limit: usize) -> Result<(), MessageError> {
    if text.len() > limit { Err(MessageError::TooLarge { bytes: text.len(), limit }) } else { Ok(()) }
}

mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom("not a number written as text"))
    }
}
