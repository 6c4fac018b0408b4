//! Who is let in, and what those are told who are not.

mod support;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use meshwork_base::{NodeId, ReplicaId, SpaceId};
use meshwork_identity::{KeyedHash, SpaceSecret};
use meshwork_transport::{
    Config, ConnectionEvent, Context, Fingerprints, Hello, Input, LINK_VERSION, LinkId, MemoryNetwork,
    Message,
};
use meshwork_wire::{Channel, Protocol, encode};
use support::*;

/// Session 1 as it should be, and session 2 of another context.
fn with(other: Context) -> MemoryNetwork {
    let mut network = network(1);
    network.add(transport_of(Config::default(), other));
    network
}

/// What both sides tell of their first attempt.
fn reasons(network: &mut MemoryNetwork) -> [(String, Option<u64>); 2] {
    network.advance(ms(1_000));
    [1, 2].map(|number| {
        let effects = network.take(session(number));
        assert_eq!(ups(&effects), Vec::<u8>::new());
        failures(&effects).into_iter().next().unwrap_or_default()
    })
}

#[test]
fn another_space_is_named_on_both_sides_and_not_tried_again_soon() {
    let mut network = with(Context { space: SpaceId([8; 16]), ..context(2) });
    network.introduce(session(1), session(2));
    let [one, two] = reasons(&mut network);
    assert!(one.0.starts_with("Handshake: the room leads to another space (0808"), "{one:?}");
    assert!(two.0.starts_with("Handshake: the room leads to another space (0707"), "{two:?}");
    assert_eq!((one.1, two.1), (Some(30_000), Some(32_000)));
    network.advance(ms(25_000));
    assert_eq!(failures(&network.take(session(1))), [], "not every second");
}

#[test]
fn a_wrong_secret_is_named_on_both_sides() {
    let mut network = with(Context { secret: SpaceSecret::from_bytes([9; 32]), ..context(2) });
    network.introduce(session(1), session(2));
    for (reason, retry) in reasons(&mut network) {
        assert!(reason.starts_with("Handshake: wrong password or invitation"), "{reason}");
        assert!(retry.unwrap() >= 30_000);
    }
}

#[test]
fn a_key_that_is_not_its_own_is_refused() {
    // Session 2 claims node 2, but cannot sign as it.
    let imposter = Arc::new(KeyedHash { node: node(2), world: [1; 32] });
    let mut network = with(Context { signer: imposter, ..context(2) });
    network.introduce(session(1), session(2));
    let [one, two] = reasons(&mut network);
    assert!(one.0.starts_with("Handshake: the signature of node 0202"), "{one:?}");
    assert!(two.0.contains("it refuses us: ") || two.0.contains("the signature of node 0202"), "{two:?}");
}

#[test]
fn a_node_that_is_not_the_announced_one_is_refused() {
    let mut network = network(2);
    network.input(session(1), Input::PeerFound { session: session(2), node: NodeId([9; 32]) });
    let [one, two] = reasons(&mut network);
    assert!(one.0.starts_with("Handshake: the hub announced node 0909"), "{one:?}");
    assert!(two.0.starts_with("Handshake: it refuses us: the hub announced node 0909"), "{two:?}");
}

#[test]
fn a_session_that_is_not_the_signalling_one_is_refused() {
    // The hub lets session 3 answer in the name of session 2.
    let mut network = with(context(2));
    network.tamper_frames(session(2), session(1), |_, frame| match message_of(&frame) {
        Message::Hello(mut hello) => {
            hello.session = session(3);
            vec![frame_of(Protocol::Link, Message::Hello(hello).encode())]
        }
        _ => vec![frame],
    });
    network.introduce(session(1), session(2));
    assert!(reasons(&mut network)[0].0.contains("signals came from session 0202"));
}

#[test]
fn a_substituted_certificate_is_refused() {
    // Somebody in the middle shows both sides certificates of its own, and leaves the messages alone.
    let mut network = network(2);
    network.substitute_certificate(session(1), session(2), "middle");
    network.substitute_certificate(session(2), session(1), "middle");
    network.introduce(session(1), session(2));
    for (reason, _) in reasons(&mut network) {
        assert!(reason.starts_with("Handshake: its certificate was substituted on the way"), "{reason}");
    }
}

#[test]
fn a_substituted_certificate_is_refused_though_the_messages_are_rewritten_to_match() {
    let mut network = network(2);
    for (from, to) in [(1, 2), (2, 1)] {
        network.substitute_certificate(session(to), session(from), "middle");
        network.tamper_frames(session(from), session(to), |_, frame| match message_of(&frame) {
            Message::Hello(mut hello) => {
                hello.certificate = "middle".into();
                vec![frame_of(Protocol::Link, Message::Hello(hello).encode())]
            }
            _ => vec![frame],
        });
    }
    network.introduce(session(1), session(2));
    for (reason, _) in reasons(&mut network) {
        assert!(reason.contains("the signature of node"), "{reason}");
    }
}

#[test]
fn an_unknown_certificate_is_no_certificate() {
    let mut network = network(2);
    network.substitute_certificate(session(1), session(2), " ");
    network.introduce(session(1), session(2));
    assert!(reasons(&mut network)[0].0.contains("certificates of this connection are not known"));
}

#[test]
fn another_link_version_is_named() {
    let mut network = network(2);
    network.tamper_frames(session(2), session(1), |_, _| {
        vec![frame_of(Protocol::Link, encode(&(0u32, 7u16, "something new")).unwrap())]
    });
    network.introduce(session(1), session(2));
    let [one, two] = reasons(&mut network);
    assert!(one.0.starts_with("Handshake: it speaks link version 7, this build speaks 1"), "{one:?}");
    assert!(two.0.starts_with("Handshake: it refuses us: it speaks link version 7"), "{two:?}");
    assert_eq!(misbehaviour(&network.take(session(1))), []);
}

