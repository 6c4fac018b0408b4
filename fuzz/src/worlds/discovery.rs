//! Discovery: two hubs that may be down, lie and speak out of turn, and an honest performer.

use std::collections::BTreeMap;

use meshwork_base::{NodeId, Seed, SessionId, SpaceId};
use meshwork_discovery::{
    ClientMessage, Config, Context, Discovery, Effect, ErrorCode, HubId, Input, Nonce, PROTOCOL, RoomPeer,
    ServerMessage, Signal, SignalKind,
};
use serde::{Deserialize, Serialize};

use super::{node, session};
use crate::{Driven, Gullible, driven, script};

/// What may happen.
#[derive(Debug, Serialize, Deserialize)]
pub enum Step {
    /// The application begins.
    Start,
    /// The application ends.
    Stop,
    /// A WebSocket that was asked for is open.
    Opened { hub: u8 },
    /// A WebSocket breaks, or cannot be opened.
    Closed { hub: u8 },
    /// A hub's challenge.
    Challenge { hub: u8, protocol: u8 },
    /// A hub believes us.
    Authenticated { hub: u8 },
    /// A hub says that we are in the room, with these sessions (a bit for each).
    Joined { hub: u8, space: u8, peers: u8 },
    /// Somebody came.
    PeerJoined { hub: u8, peer: u8 },
    /// Somebody left.
    PeerLeft { hub: u8, peer: u8 },
    /// Somebody's signal.
    Signal { hub: u8, from: u8, kind: u8 },
    /// A hub answers a heartbeat.
    Ack { hub: u8 },
    /// A hub refuses something.
    Refused { hub: u8, code: u8 },
    /// A hub sends text.
    Raw { hub: u8 },
    /// We signal somebody.
    Carry { to: u8, kind: u8 },
    /// Time passes.
    Pass { how: u8 },
}

impl script::Step for Step {
    const KINDS: u8 = 15;
}

/// Runs a fuzz input. Its first byte says whether we bring a space.
pub fn run(data: &[u8]) {
    let Some((brings, data)) = data.split_first() else { return };
    let mut world = World::new((brings % 2 == 1).then(|| space(0)));
    for (step, bytes) in script::steps(data) {
        world.happen(step, bytes);
    }
}

const HUBS: usize = 2;
const PEERS_MAX: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Socket {
    Closed,
    Opening,
    Open,
}

struct World {
    discovery: Driven<Discovery>,
    sockets: [Socket; HUBS],
    /// Who can be found, by what was told.
    found: BTreeMap<SessionId, NodeId>,
    space: Option<SpaceId>,
}

fn space(chosen: u8) -> SpaceId {
    SpaceId([chosen % 3; 16])
}

fn peer(chosen: u8) -> RoomPeer {
    RoomPeer { session: session(chosen), node: node(chosen), name: "bob".into() }
}

fn signal(kind: u8, bytes: &[u8]) -> Signal {
    let kind = [SignalKind::Offer, SignalKind::Answer, SignalKind::Candidate][usize::from(kind % 3)];
    Signal { attempt: 4, kind, body: String::from_utf8_lossy(bytes).into() }
}

fn code(chosen: u8) -> ErrorCode {
    use ErrorCode::*;
    let codes = [
        Malformed,
        TooFast,
        BadSignature,
        Replaced,
        WrongPassword,
        TooManyFailures,
        SpaceMismatch,
        RoomFull,
        UnknownPeer,
        HeartbeatTimeout,
        Unknown,
    ];
    codes[usize::from(chosen) % codes.len()]
}

impl World {
    fn new(space: Option<SpaceId>) -> Self {
        let hubs = ["http://one.invalid", "http://two.invalid"];
        let config = Config {
            hubs: hubs.map(|hub| hub.parse().expect("a link")).to_vec(),
            room: "A3B7K9".parse().expect("a code"),
            peers_max: PEERS_MAX,
            ..Config::default()
        };
        assert_eq!(config.validate(), Ok(()));
        let discovery = Driven::new(|| {
            let signer = Gullible::signer();
            let context = Context { session: session(0), signer, name: "ada".into(), space, access: None };
            Discovery::new(config.clone(), context, driven::start(), Seed::from_number(1))
        });
        Self { discovery, sockets: [Socket::Closed; HUBS], found: BTreeMap::new(), space }
    }

