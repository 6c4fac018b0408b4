//! What the tests share: transports with names made of numbers, and short words for what they do.
#![allow(dead_code, unreachable_pub, reason = "every test file includes this one and uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use meshwork_base::{Deadline, Machine, NodeId, ReplicaId, Seed, SessionId, SpaceId, Timestamp};
use meshwork_identity::{KeyedHash, SpaceSecret};
use meshwork_transport::{
    Config, ConnectionAction, ConnectionEvent, Context, Effect, Event, Fingerprints, Input, LinkId,
    MemoryNetwork, Message, Peer, Signal, SignalKind, Transport,
};
use meshwork_wire::{Assembler, Channel, FrameWriter, Protocol};

pub const SPACE: SpaceId = SpaceId([7; 16]);

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn at(ms: u64) -> Timestamp {
    Timestamp::default().after(Duration::from_millis(ms))
}

pub fn session(number: u8) -> SessionId {
    SessionId([number; 16])
}

pub fn node(number: u8) -> NodeId {
    NodeId([number; 32])
}

pub fn context(number: u8) -> Context {
    let signer = Arc::new(KeyedHash { node: node(number), world: [0; 32] });
    Context {
        space: SPACE,
        secret: SpaceSecret::open(&SPACE),
        session: session(number),
        durable: true,
        signer: signer.clone(),
        verifier: signer,
    }
}

/// A transport that is told its incarnation.
pub fn transport_of(config: Config, context: Context) -> Transport {
    config.validate().unwrap();
    let session = context.session;
    let mut transport = Transport::new(config, context, at(0), Seed::from_number(session.0[0].into()));
    transport.handle(at(0), Input::Incarnation { replica: ReplicaId(session.0) });
    transport
}

pub fn transport(number: u8) -> Transport {
    transport_of(Config::default(), context(number))
}

/// Sessions 1 to `count` on a network with 5 ms one way, not introduced.
pub fn network(count: u8) -> MemoryNetwork {
    let mut network = MemoryNetwork::new(ms(5));
    (1..=count).for_each(|number| network.add(transport(number)));
    network
}

/// Sessions 1 and 2, linked.
pub fn pair() -> MemoryNetwork {
    let mut network = network(2);
    network.introduce(session(1), session(2));
    network.advance(ms(500));
    assert_eq!(ups(&network.take(session(1))), [2]);
    assert_eq!(ups(&network.take(session(2))), [1]);
    network
}

pub fn ups(effects: &[Effect]) -> Vec<u8> {
    let up = |effect: &Effect| match effect {
        Effect::PeerUp(Peer { session, .. }) => Some(session.0[0]),
        _ => None,
    };
    effects.iter().filter_map(up).collect()
}

/// `(who, left, why)` of every link that went down.
pub fn downs(effects: &[Effect]) -> Vec<(u8, bool, String)> {
    let down = |effect: &Effect| match effect {
        Effect::PeerDown { peer, left, reason } => Some((peer.0[0], *left, reason.clone())),
        _ => None,
    };
    effects.iter().filter_map(down).collect()
}

/// `stage: reason (retry)` of every failed attempt.
pub fn failures(effects: &[Effect]) -> Vec<(String, Option<u64>)> {
    let failure = |effect: &Effect| match effect {
        Effect::Event(Event::ConnectFailed { stage, reason, retry_in_ms, .. }) => {
            Some((format!("{stage:?}: {reason}"), *retry_in_ms))
        }
        _ => None,
    };
    effects.iter().filter_map(failure).collect()
}

pub fn payloads(effects: &[Effect]) -> Vec<Bytes> {
    let payload = |effect: &Effect| match effect {
        Effect::Deliver { payload, .. } => Some(payload.clone()),
        _ => None,
    };
    effects.iter().filter_map(payload).collect()
}

pub fn misbehaviour(effects: &[Effect]) -> Vec<(String, bool)> {
    let misbehaved = |effect: &Effect| match effect {
        Effect::Event(Event::Misbehaved { reason, cut, .. }) => Some((reason.clone(), *cut)),
        _ => None,
    };
    effects.iter().filter_map(misbehaved).collect()
}

