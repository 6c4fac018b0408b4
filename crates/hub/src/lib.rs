//! The rendezvous server: rooms, authentication, signalling. It sees no application data.
//!
//! [`Hub`] is the machine; with the feature `native`, `HubServer` puts it behind HTTP and WebSockets, in a program of
//! its own or inside a node. What it speaks is in [`meshwork_discovery`], whose machine is the other side.
//!
//! A session proves its key against a challenge, joins one room by its six-character code, is told who else is there,
//! and exchanges offers, answers and candidates with them. Then the two talk directly, and the hub is out of the way.
//!
//! Invariants:
//!
//! - **Nothing is kept but who is where.** No message carries application data, nothing is written to disk, and a hub
//!   that restarts empty is filled again by its sessions as they reconnect.
//! - **The first session in a room names its space and sets its password**; one with another space or another password
//!   is refused. In the first `found_after_ms` of a hub's life only a session that has a space already may be the first,
//!   and others wait for it: after a restart, members on their way back go before newcomers. A room that stays empty for
//!   `room_idle_ms`, or for the longest when all rooms are taken, is forgotten, and its code free again.
//! - **Signals travel only between sessions of one room.** A session whose connection broke keeps its seat for
//!   `reconnect_ms`; signals to it wait there, bounded, and none is delivered later than `signal_ttl_ms`.
//! - **A session has one connection**: the same session and node connecting again replaces it.
//! - **Every violation has a [name](meshwork_discovery::ErrorCode)**, is answered with it, and ends the connection.
//!   Connections, rooms, seats, rates, sizes and queues have bounds, all in [`HubConfig`].
//!
//! ```
//! use meshwork_base::{Machine, Seed, Timestamp};
//! use meshwork_discovery::ServerMessage;
//! use meshwork_hub::{ConnectionId, Effect, Hub, HubConfig, Input};
//! use meshwork_identity::Ed25519;
//! use std::sync::Arc;
//!
//! let mut hub = Hub::new(HubConfig::default(), Arc::new(Ed25519), Seed::from_number(1));
//! let address = "127.0.0.1".parse().unwrap();
//! hub.handle(Timestamp::default(), Input::Connected { connection: ConnectionId(1), address });
//! let Some(Effect::Send { message: ServerMessage::Challenge { .. }, .. }) = hub.poll_effect() else { panic!() };
//! assert_eq!(hub.stats().connections, 1);
//! ```

mod bucket;
mod config;
mod door;
mod effect;
mod error;
mod founding;
mod input;
mod rooms;
mod seats;
mod stats;

#[cfg(feature = "native")]
mod connection;
#[cfg(feature = "native")]
mod page;
#[cfg(feature = "native")]
mod pages;
#[cfg(feature = "native")]
mod server;

pub use config::HubConfig;
pub use effect::Effect;
pub use input::{ConnectionId, Input};
pub use rooms::Hub;
pub use stats::{Signalling, Stats};

#[cfg(feature = "native")]
pub use error::HubError;
#[cfg(feature = "native")]
pub use page::Page;
#[cfg(feature = "native")]
pub use pages::BUILD_PAGE;
#[cfg(feature = "native")]
pub use server::{HubServer, RunningHub};
