//! An author signs two branches of several operations; honest operations depend on one, and come to nodes that hold the
//! other.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod common;

use std::{sync::Arc, time::Duration};

use common::{Host, SPACE, World};
use meshwork_base::{Bytes, DocumentId, Dot, HybridTime, NodeId, ReplicaId, Seed};
use meshwork_identity::KeyedHash;
use meshwork_op_log::{Config, Entry, EntryWriter, Event};

/// Longer than anything waits for a liar.
const PATIENCE: Duration = Duration::from_secs(100);

fn branch(byte: u8, operations: usize) -> Vec<Bytes> {
    let key = KeyedHash { node: NodeId([7; 32]), world: [9; 32] };
    let mut writer = EntryWriter::new(SPACE, Arc::new(key), &Seed::from_number(3));
    let document = DocumentId::new("d").unwrap();
    let mut write = || writer.write(vec![], &document, HybridTime::default(), &[byte]).unwrap();
    (0..operations).map(|_| write().bytes().clone()).collect()
}

fn liar() -> ReplicaId {
    Entry::read(SPACE, branch(1, 1).remove(0)).unwrap().operations()[0].dot.replica
}

/// Host 0 holds three operations of one branch and has written `written` that depend on them, host 1 holds the beginning
/// of the other.
fn apart(hosts: usize, written: usize) -> World {
    let mut world = World::with(Config { waiting_told_ms: 10_000, ..Config::default() }, hosts);
    world.forked = true;
    world.merge(0, branch(1, 3)).unwrap();
    world.merge(1, branch(2, 1)).unwrap();
    world.drain();
    world.write(0, written, b"honest");
    world.drain();
    assert_eq!(world.hosts[0].visible.len(), 3);
    world
}

fn honest(host: &Host) -> usize {
    host.visible.iter().filter(|operation| operation.body.as_ref() == b"honest").count()
}

fn shows_it(host: &Host) -> bool {
    host.events.iter().any(|event| matches!(event, Event::Equivocation { .. }))
}

#[test]
fn what_depends_on_the_other_branch_comes_in_the_end_and_is_kept() {
    let mut world = apart(2, 2);
    world.link(0, 1);
    world.run(Duration::from_millis(900));
    assert!(shows_it(&world.hosts[0]) && shows_it(&world.hosts[1]));
    assert_eq!((honest(&world.hosts[1]), world.hosts[1].log.pending()), (0, 2));
    world.run(PATIENCE);
    assert_eq!((honest(&world.hosts[1]), world.hosts[1].log.pending()), (2, 0));
    // What follows does not wait again, in either direction.
    world.write(0, 1, b"honest");
    world.drain();
    assert_eq!(honest(&world.hosts[1]), 3);
    let own = world.hosts[1].incarnation.replica;
    world.write(1, 1, b"honest");
    world.drain();
    assert!(world.hosts[0].applied.contains(&Dot::new(own, 1)));
    assert!(world.hosts.iter().all(|host| host.misbehaved.is_empty()));

    let disk = world.hosts[1].disk.clone();
    let version = world.hosts[1].log.version().clone();
    world.cut(0, 1);
    world.hosts[1] = Host::open(2, 50, world.now, disk).unwrap();
    world.feed(1, None);
    assert_eq!(*world.hosts[1].log.version(), version);
    // Its own is among them now.
    assert_eq!(honest(&world.hosts[1]), 4);
}

#[test]
fn what_came_in_one_block_with_something_that_waited_for_nothing_is_kept_too() {
    let mut world = apart(2, 0);
    let mut fresh = Host::open_with(Config::default(), 1, 60, world.now, Default::default()).unwrap();
    std::mem::swap(&mut world.hosts[0], &mut fresh);
    world.feed(0, None);
    world.write(0, 1, b"honest");
    world.merge(0, branch(1, 3)).unwrap();
    world.write(0, 1, b"honest");
    world.drain();
    world.link(0, 1);
    world.run(PATIENCE);
    assert_eq!(honest(&world.hosts[1]), 2);
    world.cut(0, 1);
    let disk = world.hosts[1].disk.clone();
    world.hosts[1] = Host::open(2, 50, world.now, disk).unwrap();
    world.feed(1, None);
    assert_eq!(honest(&world.hosts[1]), 2);
}

#[test]
fn a_newcomer_gets_it_from_a_node_that_does_not_hold_what_it_depends_on() {
    let mut world = apart(3, 2);
    world.link(0, 1);
    world.run(PATIENCE);
    world.cut(0, 1);
    world.link(1, 2);
    world.run(PATIENCE);
    assert_eq!((honest(&world.hosts[2]), world.hosts[2].log.pending()), (2, 0));
    assert_eq!(world.hosts[1].log.version(), world.hosts[2].log.version());
}

#[test]
fn without_a_proof_what_depends_on_a_missing_operation_waits_on() {
    let mut world = World::with(Config { waiting_told_ms: 10_000, ..Config::default() }, 1);
    let key = KeyedHash { node: NodeId([8; 32]), world: [9; 32] };
    let mut writer = EntryWriter::new(SPACE, Arc::new(key), &Seed::from_number(4));
    let document = DocumentId::new("d").unwrap();
    let missing = vec![Dot::new(liar(), 3)];
    let block = writer.write(missing, &document, HybridTime::default(), b"honest").unwrap().bytes().clone();
    world.merge(0, branch(1, 1)).unwrap();
    world.merge(0, vec![block]).unwrap();
    world.run(PATIENCE);
    assert_eq!((honest(&world.hosts[0]), world.hosts[0].log.pending()), (0, 1));
}
