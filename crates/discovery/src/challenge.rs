//! What a session signs to show a hub who it is.

use meshwork_base::{Hash, SessionId};

use crate::hex::Hex;

/// A hub's challenge: random, used once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nonce(pub [u8; 32]);

impl Hex for Nonce {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// What is signed for [`Purpose::HubChallenge`](meshwork_identity::Purpose::HubChallenge): the challenge, who answers,
/// and the hub's host (with its port unless that is the scheme's own) as the session knows it.
///
/// The host keeps one hub from passing another's challenge on to us and then speaking there in our name.
pub fn challenge_transcript(nonce: &Nonce, host: &str, session: &SessionId) -> Hash {
    Hash::of_parts("meshwork 2026 hub challenge transcript", &[&nonce.0, host.as_bytes(), &session.0])
}
