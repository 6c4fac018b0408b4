//! Frames from a stranger among those of an honest handshake, at any stage of it: the machines stay content.
//!
//! The first byte says when the stranger begins, in milliseconds; the first of every piece, how it is sent.
#![no_main]

use std::{sync::Arc, time::Duration};

use libfuzzer_sys::fuzz_target;
use meshwork_base::{Bytes, NodeId, ReplicaId, Seed, SessionId};
use meshwork_fuzz::{SPACE, pieces, read};
use meshwork_identity::{KeyedHash, SpaceSecret};
use meshwork_transport::{Config, Context, Input, MemoryNetwork, Message, Transport};
use meshwork_wire::{Channel, FrameWriter, Protocol};

const VICTIM: SessionId = SessionId([1; 16]);
const STRANGER: SessionId = SessionId([2; 16]);

fuzz_target!(|data: &[u8]| {
    let Some((delay_ms, data)) = data.split_first() else { return };
    let mut network = MemoryNetwork::new(Duration::from_millis(5));
    for session in [VICTIM, STRANGER] {
        let transport =
            Transport::new(Config::default(), context(session), network.now(), Seed::from_number(1));
        network.add(transport);
        network.input(session, Input::Incarnation { replica: ReplicaId(session.0) });
    }
    network.introduce(VICTIM, STRANGER);
    network.advance(Duration::from_millis(u64::from(*delay_ms)));
    for piece in pieces(data) {
        let Some((how, bytes)) = piece.split_first() else { continue };
        read::<Message>(bytes);
        if let Some(frame) = frame(*how, bytes) {
            network.inject(STRANGER, VICTIM, Channel::ALL[usize::from(*how) % 3], frame);
        }
        network.advance(Duration::from_millis(20));
    }
    network.advance(Duration::from_secs(10));
});

fn context(session: SessionId) -> Context {
    let signer = Arc::new(KeyedHash { node: NodeId([session.0[0]; 32]), world: [0; 32] });
    let secret = SpaceSecret::open(&SPACE);
    Context { space: SPACE, secret, session, durable: true, signer: signer.clone(), verifier: signer }
}

/// The bytes as they are, or as a message about the link, or for another machine.
fn frame(how: u8, bytes: &[u8]) -> Option<Bytes> {
    let protocol = match how >> 6 {
        0 => return Some(Bytes::copy_from_slice(bytes)),
        1 | 2 => Protocol::Link,
        _ => Protocol::Presence,
    };
    let mut writer = FrameWriter::default();
    writer.push(protocol, Bytes::copy_from_slice(bytes)).ok()?;
    writer.finish()
}
