//! The machine: tables of inputs and the effects they have.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use meshwork_base::{Machine, NodeId, Seed, SessionId, SpaceId, Timestamp, step};
use meshwork_discovery::{
    ClientMessage, Config, Context, Discovery, Effect, ErrorCode, Event, HubId, Input, Nonce, PROTOCOL,
    RoomPeer, ServerMessage, Signal, SignalKind, challenge_transcript,
};
use meshwork_identity::{Ed25519, NodeKey, Purpose, Verifier};
use proptest::prelude::*;

const OWN: SessionId = SessionId([9; 16]);
const SPACE: SpaceId = SpaceId([7; 16]);
const OTHER_SPACE: SpaceId = SpaceId([8; 16]);
const FIRST: HubId = HubId(0);
const SECOND: HubId = HubId(1);

struct Rig {
    machine: Discovery,
    now: Timestamp,
}

impl Rig {
    fn new(hubs: usize, space: Option<SpaceId>) -> Self {
        let config = Config {
            hubs: (0..hubs).map(|number| format!("http://hub{number}.example").parse().unwrap()).collect(),
            room: "A3B7K9".parse().unwrap(),
            peers_max: 3,
            ..Config::default()
        };
        let signer = Arc::new(NodeKey::from_seed(&Seed::from_number(1)));
        let context = Context { session: OWN, signer, name: "Ada\n".into(), space, access: None };
        let now = Timestamp::default();
        Self { machine: Discovery::new(config, context, now, Seed::from_number(2)), now }
    }

    fn feed(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        step(&mut self.machine, self.now, Some(input), |effect| effects.push(effect));
        effects
    }

    fn hear(&mut self, hub: HubId, message: ServerMessage) -> Vec<Effect> {
        self.feed(Input::Received { hub, message })
    }

    /// Lets time pass up to the next deadline and handles it.
    fn wake(&mut self) -> Vec<Effect> {
        let deadline = self.machine.poll_timeout().expect("a deadline");
        self.now = self.now.after(deadline.at.since(self.now.monotonic));
        let mut effects = Vec::new();
        step(&mut self.machine, self.now, None, |effect| effects.push(effect));
        effects
    }

    /// Opens the connection and authenticates.
    fn authenticate(&mut self, hub: HubId) -> Vec<Effect> {
        self.feed(Input::Opened { hub });
        self.hear(hub, challenge(PROTOCOL));
        self.hear(hub, ServerMessage::Authenticated)
    }

    fn join(&mut self, hub: HubId, peers: &[u8]) -> Vec<Effect> {
        self.authenticate(hub);
        self.hear(hub, joined(SPACE, peers))
    }
}

fn challenge(protocol: u64) -> ServerMessage {
    ServerMessage::Challenge { nonce: Nonce([5; 32]), protocol, hub: "test".into() }
}

fn peer(id: u8) -> RoomPeer {
    RoomPeer { session: SessionId([id; 16]), node: NodeId([id; 32]), name: String::new() }
}

fn joined(space: SpaceId, peers: &[u8]) -> ServerMessage {
    ServerMessage::Joined { space, peers: peers.iter().map(|id| peer(*id)).collect() }
}

fn found(id: u8) -> Effect {
    Effect::PeerFound { session: SessionId([id; 16]), node: NodeId([id; 32]) }
}

fn gone(id: u8) -> Effect {
    Effect::PeerGone { session: SessionId([id; 16]) }
}

fn error(code: ErrorCode) -> ServerMessage {
    ServerMessage::Error { code, message: "no\u{7}".into() }
}

fn offer(body: &str) -> Signal {
    Signal { attempt: 3, kind: SignalKind::Offer, body: body.into() }
}

fn join_message(space: SpaceId, adopt: bool) -> ClientMessage {
    ClientMessage::Join { room: "A3B7K9".parse().unwrap(), space, adopt, access: None }
}

fn closed(hub: HubId) -> Input {
    Input::Closed { hub, reason: "reset".into() }
}

