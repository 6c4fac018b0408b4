//! Who is here and what they show: heartbeats, failure detection, capabilities, ephemeral values.
//!
//! Every session sends a numbered **heartbeat** over each of its links, and passes on what it heard of others since the
//! last one. So a member lives as long as *somebody* hears it, whether or not it is linked with us:
//!
//! ```text
//!   A ── heartbeat 7 ──► B ── heartbeat 4; of A: beat 7, 2 s ago ──► C        A and C have no link
//! ```
//!
//! A session also says which others it hears itself ([`Message::Hears`], whenever that changes), and nobody passes on to it
//! what it hears of those. So in a full mesh heartbeats say nothing of others, and cost the square of the members instead
//! of the cube. Whom it has not heard for a while, a session takes off its list early enough to be told by others before
//! it would give the member up.
//!
//! And of those who hear both a member and a session that does not hear it, three tell that one, whom all of them know:
//! the nearest to a place that the two sessions determine.
//!
//! A rumour names a beat, and says how old that beat is. It counts if it makes the member's last sign later, under a
//! higher beat; the same beat never counts twice. So it cannot go in circles and keep a dead member alive: everybody gives
//! a member up [`Config::stale_ms`] after it was last heard by anybody. Under a lower beat the sign has to be later by half
//! a heartbeat: a beat can be made up with any number, but with no moment that is still to come. What was made up is
//! corrected by the next beats, and a profile with the next time that it is told, every twenty beats.
//!
//! # Ephemeral values
//!
//! A session can show others a few small values for a while: a cursor, a selection, that somebody is typing. They are
//! neither stored nor confirmed, and travel over the lossy channel of each link. A [`Datagram`] stands alone:
//!
//! ```text
//!   version 9; alive: 9, 7, 4; 9 is cursor = {"line": 7}, for 4.9 s        a value's counter is the version it came with
//! ```
//!
//! Its receiver takes the newest version that it has heard of as the whole truth about which of the sender's values live,
//! and any datagram's word for what these are. So nothing has to be said, or remembered, of values that are no more:
//! what is late finds its counter not among the living. What is lost comes again with the next datagram, which repeats
//! what it has room for, or with the refresh ([`Config::values_refresh_ms`]); after a value was cleared the refresh goes
//! on until nobody can show it any more. Values go with their member, and outlast a link.
//!
//! They reach the members that are linked and are not passed on. In a full mesh that would send every move of a cursor
//! from everybody to everybody, unless each asked for the sessions with which it has no link; and what a relay made up
//! could not be told from what it was shown.
//!
//! # Invariants
//!
//! - What a member says over its own link stands over anything that others say of it. Until then its profile is marked
//!   as [`hearsay`](Member::hearsay); its node is proven by the handshake, never by a rumour.
//! - Whoever said goodbye is gone at once, for the unlinked too, and late rumours do not bring it back.
//! - A link's end is not a member's end.
//! - After a pause of its own process a machine gives everybody one more heartbeat before it calls them stale.
//! - `Joined` or `Returned`, any number of `Changed`, `ValueSet` and `ValueGone`, then `Left`: every member's events come
//!   in this order, and when it has left, none of its values is set.
//! - No value comes back after a newer one of its key, or its end, was shown; and none outlives its time to live by more
//!   than its datagram's time on the way.
//!
//! Heartbeats are not signed: a member that lies can make us believe that somebody with whom we have no link is here or
//! gone. It has to go on lying for that: once it stops, its lies are gone after at most [`Config::away_stale_ms`], and
//! those that hide somebody who is here, after about a minute. Of whom we are linked with, nobody can lie to us. Nothing
//! but what people see depends on presence.
//!
//! ```
//! use meshwork_base::{Machine, NodeId, SessionId, Timestamp, step};
//! use meshwork_presence::{Capabilities, Config, Context, Effect, Event, Input, Presence};
//!
//! let session = |id| (SessionId([id; 16]), NodeId([id; 32]));
//! let start = |id, name: &str| {
//!     let (session, node) = session(id);
//!     let capabilities = Capabilities::default().with("kind", "native").unwrap();
//!     let context = Context { session, node, name: name.into(), capabilities };
//!     Presence::new(Config::default(), context, Timestamp::default())
//! };
//! let (mut ada, mut bob) = (start(1, "Ada"), start(2, "Bob"));
//! let now = Timestamp::default();
//!
//! // A new link gets a heartbeat at once.
//! let mut sent = Vec::new();
//! let (peer, node) = session(2);
//! step(&mut ada, now, Some(Input::PeerUp { peer, node }), |effect| sent.push(effect));
//! let (peer, node) = session(1);
//! bob.handle(now, Input::PeerUp { peer, node });
//! for effect in sent {
//!     let Effect::Send { message, .. } = effect else { continue };
//!     bob.handle(now, Input::Received { from: peer, message });
//! }
//! let joined = std::iter::from_fn(|| bob.poll_effect()).find_map(|effect| match effect {
//!     Effect::Event(Event::Joined(member)) => Some(member.name),
//!     _ => None,
//! });
//! assert_eq!(joined.as_deref(), Some("Ada"));
//! assert_eq!(bob.members().len(), 1);
//! ```

#[cfg(feature = "actor")]
mod actor;
mod capabilities;
mod config;
mod datagram;
mod effect;
mod ephemeral;
mod error;
mod heartbeat;
mod input;
mod links;
mod machine;
mod member;
mod message;
mod roster;
mod values;

#[cfg(feature = "actor")]
pub use actor::PresenceActor;
pub use capabilities::{
    CAPABILITIES_MAX, CAPABILITY_NAME_BYTES_MAX, CAPABILITY_VALUE_BYTES_MAX, Capabilities,
};
pub use config::Config;
pub use datagram::{
    Datagram, SESSION_VALUES_BYTES_MAX, Shown, VALUE_BYTES_MAX, VALUE_KEY_BYTES_MAX, VALUE_TTL_MS_MAX,
    VALUES_MAX,
};
pub use effect::{Effect, Event};
pub use error::PresenceError;
pub use input::Input;
pub use machine::{Context, Presence};
pub use member::{Member, NAME_BYTES_MAX, Profile, STATUS_BYTES_MAX};
pub use message::{HEARS_MAX, Message, News, RUMOURS_MAX, Rumour};
