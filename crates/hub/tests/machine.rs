//! The machine: rooms, doors, bounds, and what hostile clients achieve.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use meshwork_base::{Machine, NodeId, Seed, SessionId, SpaceId, Timestamp, step};
use meshwork_discovery::{
    ClientMessage, ErrorCode, Nonce, RoomPeer, ServerMessage, Signal, SignalKind, challenge_transcript,
};
use meshwork_hub::{ConnectionId, Effect, Hub, HubConfig, Input};
use meshwork_identity::{KeyedHash, Purpose, RoomAccess, Signer};
use proptest::prelude::*;

const SPACE: SpaceId = SpaceId([7; 16]);
const OTHER_SPACE: SpaceId = SpaceId([8; 16]);

/// Something that a client does.
type Act = fn(&mut Rig);

fn signer(node: u8) -> KeyedHash {
    KeyedHash { node: NodeId([node; 32]), world: [1; 32] }
}

fn session(id: u8) -> SessionId {
    SessionId([id; 16])
}

fn signal(body: &str) -> Signal {
    Signal { attempt: 1, kind: SignalKind::Offer, body: body.into() }
}

fn peer(id: u8) -> RoomPeer {
    RoomPeer { session: session(id), node: NodeId([id; 32]), name: format!("n{id}") }
}

fn join_message(room: &str, space: SpaceId, adopt: bool, access: Option<u8>) -> ClientMessage {
    let access = access.map(|byte| RoomAccess([byte; 32]));
    ClientMessage::Join { room: room.parse().unwrap(), space, adopt, access }
}

/// A hub, and what each connection was sent since it was last looked at. Connection `n` speaks for session `n` of
/// node `n` unless told otherwise.
struct Rig {
    hub: Hub,
    now: Timestamp,
    sent: BTreeMap<u64, Vec<ServerMessage>>,
    closed: Vec<u64>,
}

impl Rig {
    fn new(config: HubConfig) -> Self {
        config.validate().unwrap();
        let hub = Hub::new(config, Arc::new(signer(0)), Seed::from_number(1));
        let mut rig = Self { hub, now: Timestamp::default(), sent: BTreeMap::new(), closed: Vec::new() };
        rig.feed(None);
        // Grown up, so that nobody has to wait.
        rig.now = rig.now.after(Duration::from_secs(8));
        rig
    }

    fn feed(&mut self, input: Option<Input>) {
        let (sent, closed) = (&mut self.sent, &mut self.closed);
        step(&mut self.hub, self.now, input, |effect| match effect {
            Effect::Send { connection, message } => sent.entry(connection.0).or_default().push(message),
            Effect::Close { connection, .. } => closed.push(connection.0),
        });
    }

    /// Lets time pass; the hub wakes as often as it wants to.
    fn pass(&mut self, ms: u64) {
        let end = self.now.after(Duration::from_millis(ms));
        while let Some(deadline) = self.hub.poll_timeout().filter(|deadline| deadline.at <= end.monotonic) {
            self.now = self.now.after(deadline.at.since(self.now.monotonic));
            self.feed(None);
        }
        self.now = end;
    }

    fn connect_from(&mut self, connection: u64, address: &str) {
        let address: IpAddr = address.parse().unwrap();
        self.feed(Some(Input::Connected { connection: ConnectionId(connection), address }));
    }

    fn say(&mut self, connection: u64, message: &ClientMessage) {
        self.say_text(connection, message.to_json().unwrap());
    }

    fn say_text(&mut self, connection: u64, message: String) {
        self.feed(Some(Input::Received { connection: ConnectionId(connection), message }));
    }

    fn disconnect(&mut self, connection: u64) {
        self.feed(Some(Input::Disconnected { connection: ConnectionId(connection) }));
    }

    fn heard(&mut self, connection: u64) -> Vec<ServerMessage> {
        self.sent.remove(&connection).unwrap_or_default()
    }

