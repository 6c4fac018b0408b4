//! Logs whose blocks are carried by hand: `version`, `blocks_since`, `merge`, and nothing else.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod common;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use common::{Host, Rows, SPACE, World};
use meshwork_base::{Bytes, DocumentId, Dot, HybridTime, NodeId, Random, ReplicaId, Seed, SpaceId, Version};
use meshwork_identity::KeyedHash;
use meshwork_op_log::{BlockError, Config, Entry, EntryWriter, Event, Input, MergeError};
use proptest::prelude::*;

fn writer(node: u8) -> EntryWriter {
    writer_of(SPACE, node)
}

fn writer_of(space: SpaceId, node: u8) -> EntryWriter {
    let key = KeyedHash { node: NodeId([node; 32]), world: [9; 32] };
    EntryWriter::new(space, Arc::new(key), &Seed::from_number(node.into()))
}

fn write(writer: &mut EntryWriter, dependencies: Vec<Dot>, size: usize) -> Bytes {
    let document = DocumentId::new("d").unwrap();
    writer.write(dependencies, &document, HybridTime::default(), &vec![3; size]).unwrap().bytes().clone()
}

/// Hands `to` all that it lacks of what `from` has, as it is.
fn give(world: &mut World, from: usize, to: usize) {
    let version = world.hosts[to].log.version().clone();
    let blocks = world.hosts[from].log.blocks_since(&version);
    world.merge(to, blocks).unwrap();
    world.store(to);
}

/// Hands `to` what `from` has beyond `version`: some of it, in some order, some of it twice.
fn carry_badly(world: &mut World, (from, to): (usize, usize), version: &Version, random: &mut Random) {
    let mut blocks = world.hosts[from].log.blocks_since(version);
    blocks.retain(|_| random.chance(0.8));
    let again: Vec<Bytes> = blocks.iter().filter(|_| random.chance(0.3)).cloned().collect();
    blocks.extend(again);
    for last in (1..blocks.len()).rev() {
        blocks.swap(last, random.below(last as u64 + 1) as usize);
    }
    world.merge(to, blocks).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any blocks in any order, then everything once: one version, one delivery of each operation.
    #[test]
    fn logs_agree_after_a_full_exchange(seed: u64, steps in 1usize..60) {
        let mut random = Seed::from_number(seed).random();
        let mut world = World::new(3);
        (0..3).for_each(|host| world.store(host));
        let mut versions = vec![Version::default()];
        for _ in 0..steps {
            let host = random.below(3) as usize;
            match random.below(4) {
                0 => {
                    let size = if random.chance(0.1) { 40_000 } else { 20 };
                    let count = 1 + random.below(4) as usize;
                    world.write(host, count, &vec![1; size]);
                    versions.push(world.hosts[host].log.version().clone());
                }
                1 => world.store(host),
                2 => {
                    world.now = world.now.after(Duration::from_millis(2));
                    world.feed(host, None);
                }
                _ => {
                    let other = (host + 1 + random.below(2) as usize) % 3;
                    let version = versions[random.below(versions.len() as u64) as usize].clone();
                    carry_badly(&mut world, (other, host), &version, &mut random);
                }
            }
        }
        world.now = world.now.after(Duration::from_millis(2));
        for host in 0..3 {
            world.feed(host, None);
            world.store(host);
        }
        for (from, to) in [(0, 1), (1, 2), (2, 1), (1, 0)] {
            give(&mut world, from, to);
        }
        world.assert_converged();
        let written: usize = world.hosts.iter().map(|host| host.applied.len()).sum();
        prop_assert_eq!(world.hosts[0].log.operations() as usize * 3, written);
    }
}

