//! ed25519 keys (RFC 8032).

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use meshwork_base::{NodeId, Seed};

use crate::{Purpose, Signature, Signer, Verifier};

/// A node's secret key. Keep it where only the node can read it.
#[derive(Clone)]
pub struct NodeKey(SigningKey);

impl NodeKey {
    /// The key whose secret half is `bytes`.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(bytes))
    }

    /// A fresh key from a seed that nobody else knows.
    pub fn from_seed(seed: &Seed) -> Self {
        Self::from_bytes(&seed.fork("node key").random().bytes())
    }

    /// The secret half, for storing.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }
}

impl std::fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NodeKey of {}", self.node().short())
    }
}

impl Signer for NodeKey {
    fn node(&self) -> NodeId {
        NodeId(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, purpose: Purpose, message: &[u8]) -> Signature {
        Signature(self.0.sign(&[purpose.context(), message].concat()).to_bytes())
    }
}

/// Verifies real signatures, by `verify_strict` and nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ed25519;

impl Verifier for Ed25519 {
    fn verify(&self, node: &NodeId, purpose: Purpose, message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        let message = [purpose.context(), message].concat();
        VerifyingKey::from_bytes(&node.0).is_ok_and(|key| key.verify_strict(&message, &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_signer_message_and_purpose_verify() {
        let key = NodeKey::from_seed(&Seed::from_number(1));
        let other = NodeKey::from_seed(&Seed::from_number(2));
        let signature = key.sign(Purpose::Block, b"m");
        let mut torn = signature;
        torn.0[10] ^= 1;
        let table = [
            (key.node(), Purpose::Block, &b"m"[..], signature, true),
            (other.node(), Purpose::Block, b"m", signature, false),
            (key.node(), Purpose::Receipt, b"m", signature, false),
            (key.node(), Purpose::Block, b"n", signature, false),
            (key.node(), Purpose::Block, b"m", torn, false),
            (NodeId([0xff; 32]), Purpose::Block, b"m", signature, false),
            // A key of small order would verify many messages under a lax predicate.
            (NodeId([0; 32]), Purpose::Block, b"m", Signature([0; 64]), false),
        ];
        for (node, purpose, message, signature, expected) in table {
            assert_eq!(Ed25519.verify(&node, purpose, message, &signature), expected);
        }
        assert_eq!(NodeKey::from_bytes(&key.to_bytes()).node(), key.node());
    }
}
