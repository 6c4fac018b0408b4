//! blake3 digests.

use std::fmt;

use crate::ids::{ParseIdError, id};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::str::FromStr;

id!(
    /// A blake3 digest of 32 bytes. All zeros stands for "nothing before" at the start of a chain.
    Hash, 32, "hash"
);

impl Hash {
    /// The start of every chain.
    pub const ZERO: Self = Self([0; 32]);

    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The digest of several parts under a context of its own, each part preceded by its length, so that no two
    /// lists of parts look alike.
    pub fn of_parts(context: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_delimited() {
        assert_ne!(Hash::of_parts("t", &[b"ab", b"c"]), Hash::of_parts("t", &[b"a", b"bc"]));
        assert_ne!(Hash::of_parts("t", &[b"ab"]), Hash::of_parts("u", &[b"ab"]));
    }
}