    /// The error a connection was told before it was closed.
    fn refusal(&mut self, connection: u64) -> Option<ErrorCode> {
        let closed = self.closed.contains(&connection);
        match self.heard(connection).last() {
            Some(ServerMessage::Error { code, .. }) if closed => Some(*code),
            _ => None,
        }
    }

    fn authenticate_as(&mut self, connection: u64, node: u8, id: u8, host: &str) {
        let nonce = self.heard(connection).into_iter().find_map(|message| match message {
            ServerMessage::Challenge { nonce, .. } => Some(nonce),
            _ => None,
        });
        let transcript = challenge_transcript(&nonce.unwrap_or(Nonce([0; 32])), "h", &session(id));
        let signature = signer(node).sign(Purpose::HubChallenge, transcript.as_bytes());
        let (node, name) = (NodeId([node; 32]), format!("n{node}"));
        let claim =
            ClientMessage::Authenticate { node, session: session(id), name, host: host.into(), signature };
        self.say(connection, &claim);
    }

    fn enter(&mut self, connection: u64) {
        self.connect_from(connection, "10.0.0.1");
        self.authenticate_as(connection, connection as u8, connection as u8, "h");
        assert_eq!(self.heard(connection), [ServerMessage::Authenticated]);
    }

    fn join(&mut self, connection: u64) -> Vec<ServerMessage> {
        self.enter(connection);
        self.say(connection, &join_message("A3B7K9", SPACE, false, None));
        self.heard(connection)
    }
}

#[test]
fn sessions_of_one_room_meet_signal_and_part() {
    let mut rig = Rig::new(HubConfig::default());
    assert_eq!(rig.join(1), [ServerMessage::Joined { space: SPACE, peers: vec![] }]);
    assert_eq!(rig.join(2), [ServerMessage::Joined { space: SPACE, peers: vec![peer(1)] }]);
    assert_eq!(rig.heard(1), [ServerMessage::PeerJoined { peer: peer(2) }]);
    rig.enter(3);
    rig.say(3, &join_message("ZZZZZZ", SPACE, false, None));
    rig.heard(3);

    rig.say(2, &ClientMessage::signal(session(1), signal("o")));
    assert_eq!(rig.heard(1), [ServerMessage::signal(session(2), signal("o"))]);
    rig.say(3, &ClientMessage::signal(session(1), signal("o")));
    assert!(matches!(rig.heard(3)[..], [ServerMessage::Error { code: ErrorCode::UnknownPeer, .. }]));
    assert_eq!((rig.heard(1), rig.closed.as_slice()), (vec![], &[][..]));

    rig.say(1, &ClientMessage::Heartbeat);
    assert_eq!(rig.heard(1), [ServerMessage::HeartbeatAck]);
    let stats = rig.hub.stats();
    assert_eq!((stats.rooms, stats.peers, stats.connections), (2, 3, 3));
    assert_eq!((stats.signalling.offers, stats.signalling.refused), (1, 1));
    rig.say(1, &ClientMessage::Leave);
    assert_eq!(rig.heard(2), [ServerMessage::PeerLeft { session: session(1) }]);
    assert_eq!(rig.hub.stats().peers, 2);
}

#[test]
fn rooms_have_one_space_and_one_password() {
    let table = [
        // (the creator's password, the newcomer's space, adopts, password, expected)
        (None, SPACE, false, None, Ok(SPACE)),
        (None, OTHER_SPACE, true, None, Ok(SPACE)),
        (None, OTHER_SPACE, false, None, Err(ErrorCode::SpaceMismatch)),
        (None, SPACE, false, Some(1), Err(ErrorCode::WrongPassword)),
        (Some(1), SPACE, false, Some(1), Ok(SPACE)),
        (Some(1), SPACE, false, Some(2), Err(ErrorCode::WrongPassword)),
        (Some(1), SPACE, false, None, Err(ErrorCode::WrongPassword)),
        (Some(1), OTHER_SPACE, false, Some(2), Err(ErrorCode::WrongPassword)),
    ];
    for (number, (password, space, adopt, access, expected)) in table.into_iter().enumerate() {
        let mut rig = Rig::new(HubConfig::default());
        rig.enter(1);
        rig.say(1, &join_message("A3B7K9", SPACE, true, password));
        rig.enter(2);
        rig.say(2, &join_message("A3B7K9", space, adopt, access));
        match expected {
            Ok(space) => {
                assert_eq!(rig.heard(2), [ServerMessage::Joined { space, peers: vec![peer(1)] }], "{number}")
            }
            Err(code) => assert_eq!(rig.refusal(2), Some(code), "{number}"),
        }
    }
}

