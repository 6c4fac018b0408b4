//! The bytes of every message are pinned: whoever changes them raises `LINK_VERSION`.

mod support;

use std::sync::{Arc, Mutex};

use meshwork_base::{NodeId, ReplicaId, SessionId, SpaceId};
use meshwork_identity::{Ed25519, NodeKey, Signature, SpaceSecret};
use meshwork_transport::{
    Config, Context, Farewell, Hello, LINK_VERSION, MemoryNetwork, Message, Proof, Refusal, Signal,
    SignalKind,
};
use meshwork_wire::{decode, encode};

fn hello() -> Hello {
    Hello {
        version: LINK_VERSION,
        space: SpaceId([1; 16]),
        node: NodeId([2; 32]),
        session: SessionId([3; 16]),
        replica: ReplicaId([4; 16]),
        durable: true,
        nonce: [5; 32],
        certificate: "sha-256 aa:bb".into(),
    }
}

#[test]
fn golden_messages() {
    let table = [
        (Message::Hello(hello()), include_str!("golden/hello.hex")),
        (
            Message::Proof(Proof { signature: Signature([6; 64]), mac: [7; 32] }),
            include_str!("golden/proof.hex"),
        ),
        (Message::Ready, include_str!("golden/ready.hex")),
        (Message::Ping { token: 300 }, include_str!("golden/ping.hex")),
        (Message::Pong { token: 300 }, include_str!("golden/pong.hex")),
        (Message::Bye(Farewell::Leaving), include_str!("golden/bye_leaving.hex")),
        (Message::Bye(Farewell::Refused("no".into())), include_str!("golden/bye_refused.hex")),
    ];
    for (message, expected) in table {
        let bytes = message.encode();
        assert_eq!(base16ct::lower::encode_string(&bytes), expected.trim(), "{message:?}");
        assert_eq!(Message::decode(&bytes), Ok(message));
    }
}

#[test]
fn golden_signals() {
    let table = [
        (SignalKind::Offer("o".into()), include_str!("golden/signal_offer.hex")),
        (SignalKind::Answer("a".into()), include_str!("golden/signal_answer.hex")),
        (SignalKind::Candidate("c".into()), include_str!("golden/signal_candidate.hex")),
    ];
    for (kind, expected) in table {
        let signal = Signal { attempt: 6, kind };
        let bytes = encode(&signal).unwrap();
        assert_eq!(base16ct::lower::encode_string(&bytes), expected.trim(), "{signal:?}");
        assert_eq!(decode::<Signal>(&bytes), Ok(signal));
    }
}

/// The `Hello` and the `Proof` of both ends, as sent: keys, nonces and certificates are fixed, so the signatures and the
/// macs pin the transcript that they cover.
#[test]
fn golden_handshake() {
    let context = |number: u8| {
        let signer = Arc::new(NodeKey::from_bytes(&[number; 32]));
        let (verifier, secret) = (Arc::new(Ed25519), SpaceSecret::from_bytes([9; 32]));
        Context { signer, verifier, secret, ..support::context(number) }
    };
    let mut network = MemoryNetwork::new(support::ms(5));
    let sent = Arc::new(Mutex::new(Vec::new()));
    for number in [1, 2] {
        network.add(support::transport_of(Config::default(), context(number)));
        let sent = sent.clone();
        let (from, to) = (support::session(number), support::session(3 - number));
        network.tamper_frames(from, to, move |_, frame| {
            let message = support::message_of(&frame);
            let name = match &message {
                Message::Hello(_) => "hello",
                Message::Proof(_) => "proof",
                _ => return vec![frame],
            };
            let line = format!("{name} of {number}: {}", base16ct::lower::encode_string(&message.encode()));
            sent.lock().unwrap().push(line);
            vec![frame]
        });
    }
    network.introduce(support::session(1), support::session(2));
    network.advance(support::ms(500));
    assert_eq!(support::ups(&network.take(support::session(1))), [2]);
    let mut lines = std::mem::take(&mut *sent.lock().unwrap());
    lines.sort();
    assert_eq!(lines.join("\n"), include_str!("golden/handshake.txt").trim());
}

#[test]
fn another_version_is_named_whatever_follows_it() {
    let mut bytes = encode(&(0u32, LINK_VERSION + 1)).unwrap();
    bytes.extend([0xff; 5]);
    assert_eq!(Message::decode(&bytes), Err(Refusal::Version { found: LINK_VERSION + 1 }));
    let error = Message::decode(&bytes).unwrap_err().to_string();
    assert_eq!(error, "it speaks link version 2, this build speaks 1; upgrade the older side");
}
