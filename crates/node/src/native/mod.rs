//! A node on an operating system: actors, WebRTC, disks, WebSockets, the local API.

mod actors;
pub mod api;
mod builder;
mod config;
mod connector;
mod hub_client;
mod life;
mod membership;
mod node;
mod performer;
mod presence;
mod profile;
mod shared;
mod status;

pub use builder::NodeBuilder;
pub use config::{LoadConfigError, NodeConfig};
pub use connector::{ConnectionEvents, Connector};
pub use life::StartError;
pub use node::{Identity, Node, NodeError};
pub use presence::Present;
pub use profile::{Membership, Profile, ProfileError};
pub use status::{PeerStatus, Status};
