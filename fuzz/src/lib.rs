//! What the fuzz targets share.

pub mod driven;
pub mod log;
pub mod script;
pub mod worlds;

use std::{fmt::Debug, sync::Arc};

use meshwork_base::{NodeId, SessionId, SpaceId};
use meshwork_identity::{Purpose, Signature, Signer, Verifier};
use meshwork_wire::{decode, encode};
use serde::{Serialize, de::DeserializeOwned};

pub use driven::Driven;
pub use script::{join, pieces};

/// The space that all machines here are in; the golden files' too.
pub const SPACE: SpaceId = SpaceId([7; 16]);

/// The machine under test.
pub const OWN: NodeId = NodeId([1; 32]);

/// The stranger's session and node.
pub const STRANGER: (SessionId, NodeId) = (SessionId([2; 16]), NodeId([2; 32]));

/// Signs with zeros and believes everything, so that the fuzzer gets past signatures.
pub struct Gullible(NodeId);

impl Gullible {
    /// The machine under test, as it wants it.
    pub fn signer() -> Arc<dyn Signer> {
        Self::signer_of(OWN)
    }

    /// Another node.
    pub fn signer_of(node: NodeId) -> Arc<dyn Signer> {
        Arc::new(Self(node))
    }

    /// As a machine wants it.
    pub fn verifier() -> Arc<dyn Verifier> {
        Arc::new(Self(OWN))
    }
}

impl Signer for Gullible {
    fn node(&self) -> NodeId {
        self.0
    }

    fn sign(&self, _: Purpose, _: &[u8]) -> Signature {
        Signature([0; 64])
    }
}

impl Verifier for Gullible {
    fn verify(&self, _: &NodeId, _: Purpose, _: &[u8], _: &Signature) -> bool {
        true
    }
}

/// The message in a stranger's bytes, if it is one. What was read once is the same after it was written and
/// read again.
pub fn read<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let message = decode(bytes).ok()?;
    let again = encode(&message).and_then(|bytes| decode(&bytes));
    assert_eq!(again.as_ref(), Ok(&message));
    Some(message)
}
