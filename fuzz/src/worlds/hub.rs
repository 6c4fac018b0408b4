//! The hub: connections from anywhere that say anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

use meshwork_base::{Seed, SessionId, SpaceId};
use meshwork_discovery::{ClientMessage, ErrorCode, ServerMessage, Signal, SignalKind};
use meshwork_hub::{ConnectionId, Effect, Hub, HubConfig, Input};
use meshwork_identity::{RoomAccess, RoomCode, Signature};
use serde::{Deserialize, Serialize};

use super::{node, session};
use crate::{Driven, Gullible, script};

/// What may happen. Connections are chosen among those that are open.
#[derive(Debug, Serialize, Deserialize)]
pub enum Step {
    /// Somebody connects.
    Connect { address: u8 },
    /// A connection is gone.
    Gone { connection: u8 },
    /// The server saw a violation.
    Violated { connection: u8 },
    /// Somebody says who it is.
    Authenticate { connection: u8, session: u8, node: u8, host: u8 },
    /// Somebody enters a room, with a password unless that is 0.
    Join { connection: u8, room: u8, space: u8, adopt: u8, password: u8 },
    /// A signal for somebody.
    Signal { connection: u8, to: u8, kind: u8 },
    /// A sign of life.
    Beat { connection: u8 },
    /// Somebody leaves its room.
    Leave { connection: u8 },
    /// Text.
    Raw { connection: u8 },
    /// Time passes.
    Pass { how: u8 },
}

impl script::Step for Step {
    const KINDS: u8 = 10;
}

/// Runs a fuzz input.
pub fn run(data: &[u8]) {
    let mut world = World::new();
    for (step, bytes) in script::steps(data) {
        world.happen(step, bytes);
    }
}

struct World {
    hub: Driven<Hub>,
    config: HubConfig,
    open: BTreeSet<ConnectionId>,
    connections: u64,
    /// Who is at the other end.
    sessions: BTreeMap<ConnectionId, SessionId>,
    /// The room that was asked for last on a connection. The answer may take its time.
    asked: BTreeMap<ConnectionId, RoomCode>,
    /// The room that a session entered last.
    rooms: BTreeMap<SessionId, RoomCode>,
}

impl World {
    fn new() -> Self {
        let config = HubConfig {
            hosts: vec!["hub.example".into()],
            rooms_max: 2,
            peers_per_room_max: 3,
            connections_max: 6,
            connections_per_address_max: 3,
            messages_burst_max: 50,
            password_failures_max: 3,
            waiting_signals_max: 2,
            ..HubConfig::default()
        };
        assert_eq!(config.validate(), Ok(()));
        let hub = Driven::new(|| Hub::new(config.clone(), Gullible::verifier(), Seed::from_number(1)));
        let (open, sessions, asked, rooms) = Default::default();
        Self { hub, config, open, connections: 0, sessions, asked, rooms }
    }

    fn chosen(&self, connection: u8) -> Option<ConnectionId> {
        self.open.iter().nth(usize::from(connection) % self.open.len().max(1)).copied()
    }

