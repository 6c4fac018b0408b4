//! Durability receipts: who has stored what, and when an operation is confirmed.
//!
//! A **receipt** says, signed: *"incarnation R (epoch E) of node N durably holds everything up to these tips."* Every
//! tip in it is true by itself, and true for as long as the incarnation lives. So receipts may come late, twice, in any
//! order and over any number of hops: what a node is known to hold is the highest tip that it ever signed for, per
//! replica. A store that lost something starts a new incarnation, whose first receipt voids all of the older ones.
//!
//! ```text
//!  Stored ──► own receipt: only the tips that moved, one signature, at most one every 5 ms ──► to every link
//!  Received ─► form? space? newer? signature? ─► record of that node ─► policy ─► Confirmed { from, up_to }
//!                                                     └─ once a second, to those not linked with the issuer; three common
//!                                                        neighbours do so
//! ```
//!
//! # How a receipt travels on without being whole
//!
//! A receipt is *alive* while it is the newest to name at least one replica. The living receipts of a node together say
//! all that the node ever said, so they are what is kept, sent to a new link and relayed: nothing has to be signed
//! again for somebody who comes late. When too many of its own are alive, an issuer repeats what the smallest says in
//! its next one, which ends the smallest; the merging of small runs known from log-structured stores.
//!
//! # Invariants
//!
//! - A quorum counts distinct *nodes*, this one included, and only those whose storage outlives the process.
//! - Only what is stored here is confirmed here: a receipt for operations that nobody has is a promise about nothing.
//! - What was confirmed stays confirmed, and is announced once, in order.
//! - A node whose tip is known to differ from ours at one sequence counts for nothing on that replica, until it names
//!   a tip that is ours. Hashes are compared at our recent tips ([`Config::tips_max`]), since no others are known here.
//! - Receipts are forwarded as they came, byte for byte, and only after their signature was checked.
//!
//! Until there is a roster, whoever is let into the space may bring any number of keys; a quorum is worth what the
//! space's secret is worth.
//!
//! ```
//! use meshwork_base::{Hash, Machine, NodeId, ReplicaId, SessionId, SpaceId, Timestamp, Tip, Version, step};
//! use meshwork_consensus::{Config, Consensus, Context, Effect, Input};
//! use meshwork_identity::KeyedHash;
//! use std::sync::Arc;
//!
//! let node = |id: u8| {
//!     let key = Arc::new(KeyedHash { node: NodeId([id; 32]), world: [0; 32] });
//!     let context = Context { space: SpaceId([7; 16]), durable: true, signer: key.clone(), verifier: key };
//!     let mut machine = Consensus::new(Config::default(), context);
//!     machine.handle(Timestamp::default(), Input::Incarnation { replica: ReplicaId([id; 16]), epoch: 1 });
//!     machine
//! };
//! let (mut ada, mut bob) = (node(1), node(2));
//! let (ada_session, bob_session) = (SessionId([1; 16]), SessionId([2; 16]));
//!
//! // Both have stored Ada's third operation.
//! let tip = Tip { sequence: 3, hash: Hash::of(b"third") };
//! let version: Version = [(ReplicaId([1; 16]), tip)].into_iter().collect();
//! let now = Timestamp::default();
//! ada.handle(now, Input::Stored { version: version.clone() });
//! bob.handle(now, Input::Stored { version });
//!
//! // Bob's receipt reaches Ada: that makes two nodes.
//! let mut sent = Vec::new();
//! step(&mut bob, now, Some(Input::PeerUp { peer: ada_session, node: NodeId([1; 32]) }), |effect| sent.push(effect));
//! for effect in sent {
//!     let Effect::Send { message, .. } = effect else { continue };
//!     ada.handle(now, Input::Received { from: bob_session, message });
//! }
//! assert_eq!(ada.confirmed(&ReplicaId([1; 16])), 3);
//! assert_eq!(ada.confirmed_operations(), 3);
//! ```

#[cfg(feature = "actor")]
mod actor;
mod config;
mod effect;
mod error;
mod frontier;
mod input;
mod machine;
mod message;
mod policy;
mod receipt;
mod record;
mod relay;

#[cfg(feature = "actor")]
pub use actor::ConsensusActor;
pub use config::Config;
pub use effect::Effect;
pub use error::ReceiptError;
pub use input::Input;
pub use machine::{Consensus, Context};
pub use message::{LINKED_MAX, Message, RECEIPTS_MAX};
pub use policy::Policy;
pub use receipt::{RECEIPT_BYTES_MAX, RECEIPT_ENTRIES_MAX, RECEIPT_FORMAT, Receipt, SignedReceipt};
