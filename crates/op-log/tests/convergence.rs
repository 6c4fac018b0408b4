//! Logs that exchange messages agree, whatever happens to these on the way.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod common;

use std::time::Duration;

use common::{Host, Rows, World, apply};
use meshwork_base::{Seed, Table};
use meshwork_op_log::{Config, Event, Input};
use meshwork_wire::Channel;
use proptest::prelude::*;

fn synced(host: &Host) -> usize {
    host.events.iter().filter(|event| matches!(event, Event::Synced { .. })).count()
}

#[test]
fn what_peers_have_is_known_before_it_is_held() {
    let mut world = World::new(3);
    world.write(0, 3, b"of the first");
    world.write(2, 1, b"own");
    world.drain();
    world.link(0, 1);
    world.drain();
    world.link(0, 2);
    world.link(1, 2);
    let mut seen = std::collections::BTreeSet::new();
    let mut control = |world: &mut World| {
        let two = &world.hosts[2].log;
        seen.insert((two.operations(), two.known_operations(), two.lacks_any()));
        let lanes = [(0, 2), (1, 2), (2, 0), (2, 1)].map(|(from, to)| (from, to, Channel::Control));
        lanes.into_iter().any(|lane| world.hand_over(lane))
    };
    while control(&mut world) {}
    world.drain();
    control(&mut world);
    // Two peers have the same: it counts once.
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [(1, 1, false), (1, 4, true), (4, 4, false)]);
}

#[test]
fn new_operations_are_pushed_and_need_no_timer() {
    let mut world = World::new(2);
    world.link(0, 1);
    world.drain();
    assert_eq!((synced(&world.hosts[0]), synced(&world.hosts[1])), (1, 1));
    for _ in 0..10 {
        world.write(0, 1, b"from a");
        world.drain();
        world.run(Duration::from_millis(3));
        world.write(1, 1, b"from b");
        world.drain();
        world.run(Duration::from_millis(3));
    }
    world.assert_converged();
    assert_eq!(world.hosts[0].log.operations(), 20);
    world.run(Duration::from_secs(5));
    assert_eq!(synced(&world.hosts[0]), 2);
}

#[test]
fn a_line_of_logs_converges_within_a_moment() {
    let mut world = World::new(4);
    for host in 0..3 {
        world.link(host, host + 1);
    }
    world.drain();
    world.write(0, 1, b"x");
    world.run(Duration::from_millis(160));
    world.assert_converged();
}

#[test]
fn catching_up_merges_blocks_of_one_operation() {
    let mut world = World::new(2);
    for _ in 0..100_000u32 {
        world.write(0, 1, &[7; 16]);
        world.now = world.now.after(Duration::from_millis(2));
        while let Some(input) = world.hosts[0].store_one() {
            world.feed(0, Some(input));
        }
    }
    let blocks = |host: &Host| host.disk.keys().filter(|(table, _)| *table == Table::Blocks).count();
    assert_eq!(blocks(&world.hosts[0]), 100_000);
    world.link(0, 1);
    world.run(Duration::from_secs(1));
    world.assert_converged();
    assert_eq!(blocks(&world.hosts[1]), 98);
    assert_eq!(synced(&world.hosts[1]), 1);
    assert!(world.bytes < 7_000_000, "{} bytes", world.bytes);
    // Opening merges what is stored, too.
    let again = Host::open(1, 9, world.now, world.hosts[0].disk.clone()).unwrap();
    let mut disk = world.hosts[0].disk.clone();
    let mut again = again;
    again.feed(world.now, None);
    for (_, rows) in &again.writes {
        apply(&mut disk, rows);
    }
    assert_eq!(disk.keys().filter(|(table, _)| *table == Table::Blocks).count(), 98);
    assert_eq!(again.visible.len(), 100_000);
    let twice = Host::open(1, 10, world.now, disk).unwrap();
    assert_eq!(twice.log.version(), world.hosts[0].log.version());
}

#[test]
fn two_who_answer_each_other_are_merged_too() {
    let mut world = World::new(2);
    world.link(0, 1);
    for _ in 0..2_000 {
        for host in 0..2 {
            world.write(host, 1, b"answer");
            world.drain();
            world.now = world.now.after(Duration::from_millis(2));
        }
    }
    let config = Config::default();
    let (now, disk) = (world.now, Rows::new());
    world.hosts.push(Host::open_with(config, 3, 3, now, disk).unwrap());
    world.feed(2, None);
    world.link(0, 2);
    world.run(Duration::from_secs(1));
    world.assert_converged();
    let blocks = world.hosts[2].disk.keys().filter(|(table, _)| *table == Table::Blocks).count();
    assert_eq!(blocks, 4);
}