#[test]
fn what_follows_a_version_is_what_a_log_at_it_lacks() {
    let mut world = World::new(2);
    (0..2).for_each(|host| world.store(host));
    let dots = |blocks: &[Bytes]| -> Vec<u64> {
        let entries = blocks.iter().map(|block| Entry::read(SPACE, block.clone()).unwrap());
        entries
            .flat_map(|entry| entry.operations().to_vec())
            .map(|operation| operation.dot.sequence)
            .collect()
    };
    let mut versions = vec![Version::default()];
    for _ in 0..4 {
        world.write(0, 2, b"x");
        world.store(0);
        world.now = world.now.after(Duration::from_millis(2));
        versions.push(world.hosts[0].log.version().clone());
    }
    for (version, first) in versions.iter().zip([1, 3, 5, 7]) {
        let blocks = world.hosts[0].log.blocks_since(version);
        assert_eq!(dots(&blocks), (first..=8).collect::<Vec<_>>());
        assert_eq!(blocks.len(), 1, "they are merged");
    }
    assert_eq!(world.hosts[0].log.blocks_since(&versions[4]), Vec::<Bytes>::new());
    // Whoever has more, or has replicas that are not here, is sent nothing for it.
    world.write(1, 1, b"y");
    world.store(1);
    give(&mut world, 0, 1);
    let wide = world.hosts[1].log.version().clone();
    assert_eq!(world.hosts[0].log.blocks_since(&wide), Vec::<Bytes>::new());
    // A block goes whole: the other log got all eight as one, and has no signature in between.
    let version = versions[3].clone();
    assert_eq!(dots(&world.hosts[0].log.blocks_since(&version)), [7, 8]);
    let mut both = dots(&world.hosts[1].log.blocks_since(&version));
    both.sort_unstable();
    assert_eq!(both, [1, 1, 2, 3, 4, 5, 6, 7, 8]);
}

/// Three who answer each other, in blocks too large to be merged: each block brings something that is ready at once.
#[test]
fn each_block_finds_what_it_depends_on() {
    let mut world = World::new(3);
    (0..3).for_each(|host| world.store(host));
    for turn in 0..12 {
        world.write(turn % 3, 1, &[1; 40_000]);
        world.store(turn % 3);
        give(&mut world, turn % 3, (turn + 1) % 3);
        world.now = world.now.after(Duration::from_millis(2));
    }
    for (from, to) in [(0, 1), (1, 2)] {
        give(&mut world, from, to);
    }
    for host in 0..3 {
        let blocks = world.hosts[host].log.blocks_since(&Version::default());
        assert!(blocks.len() >= 10, "{} blocks", blocks.len());
        let mut newcomer = narrow(Config::default());
        for (number, block) in blocks.into_iter().enumerate() {
            newcomer.merge(0, vec![block]).unwrap();
            assert_eq!(newcomer.hosts[0].visible.len(), number + 1, "host {host}");
        }
    }
}

#[test]
fn a_refused_block_is_named_and_the_ones_before_it_are_kept() {
    let mut good = writer(7);
    let [first, second, third] = [(); 3].map(|()| write(&mut good, vec![], 4));
    let change = |at: usize, to: u8| {
        let mut bytes = second.to_vec();
        bytes[at] = to;
        Bytes::from(bytes)
    };
    let author = NodeId([7; 32]);
    let table = [
        (change(0, 2), BlockError::Format { found: 2 }),
        (change(second.len() - 1, !second[second.len() - 1]), BlockError::Signature(author)),
        (second.slice(..20), BlockError::Truncated("author")),
        (
            write(&mut writer_of(SpaceId([6; 16]), 7), vec![], 4),
            BlockError::Space { found: SpaceId([6; 16]) },
        ),
    ];
    for (index, (bad, reason)) in table.into_iter().enumerate() {
        let mut world = World::new(1);
        world.store(0);
        // As many good ones before it as there were cases.
        let mut blocks = vec![first.clone(); index];
        blocks.extend([bad, third.clone()]);
        let kept = u64::from(index > 0);
        let refused = world.merge(0, blocks).unwrap_err();
        assert_eq!(refused.to_string(), format!("block {index} is refused: {reason}"));
        assert_eq!(refused, MergeError::Refused { index, reason });
        let shown = world.hosts[0].visible.len() as u64;
        assert_eq!((world.hosts[0].log.operations(), shown), (kept, kept), "delivered as an effect");
        assert_eq!(world.hosts[0].log.pending(), 0, "the ones after it are not taken");
        world.store(0);
        assert_eq!(world.hosts[0].log.stored_version().operations(), kept);
        world.merge(0, vec![first.clone(), second.clone(), third.clone()]).unwrap();
        assert_eq!(world.hosts[0].visible.len(), 3);
    }
}

/// One host with narrow bounds.
fn narrow(config: Config) -> World {
    let mut world = World::new(1);
    world.hosts[0] = Host::open_with(config, 1, 4, world.now, Rows::new()).unwrap();
    world.feed(0, None);
    world.store(0);
    world
}

