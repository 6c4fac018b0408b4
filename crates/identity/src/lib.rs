//! Who somebody is, and who may come in.
//!
//! - A node is an ed25519 key ([`NodeKey`]); its public half is its [`NodeId`](meshwork_base::NodeId).
//! - Machines sign and verify only through [`Signer`] and [`Verifier`], so that the simulator can plug in
//!   [`KeyedHash`], which costs a hundredth.
//! - Every signature names its [`Purpose`]: one made for a receipt is worth nothing as a block.
//! - A [`SpaceSecret`] lets a session into a space. It travels in an [`Invitation`]'s fragment or comes from a
//!   password; a hub never sees it.
//!
//! Invariant: one verification predicate everywhere, `verify_strict`, so that no two nodes disagree on a signature.
//!
//! ```
//! use meshwork_base::Seed;
//! use meshwork_identity::{Ed25519, NodeKey, Purpose, Signer, Verifier};
//! let key = NodeKey::from_seed(&Seed::from_number(1));
//! let signature = key.sign(Purpose::Receipt, b"stored");
//! assert!(Ed25519.verify(&key.node(), Purpose::Receipt, b"stored", &signature));
//! assert!(!Ed25519.verify(&key.node(), Purpose::Block, b"stored", &signature));
//! ```

mod invitation;
mod key;
mod keyed_hash;
mod room;
mod secret;
mod signature;

pub use invitation::{Invitation, InvitationError};
pub use key::{Ed25519, NodeKey};
pub use keyed_hash::KeyedHash;
pub use room::{ROOM_CODE_LENGTH, RoomCode, RoomCodeError};
pub use secret::{PasswordError, RoomAccess, SpaceSecret};
pub use signature::{Purpose, Signature, Signer, Verifier};