#[test]
fn a_cut_transfer_is_resumed_from_another_peer() {
    let mut world = World::new(3);
    world.write(0, 5_000, &[1; 1_000]);
    world.run(Duration::from_millis(5));
    world.link(0, 1);
    world.run(Duration::from_secs(1));
    world.hosts[2].next = world.hosts[2].incarnation.next_sequence;
    world.link(0, 2);
    world.link(1, 2);
    // Part of the way.
    for _ in 0..60 {
        for lane in world.network.keys().copied().collect::<Vec<_>>() {
            world.hand_over(lane);
        }
        if world.hosts[2].log.operations() > 1_000 {
            break;
        }
    }
    let before = world.hosts[2].log.operations();
    assert!(before > 1_000 && before < 5_000, "{before}");
    let source =
        if world.network.keys().any(|lane| *lane == (0, 2, meshwork_wire::Channel::Bulk)) { 0 } else { 1 };
    world.bytes = 0;
    world.cut(source, 2);
    world.run(Duration::from_secs(1));
    world.assert_converged();
    assert!(world.bytes < 4_500_000, "resumed, not restarted: {} bytes", world.bytes);
}

#[test]
fn a_congested_peer_is_brought_up_to_date_when_it_has_drained() {
    let mut world = World::new(2);
    world.link(0, 1);
    world.drain();
    world.feed(0, Some(Input::Congested { peer: common::session(1) }));
    world.write(0, 10, b"x");
    world.drain();
    assert_eq!(world.hosts[1].log.operations(), 0);
    world.feed(0, Some(Input::Drained { peer: common::session(1) }));
    world.drain();
    world.assert_converged();
    // And gets pushes again.
    world.now = world.now.after(Duration::from_millis(3));
    world.write(0, 1, b"y");
    world.drain();
    world.assert_converged();
}

#[test]
fn a_writer_that_never_rests_does_not_leave_a_newcomer_behind() {
    let mut world = World::new(2);
    world.write(0, 3_000, &[1; 500]);
    world.drain();
    world.link(0, 1);
    for _ in 0..200 {
        world.write(0, 5, &[2; 500]);
        for lane in world.network.keys().copied().collect::<Vec<_>>() {
            world.hand_over(lane);
            world.hand_over(lane);
        }
        for host in 0..2 {
            while let Some(input) = world.hosts[host].store_one() {
                world.feed(host, Some(input));
            }
        }
        world.now = world.now.after(Duration::from_millis(3));
        world.feed(0, None);
        world.feed(1, None);
    }
    let behind = world.hosts[0].log.operations() - world.hosts[1].log.operations();
    assert!(behind <= 15, "{behind} operations behind");
    world.run(Duration::from_secs(5));
    world.assert_converged();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Random writes, deliveries, losses, duplicates, cuts, in random order; then a quiet time.
    #[test]
    fn random_exchanges_converge(
        seed: u64, loss in prop::sample::select(vec![0.0, 0.1, 0.4]), steps in 50usize..400, tight: bool,
    ) {
        let mut random = Seed::from_number(seed).random();
        let config = if tight {
            Config { buffered_blocks_max: 16, credit_bytes: 64 * 1024, ..Config::default() }
        } else {
            Config::default()
        };
        let mut world = World::with(config, 3);
        for _ in 0..steps {
            let (a, b) = [(0, 1), (0, 2), (1, 2)][random.below(3) as usize];
            match random.below(20) {
                0 => world.cut(a, b),
                1 | 2 if !world.links.contains(&(a, b)) => world.link(a, b),
                3..=6 => {
                    let size = if random.chance(0.05) { 40_000 } else { 40 };
                    let count = 1 + random.below(4) as usize;
                    world.write(a, count, &vec![1; size]);
                }
                _ => world.stir(&mut random, loss, 0.1),
            }
        }
        for (a, b) in [(0, 1), (1, 2)] {
            if !world.links.contains(&(a, b)) {
                world.link(a, b);
            }
        }
        world.run(Duration::from_secs(40));
        world.assert_converged();
    }
}
