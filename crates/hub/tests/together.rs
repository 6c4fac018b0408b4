//! Both ends of the protocol in memory: discovery machines against a hub machine, on one virtual clock.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::VecDeque, sync::Arc, time::Duration};

use meshwork_base::{Deadline, Machine, NodeId, Seed, SessionId, SpaceId, Timestamp, step};
use meshwork_discovery::{
    Config, Context, Discovery, Effect as Asked, Event, HubId, Input as Told, ServerMessage, Signal,
    SignalKind,
};
use meshwork_hub::{ConnectionId, Effect, Hub, HubConfig, Input};
use meshwork_identity::{KeyedHash, RoomAccess};

const HUB: HubId = HubId(0);

struct World {
    now: Timestamp,
    hub: Option<Hub>,
    clients: Vec<Discovery>,
    /// The connection of each client.
    wires: Vec<Option<ConnectionId>>,
    next: u64,
    to_hub: VecDeque<Input>,
    to_client: VecDeque<(usize, Told)>,
    heard: Vec<Vec<Asked>>,
    found_after_ms: u64,
}

fn session(client: usize) -> SessionId {
    SessionId([client as u8 + 1; 16])
}

impl World {
    fn new(spaces: &[(Option<SpaceId>, Option<u8>)]) -> Self {
        let now = Timestamp::default();
        let client = |(number, (space, access)): (usize, &(Option<SpaceId>, Option<u8>))| {
            let config = Config {
                hubs: vec!["http://hub.example".parse().unwrap()],
                room: "A3B7K9".parse().unwrap(),
                ..Config::default()
            };
            let signer = KeyedHash { node: NodeId([number as u8 + 1; 32]), world: [1; 32] };
            let context = Context {
                session: session(number),
                signer: Arc::new(signer),
                name: format!("client {number}"),
                space: *space,
                access: access.map(|byte| RoomAccess([byte; 32])),
            };
            Discovery::new(config, context, now, Seed::from_number(number as u64))
        };
        let clients: Vec<_> = spaces.iter().enumerate().map(client).collect();
        let mut world = Self {
            now,
            hub: None,
            wires: vec![None; clients.len()],
            heard: vec![Vec::new(); clients.len()],
            clients,
            next: 0,
            to_hub: VecDeque::new(),
            to_client: VecDeque::new(),
            found_after_ms: 0,
        };
        world.start_hub();
        world
    }

    fn start_hub(&mut self) {
        let config = HubConfig {
            hosts: vec!["hub.example".into()],
            found_after_ms: self.found_after_ms,
            ..HubConfig::default()
        };
        let verifier = Arc::new(KeyedHash { node: NodeId::default(), world: [1; 32] });
        self.hub = Some(Hub::new(config, verifier, Seed::from_number(100 + self.next)));
    }

    /// The hub is gone, and with it every connection.
    fn stop_hub(&mut self) {
        self.hub = None;
        self.to_hub.clear();
        for client in 0..self.clients.len() {
            self.cut(client);
        }
        self.settle();
    }

    fn cut(&mut self, client: usize) {
        if let Some(connection) = self.wires[client].take() {
            self.to_hub.push_back(Input::Disconnected { connection });
            self.to_client.push_back((client, Told::Closed { hub: HUB, reason: "cut".into() }));
        }
    }

    fn tell(&mut self, client: usize, input: Option<Told>) {
        let mut effects = Vec::new();
        step(&mut self.clients[client], self.now, input, |effect| effects.push(effect));
        for effect in effects {
            match effect {
                Asked::Open { .. } if self.hub.is_some() => {
                    self.next += 1;
                    let connection = ConnectionId(self.next);
                    self.wires[client] = Some(connection);
                    self.to_hub.push_back(Input::Connected { connection, address: [10, 0, 0, 1].into() });
                    self.to_client.push_back((client, Told::Opened { hub: HUB }));
                }
                Asked::Open { .. } => {
                    self.to_client.push_back((client, Told::Closed { hub: HUB, reason: "refused".into() }));
                }
                Asked::Send { message, .. } => {
                    let message = message.to_json().unwrap();
                    let connection = self.wires[client].unwrap();
                    self.to_hub.push_back(Input::Received { connection, message });
                }
                Asked::Close { .. } => {
                    let connection = self.wires[client].take();
                    self.to_hub.extend(connection.map(|connection| Input::Disconnected { connection }));
                }
                other => self.heard[client].push(other),
            }
        }
    }

