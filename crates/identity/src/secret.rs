//! What lets a session into a space, and into a room.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
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
        BASE64URL_NOPAD.encode(&self.0)
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        Some(Self(BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()?))
    }
}

/// Kept out of logs.
impl fmt::Debug for SpaceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpaceSecret(..)")
    }
}

/// What a hub asks for at the door of a room with a password. It gives the hub nothing towards the space secret but
/// the chance to guess the password, one Argon2 run a guess.
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

/// A room's password, stretched once (Argon2id, RFC 9106, 19 MiB and 2 passes, salted with the room's code).
#[derive(Clone)]
pub struct Password {
    root: [u8; 32],
}

impl Password {
    /// Stretches `password`; takes some tens of milliseconds.
    pub fn stretch(password: &str, room: &RoomCode) -> Result<Self, PasswordError> {
        if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
            return Err(PasswordError::Length(password.len()));
        }
        let salt = blake3::derive_key("meshwork 2026 password salt", room.to_string().as_bytes());
        let mut root = [0; 32];
        argon2::Argon2::default()
            .hash_password_into(password.as_bytes(), &salt, &mut root)
            .map_err(|error| PasswordError::Hash(error.to_string()))?;
        Ok(Self { root })
    }

    /// The secret of the space that lives in this room.
    pub fn space_secret(&self) -> SpaceSecret {
        SpaceSecret(blake3::derive_key("meshwork 2026 space secret from password", &self.root))
    }

    /// What to show at the room's door.
    pub fn room_access(&self) -> RoomAccess {
        RoomAccess(blake3::derive_key("meshwork 2026 room access from password", &self.root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_password_gives_unrelated_secrets() {
        let room = "A3B7K9".parse().unwrap();
        let password = Password::stretch("correct horse", &room).unwrap();
        assert_eq!(password.space_secret(), Password::stretch("correct horse", &room).unwrap().space_secret());
        assert_ne!(password.space_secret().to_bytes(), password.room_access().0);
        assert_ne!(password.space_secret(), Password::stretch("wrong", &room).unwrap().space_secret());
        assert_eq!(Password::stretch("", &room).err(), Some(PasswordError::Length(0)));
    }

    #[test]
    fn a_proof_holds_for_its_transcript_and_secret_only() {
        let (a, b) = (SpaceSecret::from_bytes([1; 32]), SpaceSecret::from_bytes([2; 32]));
        let proof = a.authenticate(b"t");
        assert!(a.verify(b"t", &proof) && !a.verify(b"u", &proof) && !b.verify(b"t", &proof));
    }
}
