//! What names connections, and what is carried between their ends before they are open.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One attempt at one connection, as its performer knows it. Never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct LinkId(pub u64);

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.0)
    }
}

/// What two sessions tell each other by way of a hub in order to connect.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Signal {
    /// Which attempt of the offering side this belongs to. Later offers of one session have higher numbers; those of the
    /// smaller session of a pair are even, those of the greater one odd.
    pub attempt: u64,
    /// What.
    pub kind: SignalKind,
}

/// The content of a [`Signal`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SignalKind {
    /// The offering side's description (SDP).
    Offer(String),
    /// The answering side's description (SDP).
    Answer(String),
    /// An ICE candidate of the sender.
    Candidate(String),
}

impl SignalKind {
    /// How long its text is.
    pub(crate) fn bytes(&self) -> usize {
        let (Self::Offer(text) | Self::Answer(text) | Self::Candidate(text)) = self;
        text.len()
    }
}

/// The DTLS certificates of both ends of a connection, as this end's performer sees them: its own, and the one that the
/// other end actually showed. Any notation, as long as both performers use the same one but for letter case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fingerprints {
    /// Of our certificate.
    pub local: String,
    /// Of the certificate that the other end showed.
    pub remote: String,
}

impl Fingerprints {
    /// Written one way: lower-case, without white space around.
    pub(crate) fn normalised(&self) -> Self {
        let normal = |text: &str| text.trim().to_ascii_lowercase();
        Self { local: normal(&self.local), remote: normal(&self.remote) }
    }
}