#[test]
fn in_a_young_hub_those_without_a_space_wait_for_one_that_has_one() {
    let young = || {
        let mut rig = Rig::new(HubConfig::default());
        rig.hub = Hub::new(HubConfig::default(), Arc::new(signer(0)), Seed::from_number(1));
        rig
    };
    let adopt = |rig: &mut Rig, connection: u64, room: &str, access: Option<u8>| {
        rig.enter(connection);
        rig.say(connection, &join_message(room, OTHER_SPACE, true, access));
    };
    let space = |heard: &[ServerMessage]| match heard {
        [ServerMessage::Joined { space, .. }, ..] => Some(*space),
        _ => None,
    };
    let mut rig = young();
    adopt(&mut rig, 1, "A3B7K9", None);
    adopt(&mut rig, 2, "ZZZZZZ", None);
    adopt(&mut rig, 3, "A3B7K9", Some(1));
    adopt(&mut rig, 4, "A3B7K9", None);
    assert_eq!((rig.heard(1), rig.hub.stats().rooms), (vec![], 0));
    // What is said meanwhile: a sign of life, or that one does not want to any more.
    rig.say(1, &ClientMessage::Heartbeat);
    assert_eq!(rig.heard(1), [ServerMessage::HeartbeatAck]);
    rig.say(4, &ClientMessage::Leave);
    assert_eq!(rig.join(5)[0], ServerMessage::Joined { space: SPACE, peers: vec![] });
    assert_eq!((space(&rig.heard(1)), rig.refusal(3)), (Some(SPACE), Some(ErrorCode::WrongPassword)));
    assert_eq!((rig.heard(2), rig.heard(4)), (vec![], vec![]), "another room; gone");
    adopt(&mut rig, 6, "A3B7K9", None);
    assert_eq!(space(&rig.heard(6)), Some(SPACE), "the room is known now");

    rig.pass(1_999);
    assert_eq!(rig.heard(2), []);
    rig.pass(1);
    assert_eq!(space(&rig.heard(2)), Some(OTHER_SPACE), "nobody had one");

    // One at a time, and none for a connection that is gone.
    let mut rig = young();
    adopt(&mut rig, 1, "A3B7K9", None);
    rig.say(1, &join_message("ZZZZZZ", OTHER_SPACE, true, None));
    assert_eq!(rig.refusal(1), Some(ErrorCode::Unexpected));
    rig.pass(60_000);
    assert_eq!(rig.hub.stats().rooms, 0);
}

#[test]
fn guessing_a_password_is_limited_by_address() {
    let config = HubConfig { password_failures_max: 3, ..HubConfig::default() };
    let mut rig = Rig::new(config);
    let mut attempt = |connection: u64, address: &str, access: u8, wait: u64| {
        rig.pass(wait);
        rig.connect_from(connection, address);
        rig.authenticate_as(connection, connection as u8, connection as u8, "h");
        rig.say(connection, &join_message("A3B7K9", SPACE, false, Some(access)));
        rig.refusal(connection)
    };
    let (wrong, many) = (Some(ErrorCode::WrongPassword), Some(ErrorCode::TooManyFailures));
    let table = [
        ("10.0.0.9", 1, 0, None),
        ("10.0.0.1", 2, 0, wrong),
        ("10.0.0.1", 3, 0, wrong),
        ("10.0.0.1", 1, 0, None),
        ("10.0.0.1", 4, 0, wrong),
        ("10.0.0.1", 5, 0, many),
        ("10.0.0.1", 1, 0, many),
        ("10.0.0.2", 1, 0, None),
        ("10.0.0.1", 1, 60_000, None),
    ];
    for (number, (address, access, wait, expected)) in table.into_iter().enumerate() {
        assert_eq!(attempt(number as u64 + 1, address, access, wait), expected, "{number}");
    }
}

