//! Transport: an honest pair on a network that fails, forges and listens, and strangers at the hub.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use meshwork_base::{Bytes, NodeId, ReplicaId, Seed, SessionId};
use meshwork_identity::{KeyedHash, SpaceSecret};
use meshwork_transport::{
    Config, ConnectionEvent, Context, Effect, Input, LinkId, LinkState, MemoryNetwork, Signal, SignalKind,
    Transport,
};
use meshwork_wire::{Channel, FrameWriter, Protocol};
use serde::{Deserialize, Serialize};

use super::session;
use crate::{SPACE, driven::Passing, script};

/// What may happen. `at` is one of the pair.
#[derive(Debug, Serialize, Deserialize)]
pub enum Step {
    /// The pair find each other.
    Introduce,
    /// Somebody else is found, who never answers.
    Found { at: u8, peer: u8 },
    /// A session left the room.
    Gone { at: u8, peer: u8 },
    /// A payload for the other, in units of 64 bytes.
    Send { at: u8, channel: u8, size: u8 },
    /// A frame that the other did not send.
    Frame { at: u8, channel: u8 },
    /// A message that the other did not send: about the link, or for another machine.
    Message { at: u8, channel: u8, protocol: u8 },
    /// A signal of anybody.
    Signal { at: u8, from: u8, kind: u8, attempt: u8, link: u8 },
    /// A connection, known or not, tells something.
    Connection { at: u8, link: u8, kind: u8 },
    /// Another machine complains.
    Misbehaved { at: u8, peer: u8 },
    /// Nothing arrives any more, or all does again.
    Silence { on: u8 },
    /// The connections between the pair break.
    Disconnect,
    /// The other takes nothing any more, or does again.
    Hold { at: u8, on: u8 },
    /// It ends, and starts again as the same session.
    Restart { at: u8 },
    /// It says goodbye.
    Close { at: u8 },
    /// Time passes.
    Pass { how: u8 },
}

impl script::Step for Step {
    const KINDS: u8 = 15;
}

/// Runs a fuzz input.
pub fn run(data: &[u8]) {
    let mut world = World::new();
    for (step, bytes) in script::steps(data) {
        world.happen(step, bytes);
        world.check();
    }
}

const LINKS_MAX: usize = 2;
const PEERS_MAX: usize = 3;
const QUEUE_HARD_BYTES_MAX: usize = 64 * 1024;

struct World {
    /// Told the same.
    networks: [MemoryNetwork; 2],
    /// With whom each of the pair is linked, and who of these is congested.
    linked: [BTreeSet<SessionId>; 2],
    congested: [BTreeSet<SessionId>; 2],
}

fn pair(at: u8) -> (usize, SessionId, SessionId) {
    let at = at % 2;
    (at.into(), session(at), session(1 - at))
}

impl World {
    fn new() -> Self {
        let networks = std::array::from_fn(|_| MemoryNetwork::new(Duration::from_millis(5)));
        let mut world = Self { networks, linked: Default::default(), congested: Default::default() };
        world.begin(0);
        world.begin(1);
        world.check();
        world
    }

    fn begin(&mut self, at: u8) {
        let config = Config {
            links_max: LINKS_MAX,
            peers_max: PEERS_MAX,
            batch_above_bytes: 256,
            queue_bytes_max: 16 * 1024,
            queue_low_bytes: 4 * 1024,
            queue_hard_bytes_max: QUEUE_HARD_BYTES_MAX,
            ..Config::default()
        };
        assert_eq!(config.validate(), Ok(()));
        let (_, session, _) = pair(at);
        for network in &mut self.networks {
            let signer = Arc::new(KeyedHash { node: NodeId([session.0[0]; 32]), world: [0; 32] });
            let secret = SpaceSecret::open(&SPACE);
            let (space, durable, verifier) = (SPACE, true, signer.clone());
            let context = Context { space, secret, session, durable, signer, verifier };
            network.add(Transport::new(config.clone(), context, network.now(), Seed::from_number(1)));
        }
        self.input(at, Input::Incarnation { replica: ReplicaId(session.0) });
    }

    fn input(&mut self, at: u8, input: Input) {
        let (_, session, _) = pair(at);
        self.both(|network| network.input(session, input.clone()));
    }

    fn both(&mut self, act: impl Fn(&mut MemoryNetwork)) {
        self.networks.iter_mut().for_each(act);
    }

