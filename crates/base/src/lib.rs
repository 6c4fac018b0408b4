//! The vocabulary of every meshwork crate.
//!
//! Nothing here does anything by itself. It holds the names that the other crates share:
//!
//! - **ids** ([`NodeId`], [`SessionId`], [`ReplicaId`], [`SpaceId`]), each a fixed number of bytes shown as hex;
//! - **causality** ([`Dot`], [`Version`]): which operation, and everything up to where;
//! - **time** ([`Timestamp`], [`Deadline`], [`HybridTime`]): told by the host, never asked for;
//! - **randomness** ([`Seed`]): handed in once, forked for each child;
//! - **storage rows** ([`Row`], [`WriteId`]): what a machine wants kept;
//! - the [`Machine`] trait and [`step`], the only driver of one.
//!
//! # A machine
//!
//! A machine is told inputs and the time, and hands back effects. It owns no clock, no socket and no thread, so the
//! same inputs give the same effects, byte for byte, in an actor, in a browser and in the simulator.
//!
//! ```
//! use meshwork_base::{Deadline, Machine, Timestamp, step};
//! use std::{collections::VecDeque, time::Duration};
//!
//! /// Echoes what it is told, one second later.
//! #[derive(Default)]
//! struct Echo { pending: Option<(Deadline, String)>, effects: VecDeque<String> }
//!
//! impl Machine for Echo {
//!     type Input = String;
//!     type Effect = String;
//!     fn handle(&mut self, now: Timestamp, input: String) {
//!         self.pending = Some((Deadline { at: now.monotonic + Duration::from_secs(1), why: "echo" }, input));
//!     }
//!     fn handle_timeout(&mut self, now: Timestamp) {
//!         if let Some((_, text)) = self.pending.take_if(|(due, _)| due.is_due(now)) {
//!             self.effects.push_back(text);
//!         }
//!     }
//!     fn poll_effect(&mut self) -> Option<String> { self.effects.pop_front() }
//!     fn poll_timeout(&self) -> Option<Deadline> { self.pending.as_ref().map(|(due, _)| *due) }
//! }
//!
//! let mut echo = Echo::default();
//! let start = Timestamp::default();
//! let due = step(&mut echo, start, Some("hi".into()), |_| unreachable!()).unwrap();
//! let mut heard = Vec::new();
//! let next = step(&mut echo, start.after(Duration::from_secs(1)), None, |text| heard.push(text));
//! assert_eq!((due.why, heard, next), ("echo", vec!["hi".to_string()], None));
//! ```

mod config;
mod document_id;
mod dot;
mod fill;
mod hash;
mod ids;
mod machine;
mod relay;
mod row;
mod seed;
mod time;
mod version;

pub use bytes::Bytes;
pub use config::ConfigError;
pub use document_id::{DOCUMENT_ID_BYTES_MAX, DocumentId, DocumentIdError};
pub use dot::Dot;
pub use fill::Fill;
pub use hash::Hash;
pub use ids::{NodeId, ParseIdError, ReplicaId, SessionId, SpaceId};
pub use machine::{Machine, step};
pub use relay::{Place, RELAYS};
pub use row::{Row, Table, WriteId};
pub use seed::{Random, Seed};
pub use time::{Deadline, HybridClock, HybridTime, Monotonic, Timestamp};
pub use version::{Tip, Version};