    fn tell_hub(&mut self, input: Option<Input>) {
        let Some(hub) = &mut self.hub else { return };
        let mut effects = Vec::new();
        step(hub, self.now, input, |effect| effects.push(effect));
        for effect in effects {
            let client = |id| self.wires.iter().position(|wire| *wire == Some(id));
            match effect {
                Effect::Send { connection, message } => {
                    let message = ServerMessage::from_json(&message.to_json().unwrap()).unwrap();
                    self.to_client.extend(
                        client(connection).map(|client| (client, Told::Received { hub: HUB, message })),
                    );
                }
                Effect::Close { connection, reason } => {
                    let Some(client) = client(connection) else { continue };
                    self.wires[client] = None;
                    self.to_client.push_back((client, Told::Closed { hub: HUB, reason }));
                }
            }
        }
    }

    /// Delivers until nothing is under way.
    fn settle(&mut self) {
        while !self.to_hub.is_empty() || !self.to_client.is_empty() {
            if let Some(input) = self.to_hub.pop_front() {
                self.tell_hub(Some(input));
            }
            if let Some((client, input)) = self.to_client.pop_front() {
                self.tell(client, Some(input));
            }
        }
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now.after(Duration::from_millis(ms));
        loop {
            let deadlines = self.clients.iter().map(Machine::poll_timeout);
            let next = deadlines.fold(self.hub.as_ref().and_then(Machine::poll_timeout), Deadline::earliest);
            let Some(next) = next.filter(|next| next.at <= end.monotonic) else { break };
            self.now = self.now.after(next.at.since(self.now.monotonic));
            self.tell_hub(None);
            (0..self.clients.len()).for_each(|client| self.tell(client, None));
            self.settle();
        }
        self.now = end;
    }

    fn start(&mut self, client: usize) {
        self.tell(client, Some(Told::Start));
        self.settle();
    }

    fn heard(&mut self, client: usize) -> Vec<Asked> {
        std::mem::take(&mut self.heard[client])
    }

    fn signal(&mut self, from: usize, to: usize, body: &str) {
        self.tell(from, Some(Told::Signal { to: session(to), signal: signal(body) }));
        self.settle();
    }
}

fn signal(body: &str) -> Signal {
    Signal { attempt: 1, kind: SignalKind::Offer, body: body.into() }
}

fn found(client: usize) -> Asked {
    Asked::PeerFound { session: session(client), node: NodeId([client as u8 + 1; 32]) }
}

fn gone(client: usize) -> Asked {
    Asked::PeerGone { session: session(client) }
}

fn joined(space: SpaceId) -> Asked {
    Asked::Event(Event::Joined { hub: HUB, space })
}

#[test]
fn strangers_meet_signal_lose_the_hub_and_meet_again() {
    let mut world = World::new(&[(None, None), (None, None), (None, None)]);
    world.start(0);
    let space = world.clients[0].space().unwrap();
    assert_eq!(world.heard(0), [joined(space)]);
    world.start(1);
    assert_eq!(world.heard(1), [joined(space), found(0)], "the newcomer adopts the room's space");
    assert_eq!(world.heard(0), [found(1)]);
    world.signal(0, 1, "offer");
    assert_eq!(world.heard(1), [Asked::Signal { from: session(0), signal: signal("offer") }]);

    world.stop_hub();
    world.pass(20_000);
    let only_unreachable = |effects: Vec<Asked>| {
        assert!(effects.len() > 4);
        effects.iter().all(|effect| matches!(effect, Asked::Event(Event::Unreachable { .. })))
    };
    assert!(only_unreachable(world.heard(0)) && only_unreachable(world.heard(1)), "nobody is gone");

    // The hub comes back knowing nobody. Whoever is first founds the room again, with the space of before.
    world.start_hub();
    world.start(2);
    let stranger = world.clients[2].space().unwrap();
    assert_ne!(stranger, space);
    world.tell(2, Some(Told::Stop));
    world.settle();
    world.heard(2);
    world.pass(60_000);
    let refused = |effects: &[Asked]| matches!(effects.last(), Some(Asked::Event(Event::Refused { .. })));
    assert!(refused(&world.heard(0)), "somebody else took the room while the hub was away");

    world.stop_hub();
    world.start_hub();
    world.pass(120_000);
    let again =
        |effects: Vec<Asked>, peer: usize| effects.contains(&joined(space)) && effects.contains(&found(peer));
    assert!(again(world.heard(0), 1) && again(world.heard(1), 0));
    world.signal(1, 0, "again");
    assert_eq!(world.heard(0), [Asked::Signal { from: session(1), signal: signal("again") }]);
}

