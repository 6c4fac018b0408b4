//! Conflict-free documents: maps, registers, counters and sets.
//!
//! A document is a tree of maps, addressed by paths of keys. An [`Edit`] list becomes one operation of the log, and
//! every operation, local or not, changes documents through one function. Replicas that applied the same operations
//! show the same, in whatever causal order these came.
//!
//! ```text
//! Edit ─► resolve (check, name what is taken away) ─► mutations ─┬─► body ─► Append ─► the log
//!                                                                ▼
//!               Deliver ─► body ─► decode, check ─► mutations ─► Applier
//! ```
//!
//! How concurrent edits meet:
//!
//! - a value is identified by the **dot** of the operation that wrote it. A write or a removal *names the dots* that
//!   it takes away: what it did not know of survives. So a causally later write always wins, whatever clocks say;
//! - of concurrent values the one with the greatest (hybrid time, dot) is shown and the others are listed as
//!   [conflicts](Document::conflicts), except for losers of [`Edit::Assign`];
//! - adding wins over removing, in sets and for children of a deleted map;
//! - increments add up; a reset takes away what it observed, once;
//! - when several kinds meet under one path, the one with the latest write is shown.
//!
//! Invariants:
//!
//! - state depends on the set of applied operations alone; [`Documents::state_hash`] covers all of it;
//! - whether an operation is valid depends on it and on its causal past, never on who receives it or on settings;
//! - an edit that is refused changes nothing, and one that is taken has an operation, if an empty one.
//!
//! ```
//! use meshwork_base::{DocumentId, Machine, ReplicaId, Timestamp};
//! use meshwork_crdt_state::{Config, Documents, Edit, Effect, Input, RequestId};
//! use meshwork_op_log::Incarnation;
//!
//! let mut documents = Documents::new(Config::default());
//! let replica = ReplicaId([1; 16]);
//! documents.handle(Timestamp::default(), Input::Incarnation(Incarnation { replica, epoch: 1, next_sequence: 1 }));
//!
//! let users = DocumentId::new("users")?;
//! let set = Edit::Set { path: vec!["ada".into(), "born".into()], value: 1815.into() };
//! let edit = Input::Edit { request: RequestId(7), document: users.clone(), edits: vec![set] };
//! documents.handle(Timestamp::default(), edit);
//!
//! assert!(matches!(documents.poll_effect(), Some(Effect::Append(_))));
//! assert!(matches!(documents.poll_effect(), Some(Effect::Edited { request: RequestId(7), result: Ok(_) })));
//! let shown = documents.document(&users).map(|users| users.to_json());
//! assert_eq!(shown, Some(serde_json::json!({"ada": {"born": 1815}})));
//! # Ok::<(), meshwork_base::DocumentIdError>(())
//! ```

#[cfg(feature = "actor")]
mod actor;
mod apply;
mod causality;
mod config;
mod counter;
mod digest;
mod document;
mod edit;
mod effect;
mod error;
mod input;
mod json;
mod kind;
mod machine;
mod message;
mod node;
mod observed;
mod reading;
mod register;
mod resolve;
mod set;
mod stamp;
mod transaction;
mod value;
mod value_serde;
mod view;

#[cfg(feature = "actor")]
pub use actor::DocumentsActor;
pub use causality::AppliedVersion;
pub use config::{Config, DEPTH_MAX, KEY_BYTES_MAX};
pub use document::Document;
pub use edit::{Edit, Path};
pub use effect::Effect;
pub use error::EditError;
pub use input::{Input, RequestId};
pub use json::edits_from_json;
pub use kind::Kind;
pub use machine::Documents;
pub use reading::edits_of;
pub use stamp::Stamp;
pub use value::Value;
pub use view::{Alternative, MapView, SetView, View};