#[test]
fn only_the_holder_of_the_key_speaks_for_a_session() {
    let hosts = vec!["h".to_owned()];
    let table: [(Act, _); 6] = [
        (|rig| rig.authenticate_as(2, 2, 2, "h"), None),
        (|rig| rig.authenticate_as(2, 2, 2, "elsewhere"), Some(ErrorCode::WrongHost)),
        (|rig| rig.authenticate_as(2, 2, 1, "h"), Some(ErrorCode::SessionTaken)),
        (|rig| rig.say(2, &ClientMessage::Heartbeat), Some(ErrorCode::Unexpected)),
        (|rig| rig.say(2, &join_message("A3B7K9", SPACE, true, None)), Some(ErrorCode::Unexpected)),
        (
            |rig| {
                // Signed over another challenge.
                rig.heard(2);
                rig.authenticate_as(2, 2, 2, "h");
            },
            Some(ErrorCode::BadSignature),
        ),
    ];
    for (number, (act, expected)) in table.into_iter().enumerate() {
        let mut rig = Rig::new(HubConfig { hosts: hosts.clone(), ..HubConfig::default() });
        rig.join(1);
        rig.connect_from(2, "10.0.0.1");
        act(&mut rig);
        assert_eq!(rig.refusal(2), expected, "{number}");
        assert_eq!(rig.hub.stats().connections, if expected.is_none() { 2 } else { 1 });
    }
    // Without `hosts`, the signature still binds the host that is named.
    let mut rig = Rig::new(HubConfig::default());
    rig.connect_from(2, "10.0.0.1");
    rig.authenticate_as(2, 2, 2, "elsewhere");
    assert_eq!(rig.refusal(2), Some(ErrorCode::BadSignature));
}

#[test]
fn a_session_that_reconnects_replaces_itself_and_keeps_its_seat() {
    let mut rig = Rig::new(HubConfig::default());
    rig.join(1);
    rig.join(2);
    rig.heard(1);
    rig.connect_from(3, "10.0.0.1");
    rig.authenticate_as(3, 2, 2, "h");
    assert_eq!(
        (rig.refusal(2), rig.heard(3)),
        (Some(ErrorCode::Replaced), vec![ServerMessage::Authenticated])
    );
    rig.disconnect(2);
    // Not in the room yet: what comes waits.
    rig.say(1, &ClientMessage::signal(session(2), signal("o")));
    assert_eq!(rig.heard(3), []);
    rig.say(3, &join_message("A3B7K9", SPACE, false, None));
    let joined = ServerMessage::Joined { space: SPACE, peers: vec![peer(1)] };
    assert_eq!(rig.heard(3), [joined, ServerMessage::signal(session(1), signal("o"))]);
    assert_eq!(rig.heard(1), [], "for the others nothing happened");
    rig.pass(20_000);
    assert_eq!((rig.heard(1), rig.hub.stats().peers), (vec![], 2));
}

#[test]
fn a_seat_and_what_waits_for_it_lapse() {
    let mut rig = Rig::new(HubConfig { waiting_signals_max: 2, ..HubConfig::default() });
    rig.join(1);
    rig.join(2);
    rig.disconnect(2);
    rig.heard(1);
    for _ in 0..3 {
        rig.say(1, &ClientMessage::signal(session(2), signal("o")));
    }
    assert_eq!(rig.heard(1).len(), 1, "the third is refused");
    rig.pass(6_000);
    assert_eq!(rig.heard(1), [ServerMessage::PeerLeft { session: session(2) }]);
    let stats = rig.hub.stats();
    assert_eq!((stats.peers, stats.signalling.offers), (1, 2));
    assert_eq!((stats.signalling.expired, stats.signalling.refused), (2, 1));
}

