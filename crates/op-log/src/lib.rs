//! The durable log of signed operations: causal delivery, anti-entropy, equivocation.
//!
//! [`OpLog`] is a pure machine: it is handed [`Input`]s and the time, and hands back [`Effect`]s.
//!
//! ```text
//! Append ──► flush ──► history ──► Deliver         Received ──► sync ──► fetch (what we lack) ──► Send
//!              │         ▲  └────► Persist/Stored                └─────► serve (what they lack) ─► Send
//!              └► Send   └── hear_blocks: verify, buffer, link, accept
//! ```
//!
//! # Invariants
//!
//! - **A dot is never used twice.** A store that was not closed cleanly, or that meets a copy of itself, gets a new replica.
//! - **Nothing leaves unsigned or orphaned.** An own operation is sent once the durable mark and the operations of others
//!   that it depends on are stored here; received ones are delivered at once.
//! - **The version is causally closed**, and so is what [`Effect::Stored`] names. (The last block of a chain may hold
//!   operations that still wait; they are stored with it and counted by neither.)
//! - **Each operation is delivered once, after all that it depends on**; after [`Effect::Rebuild`] all are, once more.
//! - **Bytes are kept as received.** They are hashed, stored and forwarded as they came.
//! - **Peers are not trusted.** A wrong block costs its link, an author's contradiction closes its replica, and what waits
//!   is bounded for each peer; what is dropped is asked for again.
//!
//! # Two logs that meet
//!
//! ```
//! use meshwork_base::{Bytes, DocumentId, Dot, HybridTime, Machine, Seed, SessionId, SpaceId, Timestamp, step};
//! use meshwork_identity::{Ed25519, NodeKey};
//! use meshwork_op_log::{Config, Context, Effect, Input, NewOperation, OpLog};
//! use std::{collections::VecDeque, sync::Arc};
//!
//! let now = Timestamp::default();
//! let mut logs: Vec<OpLog> = [1, 2].map(|number| {
//!     let key = NodeKey::from_seed(&Seed::from_number(number));
//!     let context = Context { space: SpaceId([9; 16]), signer: Arc::new(key), verifier: Arc::new(Ed25519) };
//!     OpLog::open(Config::default(), context, now, Seed::from_number(number), []).unwrap()
//! }).into();
//!
//! let operation = NewOperation {
//!     dot: Dot::new(logs[0].incarnation().replica, 1),
//!     dependencies: vec![],
//!     document: DocumentId::new("users").unwrap(),
//!     time: HybridTime::default(),
//!     body: Bytes::from_static(b"hello"),
//! };
//! let session = |log: usize| SessionId([log as u8; 16]);
//! let mut inputs = VecDeque::from([
//!     (0, Input::PeerUp { peer: session(1) }),
//!     (1, Input::PeerUp { peer: session(0) }),
//!     (0, Input::Append(vec![operation])),
//! ]);
//! let mut delivered = Vec::new();
//! while let Some((log, input)) = inputs.pop_front() {
//!     step(&mut logs[log], now, Some(input), |effect| match effect {
//!         Effect::Send { to, message, .. } => {
//!             let from = session(log);
//!             inputs.push_back((usize::from(to.0[0]), Input::Received { from, message }));
//!         }
//!         Effect::Persist { write, .. } => inputs.push_back((log, Input::Persisted { write })),
//!         Effect::Deliver(operations) => delivered.extend(operations),
//!         _ => {}
//!     });
//! }
//! assert_eq!(delivered[0].body, "hello".as_bytes());
//! assert_eq!(logs[0].stored_version(), logs[1].stored_version());
//! ```

#[cfg(feature = "actor")]
mod actor;
mod advance;
mod block;
mod builder;
mod causal;
mod chain;
mod config;
mod effect;
mod equivocation;
mod error;
mod exchange;
mod fetch;
mod flush;
mod heir;
mod history;
mod input;
mod links;
mod machine;
mod message;
mod meta;
mod opening;
mod operation;
mod overdue;
mod pace;
mod proofs;
mod query;
mod recovery;
mod retire;
mod serve;
mod sever;
mod store;
mod sync;
mod tell;

#[cfg(feature = "actor")]
pub use actor::OpLogActor;
pub use block::FORMAT;
pub use config::Config;
pub use effect::{Effect, Event, Incarnation};
pub use error::{BlockError, MergeError, OpenError};
pub use input::Input;
pub use machine::{Context, OpLog};
pub use message::{Message, Range};
pub use meta::DEPENDENCIES_MAX;
pub use opening::Opening;
pub use operation::{NewOperation, Operation};
pub use store::{AppendOnlyStore, Entry, EntryWriter, MemoryStore, SyncError};
