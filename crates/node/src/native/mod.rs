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
mod start_error;
mod status;
mod storage;

pub use builder::NodeBuilder;
pub use config::{LoadConfigError, NodeConfig};
pub use connector::{ConnectionEvents, Connector};
pub use node::{Identity, Node, NodeError};
pub use presence::Present;
pub use profile::ProfileError;
pub use start_error::StartError;
pub use status::{PeerStatus, Status};