#[test]
fn a_signal_older_than_its_time_is_not_delivered() {
    // A sweep too rare to be what expires it.
    let config = HubConfig {
        reconnect_ms: 60_000,
        sweep_ms: 50_000,
        heartbeat_timeout_ms: 90_000,
        ..HubConfig::default()
    };
    let mut rig = Rig::new(config);
    rig.join(1);
    rig.join(2);
    rig.disconnect(2);
    rig.say(1, &ClientMessage::signal(session(2), signal("early")));
    rig.pass(20_000);
    rig.say(1, &ClientMessage::signal(session(2), signal("late")));
    rig.pass(10_000);
    rig.connect_from(3, "10.0.0.1");
    rig.authenticate_as(3, 2, 2, "h");
    rig.heard(3);
    rig.say(3, &join_message("A3B7K9", SPACE, false, None));
    assert_eq!(rig.heard(3)[1..], [ServerMessage::signal(session(1), signal("late"))]);
    assert_eq!(rig.hub.stats().signalling.expired, 1);
}

#[test]
fn an_empty_room_is_remembered_for_its_time() {
    for (ms, space) in [(3_598_000, SPACE), (3_602_000, OTHER_SPACE)] {
        let mut rig = Rig::new(HubConfig::default());
        rig.join(1);
        rig.say(1, &ClientMessage::Leave);
        rig.disconnect(1);
        rig.pass(ms);
        rig.enter(2);
        rig.say(2, &join_message("A3B7K9", OTHER_SPACE, true, None));
        assert_eq!(rig.heard(2), [ServerMessage::Joined { space, peers: vec![] }], "after {ms} ms");
    }
    let mut rig = Rig::new(HubConfig::default());
    rig.join(1);
    rig.say(1, &ClientMessage::Leave);
    rig.disconnect(1);
    rig.pass(4_000_000);
    assert_eq!((rig.hub.stats().rooms, rig.hub.poll_timeout()), (0, None), "an empty hub sleeps");
}

/// A room code that goes with `number`.
fn code(number: u32) -> String {
    format!("R{number:05}")
}

/// Makes a room and leaves it again.
fn make_room(rig: &mut Rig, connection: u64, number: u32) {
    rig.say(connection, &join_message(&code(number), SPACE, false, None));
    rig.say(connection, &ClientMessage::Leave);
}

#[test]
fn empty_rooms_keep_nobody_out() {
    let mut rig = Rig::new(HubConfig { rooms_max: 4, ..HubConfig::default() });
    rig.join(1);
    rig.enter(2);
    for number in 0..8 {
        rig.pass(1);
        make_room(&mut rig, 2, number);
    }
    assert_eq!(rig.refusal(2), None);
    assert_eq!(rig.hub.stats().rooms, 4);
    // Those that were left last are still remembered, with their space.
    rig.enter(3);
    rig.say(3, &join_message(&code(7), OTHER_SPACE, false, None));
    assert_eq!(rig.refusal(3), Some(ErrorCode::SpaceMismatch));
    rig.enter(4);
    rig.say(4, &join_message(&code(4), OTHER_SPACE, false, None));
    assert_eq!(rig.heard(4), [ServerMessage::Joined { space: OTHER_SPACE, peers: vec![] }]);
}

#[test]
fn an_address_makes_so_many_rooms() {
    let mut rig = Rig::new(HubConfig::default());
    rig.enter(1);
    for number in 0..256 {
        make_room(&mut rig, 1, number);
    }
    assert_eq!(rig.refusal(1), None);
    // Rooms that are there take anybody; making one more is for others.
    make_room(&mut rig, 1, 255);
    assert_eq!(rig.refusal(1), None);
    make_room(&mut rig, 1, 256);
    assert_eq!(rig.refusal(1), Some(ErrorCode::RoomsFull));
    rig.connect_from(2, "10.0.0.2");
    rig.authenticate_as(2, 2, 2, "h");
    make_room(&mut rig, 2, 256);
    assert_eq!(rig.refusal(2), None);
    // With time, it may make another one.
    rig.pass(10_000);
    rig.enter(3);
    make_room(&mut rig, 3, 257);
    assert_eq!(rig.refusal(3), None);
    make_room(&mut rig, 3, 258);
    assert_eq!(rig.refusal(3), Some(ErrorCode::RoomsFull));
}