#[test]
fn after_a_restart_members_come_before_newcomers() {
    let mut world = World::new(&[(None, None), (None, None), (None, None)]);
    world.found_after_ms = 2_000;
    world.start(0);
    let space = world.clients[0].space().unwrap();
    world.stop_hub();
    world.start_hub();
    // Newcomers are there before the only member, and wait for it.
    world.start(1);
    world.start(2);
    assert_eq!((world.heard(1), world.heard(2)), (vec![], vec![]));
    world.pass(1_000);
    assert_eq!(world.heard(1), [joined(space), found(0), found(2)]);
    assert_eq!(world.heard(2)[0], joined(space));

    // Where no member comes, the first of them begins, once the hub is old enough.
    let mut world = World::new(&[(None, None), (None, None)]);
    world.found_after_ms = 2_000;
    world.start_hub();
    world.start(0);
    world.start(1);
    world.pass(1_900);
    assert_eq!((world.clients[0].space(), world.clients[1].space()), (None, None));
    world.pass(200);
    let space = world.clients[0].space();
    assert!(space.is_some() && world.clients[1].space() == space);
}

#[test]
fn who_comes_back_in_time_was_never_away() {
    let mut world = World::new(&[(None, None), (None, None)]);
    world.start(0);
    world.start(1);
    let space = world.clients[0].space().unwrap();
    world.heard(0);
    world.heard(1);
    world.cut(1);
    world.settle();
    world.signal(0, 1, "meanwhile");
    world.pass(10_000);
    assert_eq!(world.heard(0), []);
    let effects = world.heard(1);
    let expected = [joined(space), found(0), Asked::Signal { from: session(0), signal: signal("meanwhile") }];
    assert_eq!(effects[1..], expected);

    world.tell(1, Some(Told::Stop));
    world.settle();
    assert_eq!(world.heard(0), [gone(1)]);
}

#[test]
fn a_quiet_room_lives_on_heartbeats() {
    let mut world = World::new(&[(None, None), (None, None)]);
    world.start(0);
    world.start(1);
    world.heard(0);
    world.heard(1);
    world.pass(3 * 3_600_000);
    assert_eq!((world.heard(0), world.heard(1)), (vec![], vec![]));
    assert_eq!(world.hub.as_ref().unwrap().stats().peers, 2);
}

#[test]
fn wrong_passwords_and_other_spaces_are_refused_clearly() {
    let space = SpaceId([7; 16]);
    let mut world = World::new(&[
        (Some(space), Some(1)),
        (Some(space), Some(2)),
        (Some(SpaceId([8; 16])), Some(1)),
        (None, Some(1)),
    ]);
    (0..4).for_each(|client| world.start(client));
    let reason = |effects: Vec<Asked>| match &effects[..] {
        [Asked::Event(Event::Refused { reason, .. })] => reason.clone(),
        other => panic!("{other:?}"),
    };
    assert!(reason(world.heard(1)).starts_with("wrong password"));
    assert!(reason(world.heard(2)).starts_with("this room belongs to another space"));
    assert_eq!(world.heard(3), [joined(space), found(0)]);
    assert_eq!(world.heard(0), [joined(space), found(3)]);
    assert_eq!(world.clients[1].poll_timeout(), None, "a wrong password is not tried again");
}
