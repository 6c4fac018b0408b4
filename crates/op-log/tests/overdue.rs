//! Operations that wait for what nobody has are told of, once, and not before their time.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod common;

use std::{sync::Arc, time::Duration};

use common::{SPACE, World, session};
use meshwork_base::{Bytes, DocumentId, Dot, Hash, HybridTime, Machine as _, NodeId, ReplicaId, Seed, Tip};
use meshwork_identity::KeyedHash;
use meshwork_op_log::{EntryWriter, Event, Input, Message};

const TOLD: Duration = Duration::from_secs(30);

fn writer(node: u8) -> EntryWriter {
    let key = KeyedHash { node: NodeId([node; 32]), world: [9; 32] };
    EntryWriter::new(SPACE, Arc::new(key), &Seed::from_number(3))
}

fn write(writer: &mut EntryWriter, dependencies: Vec<Dot>) -> Bytes {
    let document = DocumentId::new("d").unwrap();
    writer.write(dependencies, &document, HybridTime::default(), b"body").unwrap().bytes().clone()
}

fn linked(hosts: usize) -> World {
    let mut world = World::new(hosts);
    (1..hosts).for_each(|host| world.link(0, host));
    world.drain();
    world
}

/// Hands a block to host 0 as if from host 1.
fn hand(world: &mut World, block: Bytes) {
    let message = Message::Blocks { wanted: false, blocks: vec![block] };
    world.feed(0, Some(Input::Received { from: session(1), message }));
}

/// What host 0 told since it was asked before.
fn told(world: &mut World) -> Vec<Event> {
    let mut events = std::mem::take(&mut world.hosts[0].events);
    events.retain(|event| matches!(event, Event::Waiting { .. }));
    events
}

fn nowhere(replica: u8) -> Dot {
    Dot::new(ReplicaId([replica; 16]), 3)
}

#[test]
fn what_waits_for_long_is_told_once_and_the_rest_not_at_all() {
    let mut world = linked(2);
    let mut stuck = writer(7);
    hand(&mut world, write(&mut stuck, vec![nowhere(0xee)]));
    hand(&mut world, write(&mut stuck, vec![]));
    // One that waits for a moment only.
    let mut late = writer(8);
    let (first, second) = (write(&mut late, vec![]), write(&mut late, vec![]));
    hand(&mut world, second);
    world.run(TOLD - Duration::from_millis(1));
    hand(&mut world, first);
    assert_eq!(told(&mut world), []);
    world.run(Duration::from_millis(2));
    assert_eq!(told(&mut world), [Event::Waiting { operations: 2, dots: vec![nowhere(0xee)] }]);
    world.run(TOLD * 10);
    assert_eq!(told(&mut world), []);

    hand(&mut world, write(&mut writer(9), vec![nowhere(0xdd)]));
    world.run(TOLD * 2);
    let both = vec![nowhere(0xdd), nowhere(0xee)];
    assert_eq!(told(&mut world), [Event::Waiting { operations: 3, dots: both }]);
}

#[test]
fn what_a_peer_offers_is_not_missing_until_it_has_failed() {
    let mut world = linked(3);
    let mut owner = writer(8);
    let entries: Vec<_> = (0..3)
        .map(|_| owner.write(vec![], &DocumentId::new("d").unwrap(), HybridTime::default(), b"b").unwrap())
        .collect();
    let dot = entries[2].operations()[0].dot;
    hand(&mut world, write(&mut writer(7), vec![dot]));
    world.run(TOLD - Duration::from_secs(1));
    let tip = Tip { sequence: 3, hash: Hash::of(b"what it claims") };
    let offer = Message::Have { entries: vec![(dot.replica, tip)], answer_wanted: false };
    world.feed(0, Some(Input::Received { from: session(2), message: offer }));
    world.run(Duration::from_secs(2));
    assert_eq!(told(&mut world), []);
    // It sends nothing.
    world.run(TOLD * 2);
    assert_eq!(told(&mut world), [Event::Waiting { operations: 1, dots: vec![dot] }]);
    // Once nothing waits, nothing is looked for.
    for entry in &entries {
        hand(&mut world, entry.bytes().clone());
    }
    assert_eq!(world.hosts[0].log.pending(), 0);
    world.run(TOLD * 3);
    assert_eq!(told(&mut world), []);
    let next = world.hosts[0].log.poll_timeout();
    assert!(next.is_none_or(|next| next.why != "see which operations still wait"), "{next:?}");
}
