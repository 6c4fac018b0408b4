//! Compose peer-to-peer nodes that hold the same state.
//!
//! A **node** is a key, a log of signed operations and the documents that they make. Nodes of one **space** find each
//! other, link, and exchange what the others lack; every node can edit at any time, and all end with the same state.
//!
//! - [`Node::builder`] composes a native node: each machine in an actor of its own, WebRTC links, a disk.
//! - [`Mesh`] is the same composition in one thread, for hosts that drive it themselves: the simulator, a browser.
//! - [`route`] is the data flow of both, in one file.
//!
//! Invariants:
//! - an edit is visible when [`Node::edit`] returns, durable when [`Node::stored`] does, and on as many nodes as the
//!   policy wants when [`Node::confirmed`] does; what was acknowledged is not lost;
//! - nodes that hold the same operations show the same state.
//!
#![cfg_attr(feature = "native", doc = "```")]
#![cfg_attr(not(feature = "native"), doc = "```ignore")]
//! use meshwork::{Edit, Node};
//!
//! # #[actix_web::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::builder().name("ada").without_consensus().start().await?;
//! let written = node.edit("app", [Edit::set(["users", "ada", "name"], "Ada")]).await?;
//! node.stored(written).await?;
//! assert_eq!(node.json("app").await?, Some(serde_json::json!({ "users": { "ada": { "name": "Ada" } } })));
//! node.close().await;
//! # Ok(()) }
//! ```

pub mod courier;
mod effect;
mod event;
mod input;
mod mesh;
#[cfg(feature = "native")]
mod native;
mod path;
mod profile;
pub mod route;

pub use effect::{Effect, HubAction};
pub use event::Event;
pub use input::{Command, HubEvent, Input};
pub use mesh::{Machines, Mesh};
#[cfg(feature = "native")]
pub use native::*;
pub use path::parse_path;
pub use profile::{Membership, Profile, ProfileTextError};

pub use meshwork_base::*;
pub use meshwork_consensus::Policy;
pub use meshwork_crdt_state::{
    Document, Documents, Edit, EditError, RequestId, Value, View, edits_from_json, edits_of,
};
pub use meshwork_identity::{Invitation, RoomCode, SpaceSecret};
pub use meshwork_op_log::{Incarnation, OpLog, Operation};
pub use meshwork_presence::{Member, PresenceError};
pub use meshwork_transport::Peer;
pub use meshwork_wire::OPERATION_BYTES_MAX;

#[doc = include_str!("../../../README.md")]
#[cfg(all(doctest, feature = "native"))]
struct ReadmeCompiles;

#[doc = include_str!("../../../docs/guide.md")]
#[cfg(all(doctest, feature = "native"))]
struct GuideCompiles;