#[test]
fn what_waits_in_a_seat_is_bounded_in_bytes() {
    let mut rig = Rig::new(HubConfig::default());
    rig.join(1);
    rig.join(2);
    rig.disconnect(2);
    let body = signal(&"x".repeat(10_000));
    for _ in 0..64 {
        rig.say(1, &ClientMessage::signal(session(2), body.clone()));
    }
    let counts = rig.hub.stats().signalling;
    assert_eq!((counts.offers, counts.refused), (26, 38), "256 KiB");
}

#[test]
fn a_silent_connection_ends() {
    let mut rig = Rig::new(HubConfig::default());
    rig.join(1);
    rig.join(2);
    for _ in 0..3 {
        rig.pass(14_000);
        rig.say(1, &ClientMessage::Heartbeat);
    }
    assert_eq!(rig.refusal(2), Some(ErrorCode::HeartbeatTimeout));
    assert_eq!((rig.closed.as_slice(), rig.hub.stats().connections), (&[2][..], 1));
}

#[test]
fn every_bound_has_a_name() {
    let small = HubConfig {
        rooms_max: 1,
        peers_per_room_max: 2,
        connections_max: 4,
        connections_per_address_max: 3,
        messages_per_second: 10,
        messages_burst_max: 10,
        ..HubConfig::default()
    };
    let table: [(Act, ErrorCode); 9] = [
        (|rig| rig.say_text(9, "{".into()), ErrorCode::Malformed),
        (|rig| rig.say_text(9, " ".repeat(65 * 1024)), ErrorCode::TooLarge),
        (|rig| (0..20).for_each(|_| rig.say(9, &ClientMessage::Heartbeat)), ErrorCode::TooFast),
        (|rig| rig.say(9, &ClientMessage::signal(session(1), signal("o"))), ErrorCode::Unexpected),
        (|rig| rig.say(9, &join_message("ZZZZZZ", SPACE, true, None)), ErrorCode::RoomsFull),
        (|rig| rig.say(9, &join_message("A3B7K9", SPACE, true, None)), ErrorCode::RoomFull),
        (|rig| rig.authenticate_as(9, 9, 9, "h"), ErrorCode::Unexpected),
        (
            |rig| {
                let connection = ConnectionId(9);
                rig.feed(Some(Input::Violated { connection, code: ErrorCode::TooLarge }));
            },
            ErrorCode::TooLarge,
        ),
        (
            |rig| {
                rig.say(9, &ClientMessage::Leave);
                assert_eq!(rig.heard(9), [], "leaving without being there is nothing");
                rig.say_text(9, r#"{"type":"shout"}"#.into());
            },
            ErrorCode::Malformed,
        ),
    ];
    for (number, (act, code)) in table.into_iter().enumerate() {
        let mut rig = Rig::new(small.clone());
        rig.join(1);
        rig.join(2);
        rig.enter(9);
        act(&mut rig);
        assert_eq!(rig.refusal(9), Some(code), "{number}");
        assert_eq!(rig.hub.stats().connections, 2, "{number}");
    }
    let mut rig = Rig::new(small);
    (1..=3).for_each(|connection| rig.connect_from(connection, "10.0.0.1"));
    rig.connect_from(4, "10.0.0.1");
    assert_eq!(rig.refusal(4), Some(ErrorCode::TooManyConnections));
    rig.connect_from(5, "10.0.0.2");
    rig.connect_from(6, "10.0.0.3");
    assert_eq!((rig.refusal(5), rig.refusal(6)), (None, Some(ErrorCode::HubFull)));
    rig.disconnect(1);
    rig.connect_from(7, "10.0.0.1");
    assert_eq!(rig.refusal(7), None);
}

#[derive(Clone, Debug)]
enum Move {
    Connect(u64),
    Authenticate(u64, u8),
    Say(u64, ClientMessage),
    Text(u64, String),
    Disconnect(u64),
    Pass(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let connection = || 1u64..7;
    let room = || prop::sample::select(vec!["AAAAAA", "BBBBBB", "CCCCCC"]);
    let space = prop::sample::select(vec![SPACE, OTHER_SPACE]);
    let message = prop_oneof![
        3 => (room(), space, any::<bool>(), prop::option::weighted(0.2, 0u8..2))
            .prop_map(|(room, space, adopt, access)| join_message(room, space, adopt, access)),
        3 => (1u8..7).prop_map(|to| ClientMessage::signal(session(to), signal("x"))),
        1 => Just(ClientMessage::Heartbeat),
        1 => Just(ClientMessage::Leave),
    ];
    let one = prop_oneof![
        4 => connection().prop_map(Move::Connect),
        6 => (connection(), 1u8..7).prop_map(|(connection, id)| Move::Authenticate(connection, id)),
        10 => (connection(), message).prop_map(|(connection, message)| Move::Say(connection, message)),
        1 => (connection(), ".{0,40}").prop_map(|(connection, text)| Move::Text(connection, text)),
        2 => connection().prop_map(Move::Disconnect),
        1 => (0u64..40_000).prop_map(Move::Pass),
    ];
    prop::collection::vec(one, 0..120)
}

/// A connection number is used once; what a move calls `n` is the latest connection of that name.
struct Names(BTreeMap<u64, u64>);

proptest! {
    /// Whatever clients do: bounds hold, nothing is sent on what is closed, signals stay in their room, and the same
    /// moves have the same effects.
    #[test]
    fn hostile_clients_do_no_harm(moves in moves()) {
        let config = HubConfig {
            rooms_max: 2,
            peers_per_room_max: 2,
            connections_max: 5,
            waiting_signals_max: 2,
            ..HubConfig::default()
        };
        let run = || {
            let mut rig = Rig::new(config.clone());
            let mut names = Names(BTreeMap::new());
            let mut log = Vec::new();
            let mut next = 0;
            for step in moves.clone() {
                let name = |connection: u64| names.0.get(&connection).copied().unwrap_or(0);
                match step {
                    Move::Connect(connection) => {
                        next += 1;
                        names.0.insert(connection, next);
                        rig.connect_from(next, "10.0.0.1");
                    }
                    Move::Authenticate(connection, id) => {
                        let connection = name(connection);
                        let pending = rig.sent.get(&connection).cloned();
                        rig.authenticate_as(connection, id, id, "h");
                        log.push(format!("{pending:?}"));
                    }
                    Move::Say(connection, message) => rig.say(name(connection), &message),
                    Move::Text(connection, text) => rig.say_text(name(connection), text),
                    Move::Disconnect(connection) => rig.disconnect(name(connection)),
                    Move::Pass(ms) => rig.pass(ms),
                }
                let stats = rig.hub.stats();
                assert!(stats.rooms <= 2 && stats.peers <= 4 && stats.connections <= 5, "{stats:?}");
                log.push(format!("{:?} {:?}", rig.sent, rig.closed));
                let quiet: Vec<_> = rig.closed.clone();
                for closed in quiet {
                    if let Some(messages) = rig.sent.remove(&closed) {
                        let last = messages.last();
                        assert!(matches!(last, Some(ServerMessage::Error { .. })), "after the end: {messages:?}");
                    }
                }
            }
            // Everybody gone, everything lapses.
            (1..=next).for_each(|connection| rig.disconnect(connection));
            rig.pass(8_000_000);
            let stats = rig.hub.stats();
            assert_eq!((stats.rooms, stats.peers, stats.connections, rig.hub.poll_timeout()), (0, 0, 0, None));
            log
        };
        prop_assert_eq!(run(), run());
    }
}
