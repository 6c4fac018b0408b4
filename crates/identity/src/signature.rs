//! The seam for signing.

use std::fmt;

use meshwork_base::NodeId;
use serde::{Deserialize, Serialize};

/// What a signature is for. Each has a context of its own inside the signed bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// The end of a block of operations.
    Block,
    /// "I durably hold everything up to V."
    Receipt,
    /// The transcript of a link's handshake.
    Handshake,
    /// A hub's challenge.
    HubChallenge,
}

impl Purpose {
    /// What goes in front of the message.
    pub(crate) const fn context(self) -> &'static [u8] {
        match self {
            Self::Block => b"meshwork 2026 block\0",
            Self::Receipt => b"meshwork 2026 receipt\0",
            Self::Handshake => b"meshwork 2026 handshake\0",
            Self::HubChallenge => b"meshwork 2026 hub challenge\0",
        }
    }
}

/// 64 bytes that only the holder of a key could make.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}…)", base16ct::lower::encode_string(&self.0[..4]))
    }
}

impl Serialize for Signature {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (left, right) = self.0.split_at(32);
        (<[u8; 32]>::try_from(left).unwrap_or_default(), <[u8; 32]>::try_from(right).unwrap_or_default())
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (left, right) = <([u8; 32], [u8; 32])>::deserialize(deserializer)?;
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&left);
        bytes[32..].copy_from_slice(&right);
        Ok(Self(bytes))
    }
}

/// Signs as one node.
pub trait Signer: Send + Sync {
    /// Whose signatures these are.
    fn node(&self) -> NodeId;
    /// Signs `message` for `purpose`.
    fn sign(&self, purpose: Purpose, message: &[u8]) -> Signature;
}

/// Checks anybody's signatures.
pub trait Verifier: Send + Sync {
    /// Whether `node` signed `message` for `purpose`.
    fn verify(&self, node: &NodeId, purpose: Purpose, message: &[u8], signature: &Signature) -> bool;
}
