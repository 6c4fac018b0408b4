//! Fixed-size identifiers, shown and parsed as lower-case hex.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}: it takes {digits} hexadecimal digits")]
pub struct ParseIdError {
    pub(crate) what: &'static str,
    pub(crate) digits: usize,
    pub(crate) text: String,
}

/// Declares a byte-array newtype: hex in text formats, raw bytes in binary ones.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// The first eight hex digits: enough for people to tell ids apart, not to identify with.
            pub fn short(&self) -> String {
                base16ct::lower::encode_string(&self.0[..4])
            }

            /// The raw bytes.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&base16ct::lower::encode_string(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let refuse = || ParseIdError { what: $what, digits: 2 * $bytes, text: text.chars().take(80).collect() };
                let bytes = base16ct::mixed::decode_vec(text).map_err(|_| refuse())?;
                Ok(Self(bytes.try_into().map_err(|_| refuse())?))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = String::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    <[u8; $bytes]>::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}
pub(crate) use id;

id!(
    /// A node: its ed25519 public key. Tabs of one browser share it.
    NodeId, 32, "node id"
);
id!(
    /// One running process or tab of a node. Links and presence name sessions.
    SessionId, 16, "session id"
);
id!(
    /// One incarnation of one node's storage in one space; it authors operations 1, 2, 3, … without gaps.
    ReplicaId, 16, "replica id"
);
id!(
    /// The unit of membership and replication. Random; a room code never stands for it.
    SpaceId, 16, "space id"
);

impl ReplicaId {
    /// The id of the incarnation that `node` opened in `space` with `nonce` (16 random bytes).
    ///
    /// The id commits to its owner, so nobody can author under another node's replica id, however early they speak.
    pub fn derive(node: &NodeId, space: &SpaceId, nonce: &[u8; 16]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("meshwork 2026 replica id");
        hasher.update(&node.0).update(&space.0).update(nonce);
        let mut id = [0; 16];
        hasher.finalize_xof().fill(&mut id);
        Self(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_bad_text_is_named() {
        let id = SpaceId([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(serde_json::from_str::<SpaceId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        let error = "xyz".parse::<SpaceId>().unwrap_err().to_string();
        assert_eq!(error, "`xyz` is not a space id: it takes 32 hexadecimal digits");
    }

    #[test]
    fn a_replica_id_depends_on_owner_space_and_nonce() {
        let id = |node: u8, space: u8, nonce: u8| {
            ReplicaId::derive(&NodeId([node; 32]), &SpaceId([space; 16]), &[nonce; 16])
        };
        let all = [id(1, 1, 1), id(2, 1, 1), id(1, 2, 1), id(1, 1, 2)];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 4);
        assert_eq!(id(1, 1, 1), all[0]);
    }
}