    fn happen(&mut self, step: Step, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        match step {
            Step::Connect { address } => {
                self.connections += 1;
                let connection = ConnectionId(self.connections);
                self.open.insert(connection);
                let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, address % 3));
                self.feed(Input::Connected { connection, address });
            }
            Step::Gone { connection } => {
                let Some(connection) = self.chosen(connection) else { return };
                self.open.remove(&connection);
                self.feed(Input::Disconnected { connection });
            }
            Step::Violated { connection } => {
                let Some(connection) = self.chosen(connection) else { return };
                self.feed(Input::Violated { connection, code: ErrorCode::TooLarge });
            }
            Step::Authenticate { connection, session: chosen, node: of, host } => {
                let host = if host < 200 { "hub.example" } else { "elsewhere" }.into();
                let (session, name, signature) = (session(chosen), text.into(), Signature([0; 64]));
                self.say(
                    connection,
                    ClientMessage::Authenticate { node: node(of), session, name, host, signature },
                );
            }
            Step::Join { connection, room, space, adopt, password } => {
                let room = ["A3B7K9", "000000", "ZZZZZZ"][usize::from(room % 3)].parse().expect("a code");
                let access = (password > 0).then_some(RoomAccess([password; 32]));
                let space = SpaceId([space % 2; 16]);
                self.say(connection, ClientMessage::Join { room, space, adopt: adopt % 2 == 1, access });
            }
            Step::Signal { connection, to, kind } => {
                let kind =
                    [SignalKind::Offer, SignalKind::Answer, SignalKind::Candidate][usize::from(kind % 3)];
                let signal = Signal { attempt: 4, kind, body: text.into() };
                self.say(connection, ClientMessage::signal(session(to), signal));
            }
            Step::Beat { connection } => self.say(connection, ClientMessage::Heartbeat),
            Step::Leave { connection } => self.say(connection, ClientMessage::Leave),
            Step::Raw { connection } => {
                let Some(connection) = self.chosen(connection) else { return };
                self.feed(Input::Received { connection, message: text.into() });
            }
            Step::Pass { how } => {
                let effects = self.hub.pass(how);
                self.check(effects, None);
            }
        }
    }

    fn say(&mut self, connection: u8, message: ClientMessage) {
        let Some(connection) = self.chosen(connection) else { return };
        // What is too long for a client to send may come from a stranger all the same.
        let Ok(text) = message.to_json() else { return };
        self.feed(Input::Received { connection, message: text });
    }

    fn feed(&mut self, input: Input) {
        let said = match &input {
            Input::Received { connection, message } => {
                ClientMessage::from_json(message).ok().map(|message| (*connection, message))
            }
            _ => None,
        };
        if let Some((connection, ClientMessage::Join { room, .. })) = &said {
            self.asked.insert(*connection, *room);
        }
        let effects = self.hub.feed(input);
        self.check(effects, said);
    }

    /// Nothing is said on a connection that is closed, signals stay in their room, and the bounds hold.
    fn check(&mut self, effects: Vec<Effect>, said: Option<(ConnectionId, ClientMessage)>) {
        for effect in effects {
            match effect {
                Effect::Close { connection, reason } => {
                    assert!(self.open.remove(&connection) && !reason.is_empty());
                }
                Effect::Send { connection, message } => {
                    assert!(self.open.contains(&connection), "it speaks to nobody: {message:?}");
                    self.heard(connection, message, said.as_ref());
                }
            }
        }
        let stats = self.hub.machine().stats();
        assert_eq!(stats.connections, self.open.len());
        assert!(stats.connections <= self.config.connections_max);
        assert!(stats.rooms <= self.config.rooms_max);
        assert!(stats.peers <= stats.rooms * self.config.peers_per_room_max);
    }

    fn heard(
        &mut self,
        connection: ConnectionId,
        message: ServerMessage,
        said: Option<&(ConnectionId, ClientMessage)>,
    ) {
        let text = message.to_json().expect("what a hub says can be sent");
        assert_eq!(ServerMessage::from_json(&text).as_ref(), Ok(&message));
        match (message, said) {
            (ServerMessage::Authenticated, Some((_, ClientMessage::Authenticate { session, .. }))) => {
                self.sessions.insert(connection, *session);
            }
            (ServerMessage::Joined { peers, .. }, _) => {
                assert!(peers.len() < self.config.peers_per_room_max);
                self.rooms.insert(self.sessions[&connection], self.asked[&connection]);
            }
            (
                ServerMessage::Offer { from, .. }
                | ServerMessage::Answer { from, .. }
                | ServerMessage::Candidate { from, .. },
                Some((
                    by,
                    ClientMessage::Offer { .. }
                    | ClientMessage::Answer { .. }
                    | ClientMessage::Candidate { .. },
                )),
            ) => {
                let to = self.sessions[&connection];
                assert_eq!(self.sessions.get(by), Some(&from), "a signal names who sent it");
                assert_eq!(self.rooms.get(&from), self.rooms.get(&to), "a signal stays in its room");
            }
            _ => {}
        }
    }
}
