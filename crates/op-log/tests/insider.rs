//! What a linked member with a key of its own can do to the others, and cannot.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod common;

use std::sync::Arc;

use common::{SPACE, World, session};
use meshwork_base::{Bytes, DocumentId, HybridTime, NodeId, Seed};
use meshwork_identity::KeyedHash;
use meshwork_op_log::{EntryWriter, Input, Message};

fn writer(signs_as: u8, nonce: u64) -> EntryWriter {
    let key = KeyedHash { node: NodeId([signs_as; 32]), world: [9; 32] };
    EntryWriter::new(SPACE, Arc::new(key), &Seed::from_number(nonce))
}

fn write(writer: &mut EntryWriter, body: &[u8]) -> Bytes {
    let document = DocumentId::new("d").unwrap();
    writer.write(vec![], &document, HybridTime::default(), body).unwrap().bytes().clone()
}

/// Hosts that are all linked to host 0.
fn star(hosts: usize) -> World {
    let mut world = World::new(hosts);
    (1..hosts).for_each(|host| world.link(0, host));
    world.drain();
    world
}

/// Host 0 hears a message of host 1.
fn hear(world: &mut World, message: Message) {
    world.feed(0, Some(Input::Received { from: session(1), message }));
}

#[test]
fn a_proof_at_the_end_of_all_numbers_is_judged_without_a_panic() {
    let mut world = star(2);
    let mut last = write(&mut writer(7, 3), b"x").to_vec();
    last[65..73].copy_from_slice(&u64::MAX.to_le_bytes());
    let last = Bytes::from(last);
    hear(&mut world, Message::Proof { first: last.clone(), second: last });
    assert_eq!(world.hosts[0].misbehaved.len(), 1);
}