#[test]
fn what_waits_is_bounded_and_nothing_is_lost() {
    let blocks_max = Config { buffered_blocks_max: 16, ..Config::default() };
    let bytes_max = Config { buffered_bytes_max: 2 * 1024 * 1024, ..Config::default() };
    // (the bound, the size of a block, how many fit)
    for (config, size, fit) in [(blocks_max, 10, 16), (bytes_max, 300_000, 6)] {
        let mut world = narrow(config.clone());
        let mut good = writer(7);
        let blocks: Vec<Bytes> = (0..30).map(|_| write(&mut good, vec![], size)).collect();
        let waiting: Vec<Bytes> = blocks[1..].to_vec();
        let full = world.merge(0, waiting.clone()).unwrap_err();
        let (bytes_max, blocks_max) = (config.buffered_bytes_max, config.buffered_blocks_max);
        assert_eq!(full, MergeError::Full { index: fit, bytes_max, blocks_max });
        assert!(full.to_string().starts_with(&format!("block {fit} has to wait for others")), "{full}");
        assert_eq!(world.hosts[0].log.pending(), fit as u64, "the ones before it wait");
        // What waits already may come again; what need not wait is always taken.
        world.merge(0, waiting[..fit].to_vec()).unwrap();
        world.merge(0, vec![write(&mut writer(8), vec![], size)]).unwrap();
        let still = world.merge(0, waiting[fit..].to_vec()).unwrap_err();
        assert_eq!(still, MergeError::Full { index: 0, bytes_max, blocks_max });
        // As the error says: first what they wait for, then the rest again.
        world.merge(0, vec![blocks[0].clone()]).unwrap();
        assert_eq!(world.hosts[0].visible.len(), fit + 2);
        world.merge(0, waiting[fit..].to_vec()).unwrap();
        assert_eq!((world.hosts[0].visible.len(), world.hosts[0].log.pending()), (31, 0));
    }
}

#[test]
fn a_dependency_that_is_not_here_counts_against_the_bound_too() {
    let mut world = narrow(Config { buffered_blocks_max: 16, ..Config::default() });
    let nowhere = Dot::new(ReplicaId([0xee; 16]), 1);
    let stuck: VecDeque<Bytes> = (20..40).map(|node| write(&mut writer(node), vec![nowhere], 4)).collect();
    let full = world.merge(0, stuck.into()).unwrap_err();
    assert!(matches!(full, MergeError::Full { index: 16, .. }), "{full}");
    assert_eq!((world.hosts[0].log.pending(), world.hosts[0].log.operations()), (16, 0));
}

/// The store of host 0 was restored, and the later copy's blocks come back by hand.
#[test]
fn a_restored_store_learns_by_hand_that_its_replica_went_on() {
    let mut world = World::new(2);
    world.forked = true;
    (0..2).for_each(|host| world.store(host));
    world.write(0, 1, b"shared");
    world.store(0);
    give(&mut world, 0, 1);
    world.feed(0, Some(Input::Close));
    world.store(0);
    assert!(world.hosts[0].closed);
    let backup = world.hosts[0].disk.clone();
    for (seed, body) in [(10, "lost"), (11, "offline")] {
        world.hosts[0] = Host::open(1, seed, world.now, backup.clone()).unwrap();
        world.feed(0, None);
        world.store(0);
        world.write(0, 1, body.as_bytes());
        world.store(0);
        if body == "lost" {
            give(&mut world, 0, 1);
        }
    }
    let all = world.hosts[1].log.blocks_since(&Version::default());
    world.merge(0, all).unwrap();
    world.store(0);
    let retired = |event: &Event| matches!(event, Event::Retired { .. });
    assert_eq!(world.hosts[0].events.iter().filter(|event| retired(event)).count(), 1);
    give(&mut world, 0, 1);
    world.assert_converged();
    let bodies: Vec<&[u8]> = world.hosts[1].visible.iter().map(|operation| &operation.body[..]).collect();
    assert_eq!(bodies, [&b"shared"[..], b"lost", b"offline"]);
}

#[test]
fn a_chain_is_read_backwards_and_its_signatures_are_checked_again() {
    let mut world = World::new(2);
    for burst in [3, 1, 2] {
        world.write(0, burst, b"x");
        world.run(Duration::from_millis(20));
    }
    give(&mut world, 0, 1);
    let replica = world.hosts[0].incarnation.replica;
    let log = &world.hosts[1].log;
    let sequences: Vec<u64> = log.operations_back(&replica).map(|operation| operation.dot.sequence).collect();
    assert_eq!(sequences, [6, 5, 4, 3, 2, 1]);
    assert_eq!(log.operations_back(&ReplicaId([0; 16])).count(), 0);
    assert!((1..=6).all(|sequence| log.is_signed(Dot::new(replica, sequence)) == Some(true)));
    assert_eq!(log.is_signed(Dot::new(replica, 7)), None);
}
