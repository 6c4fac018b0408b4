//! What a crash, a close and a wrong store do.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod common;

use std::time::Duration;

use common::{Host, Rows, SPACE, World, context, rows};
use meshwork_base::{Bytes, Dot, ReplicaId, Seed, SpaceId, Table, Timestamp};
use meshwork_op_log::{Config, Context, Effect, Event, Input, OpLog, OpenError};
use proptest::prelude::*;

fn open(disk: &Rows) -> Result<Host, OpenError> {
    Host::open(1, 77, Timestamp::default(), disk.clone())
}

/// A store of one node that wrote `count` operations and was closed.
fn closed_store(count: usize) -> (Rows, ReplicaId) {
    let mut world = World::new(1);
    for _ in 0..count {
        world.write(0, 1, b"x");
        world.run(Duration::from_millis(3));
    }
    world.feed(0, Some(Input::Close));
    world.drain();
    assert!(world.hosts[0].closed);
    (world.hosts[0].disk.clone(), world.hosts[0].incarnation.replica)
}

#[test]
fn the_first_effects_come_in_order() {
    let (disk, replica) = closed_store(5);
    let config = Config { deliver_operations_max: 2, ..Config::default() };
    let mut log =
        OpLog::open(config, context(1), Timestamp::default(), Seed::from_number(7), rows(&disk)).unwrap();
    let mut kinds = Vec::new();
    while let Some(effect) = meshwork_base::Machine::poll_effect(&mut log) {
        kinds.push(match effect {
            Effect::Incarnation(incarnation) => {
                assert_eq!((incarnation.replica, incarnation.next_sequence), (replica, 6));
                "incarnation".to_string()
            }
            Effect::Persist { rows, .. } => {
                let meta = rows.iter().filter(|row| row.table == Table::Meta);
                meta.map(|row| String::from_utf8_lossy(&row.key).into_owned()).collect::<Vec<_>>().join(" ")
            }
            Effect::Deliver(operations) => format!("{} operations", operations.len()),
            Effect::Stored { version } => format!("stored {}", version.sequence(&replica)),
            other => format!("{other:?}"),
        });
    }
    let expected = [
        "incarnation",
        "format space owner incarnation mark",
        "2 operations",
        "2 operations",
        "1 operations",
        "stored 5",
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn a_clean_close_keeps_the_replica_and_a_crash_does_not() {
    let (disk, replica) = closed_store(3);
    let clean = open(&disk).unwrap();
    assert_eq!((clean.incarnation.replica, clean.incarnation.next_sequence), (replica, 4));

    let mut crashed = open(&disk).unwrap();
    crashed.feed(Timestamp::default(), None);
    while crashed.store_one().is_some() {}
    let after = open(&crashed.disk).unwrap();
    assert_ne!(after.incarnation.replica, replica);
    assert_eq!(after.incarnation.next_sequence, 1);
    assert!(after.incarnation.epoch > clean.incarnation.epoch);
}

#[test]
fn nothing_is_sent_before_the_durable_mark_is_stored() {
    let mut world = World::new(2);
    world.hosts[0] = Host::open(1, 5, world.now, Rows::new()).unwrap();
    world.feed(0, None);
    world.link(0, 1);
    for _ in 0..10 {
        for lane in world.network.keys().copied().collect::<Vec<_>>() {
            world.hand_over(lane);
        }
    }
    world.write(0, 1, b"x");
    let lanes = |world: &World| world.network.values().map(|queue| queue.len()).sum::<usize>();
    assert_eq!(lanes(&world), 0);
    assert_eq!(world.hosts[0].log.blocks_since(&Default::default()), Vec::<Bytes>::new());
    let mark = world.hosts[0].store_one().unwrap();
    world.feed(0, Some(mark));
    assert_eq!(lanes(&world), 1);
}

#[test]
fn an_operation_waits_for_what_it_depends_on_to_be_stored() {
    let mut world = World::new(3);
    world.link(0, 1);
    world.link(1, 2);
    world.drain();
    world.write(0, 1, b"first");
    let live = meshwork_wire::Channel::Live;
    assert!(world.hand_over((0, 1, live)));
    // Shown already, not stored; an answer to it stays here, though stored itself.
    assert_eq!(world.hosts[1].visible.len(), 1);
    world.write(1, 1, b"answer");
    assert!(!world.hand_over((1, 2, live)));
    world.drain();
    world.run(Duration::from_millis(100));
    world.assert_converged();
}

#[test]
fn wrong_and_corrupt_stores_are_refused_by_name() {
    let (disk, replica) = closed_store(3);
    let meta = |key: &'static str| (Table::Meta, Bytes::from(key));
    let block =
        |sequence: u64| (Table::Blocks, Bytes::from([&replica.0[..], &sequence.to_be_bytes()].concat()));
    let changed = |key: (Table, Bytes), change: fn(&mut Vec<u8>)| {
        let mut disk = disk.clone();
        let mut value = disk[&key].to_vec();
        change(&mut value);
        disk.insert(key, value.into());
        disk
    };
    let mut without_format = disk.clone();
    without_format.remove(&meta("format"));
    let mut without_first = disk.clone();
    without_first.remove(&block(1));
    let table = [
        (without_format, "this store holds blocks but its meta row `format` is missing"),
        (without_first, "what it depends on, or the block before it, is missing"),
        (changed(meta("format"), |value| value[0] = 9), "this store has format 9, this build reads format 1"),
        (changed(meta("owner"), |value| value[0] = 9), "this store belongs to node 0901010101"),
        (changed(meta("space"), |value| value[0] = 9), "this store belongs to space 09050505"),
        (changed(meta("incarnation"), Vec::clear), "row incarnation of table Meta is corrupt"),
        (
            changed(block(2), |value| value[134] ^= 1),
            &format!("row {replica}0000000000000002 of table Blocks is corrupt"),
        ),
        (
            changed(block(3), |value| value.truncate(99)),
            &format!("row {replica}0000000000000003 of table Blocks is corrupt"),
        ),
    ];
    for (disk, expected) in table {
        let error = open(&disk).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let other = Context { space: SpaceId([6; 16]), ..context(1) };
    assert_ne!(SPACE, other.space);
    let error =
        OpLog::open(Config::default(), other, Timestamp::default(), Seed::from_number(1), rows(&disk)).err();
    assert!(matches!(error, Some(OpenError::Space { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Any single flipped bit of a stored block or fact is refused or changes nothing that is held. (A signature that a
    /// later one makes superfluous is not even read.)
    #[test]
    fn a_flipped_bit_is_never_taken_for_an_operation(row: prop::sample::Index, bit: prop::sample::Index) {
        let (disk, _) = closed_store(3);
        let whole = open(&disk).unwrap();
        let mut torn = disk.clone();
        let key = torn.keys().nth(row.index(torn.len())).unwrap().clone();
        let mut value = torn[&key].to_vec();
        let bit = bit.index(value.len() * 8);
        value[bit / 8] ^= 1 << (bit % 8);
        torn.insert(key.clone(), value.into());
        match open(&torn) {
            Err(_) => {}
            Ok(host) => {
                prop_assert_eq!(host.log.version(), whole.log.version());
                prop_assert_eq!(host.log.last_operations(9), whole.log.last_operations(9));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Nodes crash or close at any point, with any prefix of their writes stored, and come back.
    #[test]
    fn a_crash_loses_nothing_that_was_stored_and_reuses_no_dot(seed: u64, steps in 50usize..500) {
        let mut random = Seed::from_number(seed).random();
        let mut world = World::new(3);
        let mut written = std::collections::BTreeMap::<Dot, Vec<Bytes>>::new();
        for step in 0..steps {
            let (a, b) = [(0, 1), (0, 2), (1, 2)][random.below(3) as usize];
            let host = random.below(3) as usize;
            match random.below(24) {
                0 => world.cut(a, b),
                1 | 2 if !world.links.contains(&(a, b)) => world.link(a, b),
                3 => reopen(&mut world, host, step as u64),
                4..=8 => {
                    let body = Bytes::from(format!("{host} {step}"));
                    let operation = world.hosts[host].write(body.clone());
                    // A dot that nobody saw and no disk holds may be numbered again.
                    written.entry(operation.dot).or_default().push(body);
                    world.feed(host, Some(Input::Append(vec![operation])));
                }
                _ => world.stir(&mut random, 0.0, 0.0),
            }
        }
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            world.cut(a, b);
            world.link(a, b);
        }
        world.run(Duration::from_secs(10));
        world.assert_converged();
        for dot in &world.hosts[0].applied {
            let body = world.hosts[0].log.operation(*dot).unwrap().body;
            prop_assert!(written[dot].contains(&body));
        }
        for host in &world.hosts {
            let equivocates = host.events.iter().any(|event| matches!(event, Event::Equivocation { .. }));
            prop_assert!(!equivocates);
        }
    }
}

/// The process ends, cleanly or not, and comes back with what was on its disk.
fn reopen(world: &mut World, host: usize, seed: u64) {
    for other in 0..3 {
        world.cut(host.min(other), host.max(other));
    }
    if seed.is_multiple_of(3) {
        world.feed(host, Some(Input::Close));
        while let Some(input) = world.hosts[host].store_one() {
            world.feed(host, Some(input));
        }
        assert!(world.hosts[host].closed);
    }
    let old = &world.hosts[host];
    let stored = old.stored.clone();
    let (node, disk) = (old.node, old.disk.clone());
    world.hosts[host] = Host::open(node, seed + 1000, world.now, disk).unwrap();
    world.feed(host, None);
    assert!(world.hosts[host].log.version().covers(&stored), "stored operations are lost");
    assert_eq!(world.hosts[host].visible.len() as u64, world.hosts[host].log.operations());
}
