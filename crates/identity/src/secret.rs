//! What lets a session into a space, and into a room.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use meshwork_base::{Random, SpaceId};

use crate::RoomCode;

/// The longest password, in bytes.
const PASSWORD_BYTES_MAX: usize = 1024;

/// 32 bytes known to the members of a space and nobody else. Handshakes are authenticated with it.
#[derive(Clone, PartialEq, Eq)]
pub struct SpaceSecret([u8; 32]);

impl SpaceSecret {
    /// A random secret, for invitations.
    pub fn generate(random: &mut Random) -> Self {
        Self(random.bytes())
    }

    /// The secret of an open space, which everybody who learns its id can compute: joining by bare code is trust on
    /// first use, open to anyone who knows the code.
    pub fn open(space: &SpaceId) -> Self {
        Self(blake3::derive_key("meshwork 2026 open space", &space.0))
    }

    /// The secret of a space whose members meet in `room` under a password (Argon2id, RFC 9106, 19 MiB and 2 passes,
    /// salted with the room's code). Takes some tens of milliseconds.
    pub fn from_password(password: &str, room: &RoomCode) -> Result<Self, PasswordError> {
        if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
            return Err(PasswordError::Length(password.len()));
        }
        let salt = blake3::derive_key("meshwork 2026 password salt", room.to_string().as_bytes());
        let mut secret = [0; 32];
        argon2::Argon2::default()
            .hash_password_into(password.as_bytes(), &salt, &mut secret)
            .map_err(|error| PasswordError::Hash(error.to_string()))?;
        Ok(Self(secret))
    }

    /// What to show at the door of the room where the space's members meet.
    pub fn room_access(&self) -> RoomAccess {
        RoomAccess(blake3::derive_key("meshwork 2026 room access", &self.0))
    }

    /// The secret with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for storing.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0
    }

    /// Proves knowledge of the secret over `transcript` without showing it.
    pub fn authenticate(&self, transcript: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(&self.0, transcript).as_bytes()
    }

    /// Whether `proof` was made with this secret over `transcript`, in constant time.
    pub fn verify(&self, transcript: &[u8], proof: &[u8; 32]) -> bool {
        blake3::keyed_hash(&self.0, transcript) == blake3::Hash::from_bytes(*proof)
    }

    pub(crate) fn encode(&self) -> String {
        Base64UrlUnpadded::encode_string(&self.0)
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        Some(Self(Base64UrlUnpadded::decode_vec(text).ok()?.try_into().ok()?))
    }
}

/// Kept out of logs.
impl fmt::Debug for SpaceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpaceSecret(..)")
    }
}

/// What a hub asks for at the door of a room that is not open. Derived from the space secret, which it does not give
/// away; a hub can only guess at a password, one Argon2 run a guess.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomAccess(pub [u8; 32]);

impl fmt::Debug for RoomAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomAccess(..)")
    }
}

/// A password that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Empty or too long.
    #[error("a password takes 1 to {PASSWORD_BYTES_MAX} bytes, this one has {0}")]
    Length(usize),
    /// Argon2 refused.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_gives_one_secret_per_room() {
        let room = "A3B7K9".parse().unwrap();
        let secret = SpaceSecret::from_password("correct horse", &room).unwrap();
        assert_eq!(secret, SpaceSecret::from_password("correct horse", &room).unwrap());
        assert_ne!(secret, SpaceSecret::from_password("wrong", &room).unwrap());
        assert_ne!(secret, SpaceSecret::from_password("correct horse", &"A3B7K8".parse().unwrap()).unwrap());
        assert_ne!(secret.to_bytes(), secret.room_access().0);
        assert_eq!(SpaceSecret::from_password("", &room).err(), Some(PasswordError::Length(0)));
    }

    #[test]
    fn a_proof_holds_for_its_transcript_and_secret_only() {
        let (a, b) = (SpaceSecret::from_bytes([1; 32]), SpaceSecret::from_bytes([2; 32]));
        let proof = a.authenticate(b"t");
        assert!(a.verify(b"t", &proof) && !a.verify(b"u", &proof) && !b.verify(b"t", &proof));
    }
}