#[test]
fn a_proof_of_an_earlier_connection_is_refused() {
    // The certificates are the same on both connections, so that only the nonces tell them apart.
    let theirs = || Fingerprints { local: "sha-256 cc:dd".into(), remote: "sha-256 aa:bb".into() };
    let received =
        |frame: Bytes| event(LinkId(1), ConnectionEvent::Received { channel: Channel::Control, frame });
    let mut two = transport(2);
    run(&mut two, at(0), offer(1, 2));
    run(&mut two, at(1), event(LinkId(1), ConnectionEvent::Described("sdp".into())));
    let hello = frames_of(&run(&mut two, at(2), event(LinkId(1), ConnectionEvent::Opened(theirs()))));

    let mut one = transport(1);
    run(&mut one, at(0), found(2));
    run(&mut one, at(1), answer(2, 2));
    let first = frames_of(&run(&mut one, at(2), event(LinkId(1), ConnectionEvent::Opened(fingerprints()))));
    let proof = frames_of(&run(&mut two, at(3), received(first[0].clone())));
    run(&mut one, at(3), received(hello[0].clone()));
    assert_eq!(
        misbehaviour(&run(&mut one, at(4), received(proof[0].clone()))),
        [],
        "it holds the first time"
    );

    // Another connection of session 1, on which the other side says the very same again.
    run(&mut one, at(5), event(LinkId(1), ConnectionEvent::Closed { reason: "gone".into() }));
    let (now, _) = wait(&mut one);
    run(&mut one, now, answer(2, 4));
    run(&mut one, now, event(LinkId(2), ConnectionEvent::Opened(fingerprints())));
    let again = |frame: &Bytes| {
        event(LinkId(2), ConnectionEvent::Received { channel: Channel::Control, frame: frame.clone() })
    };
    run(&mut one, now, again(&hello[0]));
    let effects = run(&mut one, now, again(&proof[0]));
    assert!(failures(&effects)[0].0.contains("the signature of node 0202"), "{effects:?}");
}

#[test]
fn our_own_proof_sent_back_to_us_is_refused() {
    // Two tabs of one node: only the role tells their proofs apart. Instead of the proof of session 2, session 1 gets
    // its own.
    let own = Arc::new(Mutex::new(None::<Bytes>));
    let seen = own.clone();
    let mut network = with(Context { session: session(2), ..context(1) });
    network.tamper_frames(session(1), session(2), move |_, frame| {
        *seen.lock().unwrap() = Some(frame);
        vec![]
    });
    network.tamper_frames(session(2), session(1), |_, frame| match message_of(&frame) {
        Message::Hello(_) => vec![frame],
        _ => vec![],
    });
    network.introduce(session(1), session(2));
    network.advance(ms(100));
    let proof = own.lock().unwrap().take().unwrap();
    assert!(matches!(message_of(&proof), Message::Proof(_)));
    network.inject(session(2), session(1), Channel::Control, proof);
    let [one, _] = reasons(&mut network);
    assert!(one.0.starts_with("Handshake: the signature of node 0101"), "{one:?}");
}

#[test]
fn nothing_is_delivered_before_the_handshake_is_done() {
    let hostile: [(Channel, Bytes, &str); 6] = [
        (Channel::Live, frame_of(Protocol::OpLog, "x"), "payloads before the handshake"),
        (Channel::Control, frame_of(Protocol::OpLog, "x"), "payloads before the handshake"),
        (Channel::Control, frame_of(Protocol::Link, noise(1, 5_000)), "payloads before the handshake"),
        (Channel::Control, frame_of(Protocol::Link, Message::Ready.encode()), "Ready without Proof"),
        (Channel::Control, frame_of(Protocol::Link, Message::Ping { token: 1 }.encode()), "pings before"),
        (Channel::Control, frame_of(Protocol::Link, "\u{7f}"), "malformed message"),
    ];
    for (channel, frame, expected) in hostile {
        let mut network = network(2);
        network.tamper_frames(session(2), session(1), |_, _| vec![]);
        network.introduce(session(1), session(2));
        while network.transport(session(1)).unwrap().links()[0].traffic.frames_sent == 0 {
            network.advance(ms(1));
        }
        network.inject(session(2), session(1), channel, frame);
        network.advance(ms(100));
        let effects = network.take(session(1));
        assert_eq!((payloads(&effects), ups(&effects)), (vec![], vec![]));
        assert!(failures(&effects)[0].0.contains(expected), "{effects:?}");
        // Nobody is blamed: whoever has not proved who it is may be anybody whom a hub led here.
        assert_eq!(misbehaviour(&effects), []);
    }
}

#[test]
fn a_peer_that_sees_the_channels_open_first_may_say_hello_at_once() {
    let mut one = transport(1);
    let link = LinkId(1);
    run(&mut one, at(0), found(2));
    run(&mut one, at(1), answer(2, 2));
    let received = |payload: Bytes| {
        let frame = frame_of(Protocol::Link, payload);
        event(link, ConnectionEvent::Received { channel: Channel::Control, frame })
    };
    let hello = Message::Hello(Hello {
        version: LINK_VERSION,
        space: SPACE,
        node: node(2),
        session: session(2),
        replica: ReplicaId([2; 16]),
        durable: false,
        nonce: [3; 32],
        certificate: "sha-256 cc:dd".into(),
    });
    assert_eq!(run(&mut one, at(2), received(hello.encode())), []);
    let opened = event(link, ConnectionEvent::Opened(fingerprints()));
    let control = (1, "transmit control".to_string());
    assert_eq!(actions(&run(&mut one, at(3), opened)), [control.clone(), control], "Hello and Proof");
}
