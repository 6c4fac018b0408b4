//! Finding peers: rooms on a hub, fixed addresses.
//!
//! "Fixed addresses" are those of nodes that embed a hub: nodes that know each other's address are each other's hubs, and
//! need no other. There is no second way to dial a peer.
//!
//! [`Discovery`] is the client side of a hub. It keeps one WebSocket to every configured hub (a public one, or a node
//! that embeds one), proves there who it is, joins one room, and tells which sessions are in it. It also carries the
//! signals with which two sessions set up a link. Nothing else goes through a hub: no edit ever does.
//!
//! The talk with one hub, in the [messages](ClientMessage) that [`ServerMessage`] answers:
//!
//! ```text
//!   hub     challenge { nonce }                 node   authenticate { node, session, host, signature }
//!   hub     authenticated                       node   join { room, space, adopt, access }
//!   hub     joined { space, peers }             both   offer, answer, candidate; heartbeats
//!   hub     peer-joined, peer-left              node   leave
//! ```
//!
//! Invariants:
//!
//! - **A hub cannot speak for us elsewhere**: the signature covers its nonce, our session and the host as *we* know it.
//! - **One space per session.** Whoever joins a room first names the space that lives there; a session without a space
//!   adopts it, and keeps it for good. While it has none, it joins one hub at a time, in the configured order, so that
//!   sessions that share a list of hubs agree. A room with another space is refused on either side.
//! - **A hub that is down changes nothing.** Its peers are remembered, links live on, and what vanished meanwhile is
//!   told after the next join. A peer is gone only when no hub knows it.
//! - **Reconnecting never ends**, with exponential backoff and jitter. After a refusal the next attempt waits
//!   `refused_retry_ms`, because a room may expire and a hub be upgraded. A wrong password that never let us in is not
//!   tried again, because every attempt would be a guess.
//! - **Signals are not kept.** One for a session that no connected hub knows is dropped, and a transport sends again:
//!   an old signal is worth nothing.
//!
//! The performer of [`Effect::Open`] reports nothing more of a WebSocket after [`Effect::Close`], decodes text with
//! [`ServerMessage::from_json`], and treats text that does not decode as the end of the connection.
//!
//! ```
//! use meshwork_base::{Machine, Seed, SessionId, Timestamp};
//! use meshwork_discovery::{Config, Context, Discovery, Effect, HubId, Input};
//! use meshwork_identity::NodeKey;
//! use std::sync::Arc;
//!
//! let config = Config {
//!     hubs: vec!["http://127.0.0.1:7070".parse().unwrap()],
//!     room: "A3B7K9".parse().unwrap(),
//!     ..Config::default()
//! };
//! let context = Context {
//!     session: SessionId([1; 16]),
//!     signer: Arc::new(NodeKey::from_seed(&Seed::from_number(1))),
//!     name: "Ada".into(),
//!     space: None,
//!     access: None,
//! };
//! let now = Timestamp::default();
//! let mut discovery = Discovery::new(config, context, now, Seed::from_number(2));
//! discovery.handle(now, Input::Start);
//! let url = "ws://127.0.0.1:7070/ws".parse().unwrap();
//! assert_eq!(discovery.poll_effect(), Some(Effect::Open { hub: HubId(0), url }));
//! ```

#[cfg(feature = "actor")]
mod actor;
mod challenge;
mod config;
mod effect;
mod error;
mod hex;
mod hub;
mod input;
mod machine;
mod message;
mod refusal;
mod signal;

#[cfg(feature = "actor")]
pub use actor::DiscoveryActor;
pub use challenge::{Nonce, challenge_transcript};
pub use config::Config;
pub use effect::{Effect, Event};
pub use error::MessageError;
pub use hub::{HubId, HubStatus};
pub use input::Input;
pub use machine::{Context, Discovery};
pub use message::{
    CLIENT_MESSAGE_BYTES_MAX, ClientMessage, ErrorCode, NAME_BYTES_MAX, PROTOCOL, RoomPeer,
    SERVER_MESSAGE_BYTES_MAX, ServerMessage, clean_name,
};
pub use signal::{Signal, SignalKind};