#[test]
fn what_a_hub_says_is_fit_to_be_shown() {
    let hostile = format!("\u{1b}[2J{}", "x".repeat(10_000));
    let said: [fn(String) -> Input; 3] = [
        |hub| Input::Received {
            hub: FIRST,
            message: ServerMessage::Challenge { nonce: Nonce([5; 32]), protocol: 9, hub },
        },
        |message| Input::Received {
            hub: FIRST,
            message: ServerMessage::Error { code: ErrorCode::HubFull, message },
        },
        |reason| Input::Closed { hub: FIRST, reason },
    ];
    for input in said {
        let mut rig = Rig::new(1, Some(SPACE));
        rig.feed(Input::Start);
        rig.feed(Input::Opened { hub: FIRST });
        let effects = rig.feed(input(hostile.clone()));
        let shown = effects.iter().find_map(|effect| match effect {
            Effect::Event(Event::Refused { reason, .. } | Event::Unreachable { reason, .. }) => Some(reason),
            _ => None,
        });
        let shown = shown.unwrap();
        assert!(shown.contains("[2Jxxx") && shown.len() < 1_000, "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}

#[test]
fn a_session_authenticates_joins_and_carries_signals() {
    let mut rig = Rig::new(1, Some(SPACE));
    let url = "ws://hub0.example/ws".parse().unwrap();
    assert_eq!(rig.feed(Input::Start), [Effect::Open { hub: FIRST, url }]);
    assert_eq!(rig.feed(Input::Opened { hub: FIRST }), []);
    let effects = rig.hear(FIRST, challenge(PROTOCOL));
    let [
        Effect::Send {
            message: ClientMessage::Authenticate { node, session, name, host, signature }, ..
        },
    ] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!((*session, name.as_str(), host.as_str()), (OWN, "Ada", "hub0.example"));
    let transcript = challenge_transcript(&Nonce([5; 32]), "hub0.example", &OWN);
    assert!(Ed25519.verify(node, Purpose::HubChallenge, transcript.as_bytes(), signature));
    let effects = rig.hear(FIRST, ServerMessage::Authenticated);
    assert_eq!(effects, [Effect::Send { hub: FIRST, message: join_message(SPACE, false) }]);
    let effects = rig.hear(FIRST, joined(SPACE, &[1, 9]));
    assert_eq!(effects, [Effect::Event(Event::Joined { hub: FIRST, space: SPACE }), found(1)]);

    let (one, two) = (SessionId([1; 16]), SessionId([2; 16]));
    let send = |to| Input::Signal { to, signal: offer("o") };
    let carried = Effect::Send { hub: FIRST, message: ClientMessage::signal(one, offer("o")) };
    assert_eq!(rig.feed(send(one)), [carried]);
    assert_eq!(rig.feed(send(two)), [], "nobody knows it");
    assert_eq!(rig.hear(FIRST, ServerMessage::signal(two, offer("x"))), [], "nobody named it");
    assert_eq!(rig.hear(FIRST, ServerMessage::PeerJoined { peer: peer(2) }), [found(2)]);
    let brought = Effect::Signal { from: two, signal: offer("x") };
    assert_eq!(rig.hear(FIRST, ServerMessage::signal(two, offer("x"))), [brought]);
    assert_eq!(rig.hear(FIRST, ServerMessage::PeerLeft { session: two }), [gone(2)]);
    assert_eq!(rig.hear(FIRST, ServerMessage::PeerLeft { session: two }), []);
    assert_eq!(rig.hear(FIRST, error(ErrorCode::UnknownPeer)), []);
    let leave = Effect::Send { hub: FIRST, message: ClientMessage::Leave };
    assert_eq!(rig.feed(Input::Stop), [leave, Effect::Close { hub: FIRST }]);
    assert_eq!((rig.feed(closed(FIRST)), rig.machine.poll_timeout()), (vec![], None));
}

#[test]
fn a_hub_that_was_down_changes_only_what_changed() {
    let mut rig = Rig::new(1, Some(SPACE));
    rig.feed(Input::Start);
    rig.join(FIRST, &[1, 2]);
    let effects = rig.feed(closed(FIRST));
    let [Effect::Event(Event::Unreachable { hub: FIRST, retry_in_ms, .. })] = effects[..] else {
        panic!("{effects:?}")
    };
    assert!((125..=250).contains(&retry_in_ms));
    assert_eq!(rig.machine.peers().len(), 2, "links live on, so the peers do");
    assert!(matches!(rig.wake()[..], [Effect::Open { .. }]));
    let effects = rig.join(FIRST, &[2, 3]);
    assert_eq!(effects[1..], [found(2), found(3), gone(1)]);
}

#[test]
fn whoever_knows_that_the_network_is_back_need_not_wait() {
    let mut rig = Rig::new(2, Some(SPACE));
    rig.feed(Input::Start);
    rig.join(FIRST, &[]);
    rig.join(SECOND, &[]);
    rig.feed(closed(FIRST));
    assert!(
        matches!(rig.feed(Input::Start)[..], [Effect::Open { hub: FIRST, .. }]),
        "the other one is there"
    );
    assert_eq!(rig.feed(Input::Start), []);
}

#[test]
fn a_peer_is_gone_when_no_hub_knows_it() {
    let mut rig = Rig::new(2, Some(SPACE));
    rig.feed(Input::Start);
    assert_eq!(rig.join(FIRST, &[1])[1..], [found(1)]);
    assert_eq!(rig.join(SECOND, &[1])[1..], [found(1)]);
    let left = || ServerMessage::PeerLeft { session: SessionId([1; 16]) };
    assert_eq!(rig.hear(FIRST, left()), []);
    let signal = Input::Signal { to: SessionId([1; 16]), signal: offer("o") };
    assert!(
        matches!(rig.feed(signal)[..], [Effect::Send { hub: SECOND, .. }]),
        "by way of the hub that knows it"
    );
    assert_eq!(rig.hear(SECOND, left()), [gone(1)]);
}

#[test]
fn a_session_without_a_space_adopts_the_first_and_refuses_another() {
    let mut rig = Rig::new(2, None);
    rig.feed(Input::Start);
    assert_eq!(rig.machine.space(), None);
    assert_eq!(rig.authenticate(SECOND), [], "the first hub goes first");
    let effects = rig.authenticate(FIRST);
    let [Effect::Send { hub: FIRST, message: ClientMessage::Join { space: fresh, adopt: true, .. } }] =
        effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_ne!(fresh, SPACE);
    let effects = rig.hear(FIRST, joined(SPACE, &[]));
    assert_eq!(effects[1..], [Effect::Send { hub: SECOND, message: join_message(SPACE, false) }]);
    let effects = rig.hear(SECOND, joined(OTHER_SPACE, &[4]));
    assert!(matches!(effects[..], [Effect::Close { hub: SECOND }, Effect::Event(Event::Refused { .. })]));
    assert_eq!(rig.machine.space(), Some(SPACE));
}

#[test]
fn an_unreachable_hub_does_not_hold_up_the_next() {
    let mut rig = Rig::new(2, None);
    rig.feed(Input::Start);
    rig.authenticate(SECOND);
    let effects = rig.feed(closed(FIRST));
    let [Effect::Event(Event::Unreachable { .. }), Effect::Send { hub: SECOND, .. }] = effects[..] else {
        panic!("{effects:?}")
    };
}

#[test]
fn refusals_are_told_once_and_retried_as_the_code_deserves() {
    let told = |effects: &[Effect]| match effects {
        [Effect::Close { .. }, Effect::Event(Event::Refused { reason, .. })] => {
            assert_eq!(reason, "no");
            "refused"
        }
        [Effect::Close { .. }, Effect::Event(Event::Unreachable { .. })] => "unreachable",
        [Effect::Close { .. }] => "silent",
        other => panic!("{other:?}"),
    };
    let table = [
        (ErrorCode::WrongPassword, "refused", None),
        (ErrorCode::SpaceMismatch, "refused", Some(60_000)),
        (ErrorCode::BadSignature, "refused", Some(60_000)),
        (ErrorCode::Unknown, "refused", Some(60_000)),
        (ErrorCode::RoomFull, "unreachable", Some(250)),
        (ErrorCode::Replaced, "unreachable", Some(250)),
        (ErrorCode::TooManyFailures, "unreachable", Some(250)),
    ];
    for (code, expected, longest) in table {
        let mut rig = Rig::new(1, Some(SPACE));
        rig.feed(Input::Start);
        rig.authenticate(FIRST);
        assert_eq!(told(&rig.hear(FIRST, error(code))), expected, "{code:?}");
        let wait = rig.machine.poll_timeout().map(|deadline| deadline.at.since(rig.now.monotonic));
        assert!(
            wait.is_some() == longest.is_some() && wait <= longest.map(Duration::from_millis),
            "{code:?} {wait:?}"
        );
        if expected == "refused" && wait.is_some() {
            rig.wake();
            rig.authenticate(FIRST);
            assert_eq!(told(&rig.hear(FIRST, error(code))), "silent");
        }
    }
}

#[test]
fn a_password_that_was_right_before_is_tried_again() {
    let joined_once: fn() -> Rig = || {
        let mut rig = Rig::new(1, Some(SPACE));
        rig.feed(Input::Start);
        rig.join(FIRST, &[]);
        rig.feed(closed(FIRST));
        rig.wake();
        rig
    };
    let told_so: fn() -> Rig = || {
        let Rig { machine, now } = Rig::new(1, Some(SPACE));
        let mut rig = Rig { machine: machine.with_proven_access(), now };
        rig.feed(Input::Start);
        rig
    };
    for start in [joined_once, told_so] {
        let mut rig = start();
        rig.authenticate(FIRST);
        let effects = rig.hear(FIRST, error(ErrorCode::WrongPassword));
        assert!(matches!(effects[..], [Effect::Close { .. }, Effect::Event(Event::Refused { .. })]));
        assert!(matches!(rig.wake()[..], [Effect::Open { .. }]));
        assert_eq!(rig.join(FIRST, &[1])[1..], [found(1)], "the room was forgotten meanwhile");
    }
}

#[test]
fn another_version_is_refused_by_name() {
    let mut rig = Rig::new(1, None);
    rig.feed(Input::Start);
    rig.feed(Input::Opened { hub: FIRST });
    let effects = rig.hear(FIRST, challenge(2));
    let [Effect::Close { .. }, Effect::Event(Event::Refused { reason, .. })] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(
        reason,
        "the hub (test) speaks version 2 of the protocol, this node version 1: update the older of the two"
    );
}

#[test]
fn silence_at_any_stage_ends_in_another_attempt() {
    let stages: [fn(&mut Rig); 4] = [
        |_| {},
        |rig| drop(rig.feed(Input::Opened { hub: FIRST })),
        |rig| {
            rig.feed(Input::Opened { hub: FIRST });
            rig.hear(FIRST, challenge(PROTOCOL));
        },
        |rig| drop(rig.authenticate(FIRST)),
    ];
    for advance in stages {
        let mut rig = Rig::new(1, Some(SPACE));
        rig.feed(Input::Start);
        advance(&mut rig);
        assert!(matches!(rig.wake()[..], [Effect::Close { .. }, Effect::Event(Event::Unreachable { .. })]));
        assert!(matches!(rig.wake()[..], [Effect::Open { .. }]));
    }
}

#[test]
fn an_unanswered_heartbeat_ends_the_connection() {
    let mut rig = Rig::new(1, Some(SPACE));
    rig.feed(Input::Start);
    rig.join(FIRST, &[]);
    let beat = [Effect::Send { hub: FIRST, message: ClientMessage::Heartbeat }];
    assert_eq!(rig.wake(), beat);
    assert_eq!(rig.hear(FIRST, ServerMessage::HeartbeatAck), []);
    assert_eq!(rig.wake(), beat);
    assert_eq!(
        rig.hear(FIRST, ServerMessage::PeerJoined { peer: peer(1) }),
        [found(1)],
        "a sign of life as well"
    );
    assert_eq!(rig.wake(), beat);
    assert!(matches!(rig.wake()[..], [Effect::Close { .. }, Effect::Event(Event::Unreachable { .. })]));
}

#[test]
fn a_hub_that_names_too_many_peers_is_refused_and_forgotten() {
    let mut rig = Rig::new(1, Some(SPACE));
    rig.feed(Input::Start);
    rig.join(FIRST, &[1, 2, 3]);
    let effects = rig.hear(FIRST, ServerMessage::PeerJoined { peer: peer(4) });
    let [Effect::Close { .. }, a, b, c, Effect::Event(Event::Refused { .. })] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!([a, b, c].map(Clone::clone), [gone(1), gone(2), gone(3)]);
}

fn message() -> impl Strategy<Value = ServerMessage> {
    let space = prop::sample::select(vec![SPACE, OTHER_SPACE]);
    let session = (0u8..12).prop_map(|id| SessionId([id; 16]));
    prop_oneof![
        (0u64..3).prop_map(challenge),
        Just(ServerMessage::Authenticated),
        (space, prop::collection::vec(0u8..12, 0..5)).prop_map(|(space, peers)| joined(space, &peers)),
        (0u8..12).prop_map(|id| ServerMessage::PeerJoined { peer: peer(id) }),
        session.clone().prop_map(|session| ServerMessage::PeerLeft { session }),
        session.prop_map(|from| ServerMessage::signal(from, offer("x"))),
        Just(ServerMessage::HeartbeatAck),
        prop::sample::select(vec![ErrorCode::TooFast, ErrorCode::WrongPassword, ErrorCode::SpaceMismatch])
            .prop_map(error),
    ]
}

#[derive(Clone, Debug)]
enum Move {
    Feed(Input),
    Wake,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let hub = || (0u16..3).prop_map(HubId);
    let one = prop_oneof![
        1 => Just(Move::Feed(Input::Start)),
        3 => hub().prop_map(|hub| Move::Feed(Input::Opened { hub })),
        1 => hub().prop_map(|hub| Move::Feed(closed(hub))),
        12 => (hub(), message()).prop_map(|(hub, message)| Move::Feed(Input::Received { hub, message })),
        1 => Just(Move::Feed(Input::Signal { to: SessionId([1; 16]), signal: offer("s") })),
        1 => Just(Move::Feed(Input::Stop)),
        3 => Just(Move::Wake),
    ];
    prop::collection::vec(one, 0..80)
}

proptest! {
    /// Whatever hubs do: bounded, consistent with what was told, and the same every time.
    #[test]
    fn hostile_hubs_do_no_harm(moves in moves()) {
        let run = || {
            let mut rig = Rig::new(2, None);
            let mut all = Vec::new();
            let mut open = [false; 2];
            for step in moves.clone() {
                if let Move::Feed(Input::Closed { hub, .. }) = &step
                    && let Some(open) = open.get_mut(usize::from(hub.0))
                {
                    *open = false;
                }
                let effects = match step {
                    Move::Feed(input) => rig.feed(input),
                    Move::Wake if rig.machine.poll_timeout().is_some() => rig.wake(),
                    Move::Wake => Vec::new(),
                };
                for effect in &effects {
                    match effect {
                        Effect::Open { hub, .. } => open[usize::from(hub.0)] = true,
                        Effect::Close { hub } => open[usize::from(hub.0)] = false,
                        Effect::Send { hub, .. } => assert!(open[usize::from(hub.0)], "sent on what is closed"),
                        _ => {}
                    }
                }
                assert!(rig.machine.hubs().all(|hub| hub.peers <= 3));
                assert!(!rig.machine.peers().contains_key(&OWN));
                all.extend(effects);
            }
            (all, rig.machine.space())
        };
        let (effects, space) = run();
        let spaces: std::collections::BTreeSet<_> = effects
            .iter()
            .filter_map(|effect| match effect { Effect::Event(Event::Joined { space, .. }) => Some(*space), _ => None })
            .collect();
        prop_assert!(spaces.len() <= 1, "one space per session: {spaces:?}");
        prop_assert_eq!(spaces.first().copied(), space);
        prop_assert_eq!(run().0, effects);
    }
}
