//! Signatures for the simulator.

use meshwork_base::NodeId;

use crate::{Purpose, Signature, Signer, Verifier};

/// Signs with a hash keyed by a secret that all simulated nodes share: as cheap as hashing, and as hard to forge for a
/// simulated adversary who is not given this value. **Never for real nodes**: whoever verifies can also sign.
#[derive(Clone, Debug)]
pub struct KeyedHash {
    /// As whom to sign.
    pub node: NodeId,
    /// The secret of the simulated world.
    pub world: [u8; 32],
}

impl KeyedHash {
    fn mac(&self, node: &NodeId, purpose: Purpose, message: &[u8]) -> Signature {
        let mut hasher = blake3::Hasher::new_keyed(&self.world);
        hasher.update(&node.0).update(purpose.context()).update(message);
        let mut bytes = [0; 64];
        hasher.finalize_xof().fill(&mut bytes);
        Signature(bytes)
    }
}

impl Signer for KeyedHash {
    fn node(&self) -> NodeId {
        self.node
    }

    fn sign(&self, purpose: Purpose, message: &[u8]) -> Signature {
        self.mac(&self.node, purpose, message)
    }
}

impl Verifier for KeyedHash {
    fn verify(&self, node: &NodeId, purpose: Purpose, message: &[u8], signature: &Signature) -> bool {
        self.mac(node, purpose, message) == *signature
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifies_what_it_signed_and_nothing_else() {
        let a = KeyedHash { node: NodeId([1; 32]), world: [9; 32] };
        let b = KeyedHash { node: NodeId([2; 32]), world: [9; 32] };
        let signature = a.sign(Purpose::Block, b"m");
        assert!(b.verify(&a.node, Purpose::Block, b"m", &signature));
        assert!(!b.verify(&b.node, Purpose::Block, b"m", &signature));
        assert!(!b.verify(&a.node, Purpose::Receipt, b"m", &signature));
    }
}