    fn happen(&mut self, step: Step, bytes: &[u8]) {
        let text = || String::from_utf8_lossy(bytes).into_owned();
        match step {
            Step::Introduce => self.both(|network| network.introduce(session(0), session(1))),
            Step::Found { at, peer } => {
                let (session, node) = (session(2 + peer % 4), NodeId([3 + peer % 4; 32]));
                self.input(at, Input::PeerFound { session, node });
            }
            Step::Gone { at, peer } => self.input(at, Input::PeerGone { session: session(peer) }),
            Step::Send { at, channel, size } => {
                let channel = Channel::RELIABLE[usize::from(channel) % Channel::RELIABLE.len()];
                let payload =
                    Bytes::from(Seed::from_number(size.into()).random().bytes::<64>().repeat(size.into()));
                let (_, _, to) = pair(at);
                self.input(at, Input::Send { to, channel, protocol: Protocol::OpLog, payload });
            }
            Step::Frame { at, channel } => self.inject(at, channel, Bytes::copy_from_slice(bytes)),
            Step::Message { at, channel, protocol } => {
                let protocol =
                    [Protocol::Link, Protocol::OpLog, Protocol::Presence][usize::from(protocol % 3)];
                let mut writer = FrameWriter::default();
                let pushed = writer.push(protocol, Bytes::copy_from_slice(bytes));
                if let Some(frame) = pushed.ok().and_then(|()| writer.finish()) {
                    self.inject(at, channel, frame);
                }
            }
            Step::Signal { at, from, kind, attempt, link } => {
                let from = session(from);
                let body = if bytes.is_empty() { format!("{from} {link}") } else { text() };
                let kind = match kind % 3 {
                    0 => SignalKind::Offer(body),
                    1 => SignalKind::Answer(body),
                    _ => SignalKind::Candidate(body),
                };
                self.input(at, Input::Signal { from, signal: Signal { attempt: attempt.into(), kind } });
            }
            Step::Connection { at, link, kind } => {
                let event = match kind % 4 {
                    0 => ConnectionEvent::Closed { reason: text() },
                    1 => ConnectionEvent::Candidate(text()),
                    2 => ConnectionEvent::Described(text()),
                    _ => ConnectionEvent::Received {
                        channel: Channel::Control,
                        frame: Bytes::copy_from_slice(bytes),
                    },
                };
                self.input(at, Input::Connection { link: LinkId(link.into()), event });
            }
            Step::Misbehaved { at, peer } => {
                self.input(at, Input::Misbehaved { peer: session(peer), reason: text() });
            }
            Step::Silence { on } if on % 2 == 0 => {
                self.both(|network| network.silence(session(0), session(1)));
            }
            Step::Silence { .. } => self.both(|network| network.heal(session(0), session(1))),
            Step::Disconnect => self.both(|network| network.disconnect(session(0), session(1))),
            Step::Hold { at, on } => {
                let (_, from, to) = pair(at);
                match on % 2 {
                    0 => self.both(|network| network.hold_sent(from, to)),
                    _ => self.both(|network| network.release_sent(from, to)),
                }
            }
            Step::Restart { at } => {
                let (index, session, _) = pair(at);
                self.both(|network| drop(network.kill(session)));
                self.linked[index].clear();
                self.congested[index].clear();
                self.begin(at);
            }
            Step::Close { at } => self.input(at, Input::Close),
            Step::Pass { how } => match Passing::chosen(how) {
                Passing::Awake(span) => self.both(|network| network.advance(span)),
                Passing::Asleep(span) => self.both(|network| {
                    network.sleep(span);
                    network.advance(Duration::from_millis(50));
                }),
                Passing::SetBack => {}
            },
        }
    }

    fn inject(&mut self, at: u8, channel: u8, frame: Bytes) {
        let channel = Channel::ALL[usize::from(channel) % Channel::ALL.len()];
        let (_, to, from) = pair(at);
        self.both(|network| network.inject(from, to, channel, frame.clone()));
    }

    /// Links come, carry and go in this order, within their bounds.
    fn check(&mut self) {
        for at in [0, 1] {
            let (at, session, _) = pair(at);
            let told = self.networks.each_mut().map(|network| network.take(session));
            assert_eq!(told[0], told[1], "the same inputs give the same effects");
            let [told, _] = told;
            told.into_iter().for_each(|effect| self.told(at, effect));
            let links = self.networks[0].transport(session).expect("it is there").links();
            let active = links.iter().filter(|link| !matches!(link.state, LinkState::Waiting { .. }));
            assert!(active.count() <= LINKS_MAX && links.len() <= PEERS_MAX);
            assert!(links.iter().all(|link| link.queued_bytes <= QUEUE_HARD_BYTES_MAX));
        }
    }

    fn told(&mut self, at: usize, effect: Effect) {
        let (linked, congested) = (&mut self.linked[at], &mut self.congested[at]);
        match effect {
            Effect::PeerUp(peer) => {
                assert!(linked.insert(peer.session), "a link comes twice");
                assert_eq!(peer.node, NodeId([peer.session.0[0]; 32]), "a link is with whom it claims");
            }
            Effect::PeerDown { peer, .. } => {
                assert!(linked.remove(&peer), "a link goes that is not there");
                congested.remove(&peer);
            }
            Effect::Deliver { from, .. } => assert!(linked.contains(&from), "somebody speaks without a link"),
            Effect::Congested { peer } => assert!(linked.contains(&peer) && congested.insert(peer)),
            Effect::Drained { peer } => assert!(linked.contains(&peer) && congested.remove(&peer)),
            Effect::Event(_) | Effect::Connection { .. } | Effect::Signal { .. } => {}
        }
    }
}