    fn happen(&mut self, step: Step, bytes: &[u8]) {
        match step {
            Step::Start => self.feed(Input::Start),
            Step::Stop => self.feed(Input::Stop),
            Step::Opened { hub } => {
                let at = usize::from(hub) % HUBS;
                if self.sockets[at] == Socket::Opening {
                    self.sockets[at] = Socket::Open;
                    self.feed(Input::Opened { hub: HubId(at as u16) });
                }
            }
            Step::Closed { hub } => {
                let at = usize::from(hub) % HUBS;
                if std::mem::replace(&mut self.sockets[at], Socket::Closed) != Socket::Closed {
                    self.feed(Input::Closed { hub: HubId(at as u16), reason: "it broke".into() });
                }
            }
            Step::Challenge { hub, protocol } => {
                let protocol = PROTOCOL + u64::from(protocol / 128);
                self.hear(
                    hub,
                    ServerMessage::Challenge { nonce: Nonce([3; 32]), protocol, hub: "hub".into() },
                );
            }
            Step::Authenticated { hub } => self.hear(hub, ServerMessage::Authenticated),
            Step::Joined { hub, space: chosen, peers } => {
                let peers = (0..6).filter(|bit| peers & 1 << bit != 0).map(peer).collect();
                self.hear(hub, ServerMessage::Joined { space: space(chosen), peers });
            }
            Step::PeerJoined { hub, peer: who } => {
                self.hear(hub, ServerMessage::PeerJoined { peer: peer(who) })
            }
            Step::PeerLeft { hub, peer } => {
                self.hear(hub, ServerMessage::PeerLeft { session: session(peer) });
            }
            Step::Signal { hub, from, kind } => {
                self.hear(hub, ServerMessage::signal(session(from), signal(kind, bytes)));
            }
            Step::Ack { hub } => self.hear(hub, ServerMessage::HeartbeatAck),
            Step::Refused { hub, code: chosen } => {
                let message = String::from_utf8_lossy(bytes).into();
                self.hear(hub, ServerMessage::Error { code: code(chosen), message });
            }
            Step::Raw { hub } => {
                if let Ok(message) = ServerMessage::from_json(&String::from_utf8_lossy(bytes)) {
                    self.hear(hub, message);
                }
            }
            Step::Carry { to, kind } => {
                self.feed(Input::Signal { to: session(to), signal: signal(kind, bytes) });
            }
            Step::Pass { how } => {
                let effects = self.discovery.pass(how);
                self.check(effects);
            }
        }
    }

    fn hear(&mut self, hub: u8, message: ServerMessage) {
        let at = usize::from(hub) % HUBS;
        if self.sockets[at] == Socket::Open {
            self.feed(Input::Received { hub: HubId(at as u16), message });
        }
    }

    fn feed(&mut self, input: Input) {
        let stops = matches!(input, Input::Stop);
        let effects = self.discovery.feed(input);
        if stops {
            self.found.clear();
        }
        self.check(effects);
    }

    /// WebSockets are opened, used and closed in this order; peers are found before they are gone; the space is
    /// kept.
    fn check(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Open { hub, .. } => self.socket(hub, &[Socket::Closed], Socket::Opening),
                Effect::Close { hub } => self.socket(hub, &[Socket::Opening, Socket::Open], Socket::Closed),
                Effect::Send { hub, message } => {
                    self.socket(hub, &[Socket::Open], Socket::Open);
                    let text = message.to_json().expect("what we say can be sent");
                    assert_eq!(ClientMessage::from_json(&text), Ok(message));
                }
                Effect::PeerFound { session, node } => drop(self.found.insert(session, node)),
                Effect::PeerGone { session } => {
                    assert!(self.found.remove(&session).is_some(), "somebody goes who was not found");
                }
                Effect::Signal { from, .. } => assert!(self.found.contains_key(&from)),
                Effect::Event(_) => {}
            }
        }
        let discovery = self.discovery.machine();
        assert!(discovery.peers().keys().eq(self.found.keys()));
        assert!(discovery.hubs().all(|hub| hub.peers <= PEERS_MAX));
        assert!(self.space.is_none() || discovery.space() == self.space, "a space is kept");
        self.space = discovery.space();
    }

    fn socket(&mut self, hub: HubId, from: &[Socket], to: Socket) {
        let socket = &mut self.sockets[usize::from(hub.0)];
        assert!(from.contains(socket), "{hub:?} is {socket:?}");
        *socket = to;
    }
}
