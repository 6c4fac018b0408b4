//! Links to peers.
//!
//! [`Transport`] is a machine: it decides when to connect to whom, proves who is at the other end, keeps links alive, and
//! queues what is sent. It touches no socket. A performer makes connections for it: `webrtc` natively (feature
//! `native`), the browser's own in a tab, and [`MemoryNetwork`] between transports of one process.
//!
//! # The life of a link
//!
//! ```text
//!  PeerFound ──► waiting ──► signalling ──► connecting ──► handshake ──► up
//!                   ▲         descriptions    candidates    Hello, Proof,  │ any byte keeps it alive,
//!                   │         by way of the   are tried     Ready on the   │ silence is pinged, then dead
//!                   │         hub                           open channel   │
//!                   └──────────── backoff with jitter ◄────────────────────┘
//! ```
//!
//! The session with the smaller id offers; the other one waits a little and then offers itself. When two offers cross,
//! the one of the smaller session stands. Each attempt has an id of its own, so that what arrives late for an earlier
//! attempt is not taken for the present one.
//!
//! # Invariants
//!
//! - Nothing is delivered before the handshake is done: both sides signed both `Hello`s and both DTLS certificates with
//!   their node keys, and showed that they know the space's secret. A hub that swaps a key or a certificate fails.
//! - A session has at most one link that is up. A newer connection takes its place once its handshake is done.
//! - At most [`IN_FLIGHT_BYTES_MAX`] are outstanding on a channel; what is beyond waits in that peer's own queue. A full
//!   queue is told ([`Effect::Congested`]), an overfull one costs the link; nothing is lost in silence.
//! - The lossy channel never waits behind the others, and nothing waits behind it: when it is congested its oldest
//!   datagrams give way ([`Config::lossy_datagrams_max`]). It carries ephemeral values, and nothing else does.
//! - Bytes that cannot be told from garbage cost the link at once, and the node some time of being ignored.
//!
//! # Example
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use meshwork_base::{NodeId, ReplicaId, Seed, SessionId, SpaceId, Timestamp};
//! use meshwork_identity::{KeyedHash, SpaceSecret};
//! use meshwork_transport::{Config, Context, Effect, Input, MemoryNetwork, Transport};
//! use meshwork_wire::{Channel, Protocol};
//!
//! let transport = |number: u8| {
//!     let signer = Arc::new(KeyedHash { node: NodeId([number; 32]), world: [0; 32] });
//!     let space = SpaceId([7; 16]);
//!     let context = Context {
//!         space,
//!         secret: SpaceSecret::open(&space),
//!         session: SessionId([number; 16]),
//!         durable: true,
//!         signer: signer.clone(),
//!         verifier: signer,
//!     };
//!     Transport::new(Config::default(), context, Timestamp::default(), Seed::from_number(number.into()))
//! };
//! let (a, b) = (SessionId([1; 16]), SessionId([2; 16]));
//! let mut network = MemoryNetwork::new(Duration::from_millis(5));
//! network.add(transport(1));
//! network.add(transport(2));
//! for session in [a, b] {
//!     network.input(session, Input::Incarnation { replica: ReplicaId(session.0) });
//! }
//! network.introduce(a, b);
//! network.advance(Duration::from_secs(1));
//! assert!(network.take(a).iter().any(|effect| matches!(effect, Effect::PeerUp(peer) if peer.session == b)));
//!
//! let payload = b"hello".to_vec().into();
//! network.input(a, Input::Send { to: b, channel: Channel::Live, protocol: Protocol::OpLog, payload });
//! network.advance(Duration::from_millis(5));
//! assert!(network.take(b).iter().any(|effect| matches!(effect, Effect::Deliver { payload, .. } if payload == "hello")));
//! ```

#[cfg(feature = "actor")]
mod actor;
mod attempt;
mod conduct;
mod config;
mod dial;
mod effect;
mod error;
mod handshake;
mod input;
mod lane;
mod link;
mod liveness;
mod lossy;
mod machine;
mod memory;
mod message;
mod peer;
mod signal;
mod status;
mod timers;
mod traffic;
#[cfg(feature = "native")]
pub mod webrtc;

#[cfg(feature = "actor")]
pub use actor::TransportActor;
pub use config::Config;
pub use effect::{ConnectionAction, Effect, Event, Peer, Stage};
pub use error::Refusal;
pub use input::{ConnectionEvent, Input};
pub use lane::IN_FLIGHT_BYTES_MAX;
pub use machine::{Context, Transport};
pub use memory::MemoryNetwork;
pub use message::{Farewell, Hello, LINK_VERSION, Message, Proof};
pub use signal::{Fingerprints, LinkId, Signal, SignalKind};
pub use status::{LinkState, LinkStatus, Traffic};