pub fn send(to: u8, channel: Channel, payload: impl Into<Bytes>) -> Input {
    Input::Send { to: session(to), channel, protocol: Protocol::OpLog, payload: payload.into() }
}

pub fn found(number: u8) -> Input {
    Input::PeerFound { session: session(number), node: node(number) }
}

pub fn event(link: LinkId, event: ConnectionEvent) -> Input {
    Input::Connection { link, event }
}

pub fn offer(from: u8, attempt: u64) -> Input {
    let signal = Signal { attempt, kind: SignalKind::Offer("offer".into()) };
    Input::Signal { from: session(from), signal }
}

pub fn answer(from: u8, attempt: u64) -> Input {
    let signal = Signal { attempt, kind: SignalKind::Answer("answer".into()) };
    Input::Signal { from: session(from), signal }
}

pub fn candidate(from: u8, attempt: u64, text: &str) -> Input {
    let signal = Signal { attempt, kind: SignalKind::Candidate(text.into()) };
    Input::Signal { from: session(from), signal }
}

pub fn fingerprints() -> Fingerprints {
    Fingerprints { local: "SHA-256 AA:BB".into(), remote: "sha-256 cc:dd".into() }
}

/// Feeds one input and collects the effects.
pub fn run(transport: &mut Transport, now: Timestamp, input: Input) -> Vec<Effect> {
    transport.handle(now, input);
    std::iter::from_fn(|| transport.poll_effect()).collect()
}

/// Runs the timeout at the machine's own deadline, and collects the effects.
pub fn wait(transport: &mut Transport) -> (Timestamp, Vec<Effect>) {
    let Deadline { at, .. } = transport.poll_timeout().expect("it waits for something");
    let now = Timestamp { monotonic: at, wall_ms: 0 };
    transport.handle_timeout(now);
    (now, std::iter::from_fn(|| transport.poll_effect()).collect())
}

/// The connection actions among `effects`, shortened.
pub fn actions(effects: &[Effect]) -> Vec<(u64, String)> {
    let action = |effect: &Effect| match effect {
        Effect::Connection { link, action } => Some((
            link.0,
            match action {
                ConnectionAction::Offer => "offer".to_string(),
                ConnectionAction::Answer { .. } => "answer".into(),
                ConnectionAction::Accept { .. } => "accept".into(),
                ConnectionAction::AddCandidate(candidate) => format!("candidate {candidate}"),
                ConnectionAction::Transmit { channel, .. } => format!("transmit {}", channel.label()),
                ConnectionAction::Close => "close".into(),
            },
        )),
        _ => None,
    };
    effects.iter().filter_map(action).collect()
}

/// One frame around one payload.
pub fn frame_of(protocol: Protocol, payload: impl Into<Bytes>) -> Bytes {
    let mut writer = FrameWriter::default();
    writer.push(protocol, payload.into()).unwrap();
    writer.finish().unwrap()
}

/// Bytes that do not compress.
pub fn noise(seed: u64, size: usize) -> Bytes {
    let mut random = Seed::from_number(seed).random();
    (0..size.div_ceil(32)).flat_map(|_| random.bytes::<32>()).take(size).collect::<Vec<u8>>().into()
}

/// The first message of a frame.
pub fn message_of(frame: &Bytes) -> Message {
    let envelope = Assembler::default().open(frame.clone()).unwrap().remove(0);
    Message::decode(&envelope.payload).unwrap()
}

/// Session 1 of a linked pair, with nothing in flight.
pub fn linked(config: Config) -> Transport {
    let mut network = MemoryNetwork::new(ms(5));
    network.add(transport_of(config, context(1)));
    network.add(transport(2));
    network.introduce(session(1), session(2));
    network.advance(ms(100));
    network.kill(session(1)).unwrap()
}

/// The frames that are transmitted among `effects`.
pub fn frames_of(effects: &[Effect]) -> Vec<Bytes> {
    let frame = |effect: &Effect| match effect {
        Effect::Connection { action: ConnectionAction::Transmit { frame, .. }, .. } => Some(frame.clone()),
        _ => None,
    };
    effects.iter().filter_map(frame).collect()
}
