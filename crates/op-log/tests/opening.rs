//! A log that is opened a step at a time.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod common;

use std::{ops::ControlFlow, time::Duration};

use common::{Rows, World, context, rows};
use meshwork_base::{Dot, Machine, Seed, Timestamp, Tip, Version};
use meshwork_op_log::{Config, Effect, Input, OpLog, OpenError, Opening};
use proptest::prelude::*;

fn effects(mut log: OpLog) -> Vec<Effect> {
    std::iter::from_fn(|| log.poll_effect()).collect()
}

fn begin(disk: &Rows) -> Opening {
    let (now, seed) = (Timestamp::default(), Seed::from_number(3));
    // So small that many operations come in many parts.
    let config = Config { deliver_operations_max: 3, ..Config::default() };
    Opening::new(config, context(1), now, seed, rows(disk)).unwrap()
}

/// Opens it one step after the other; the effects, and how many steps it took.
fn stepwise(disk: &Rows) -> Result<(Vec<Effect>, usize), OpenError> {
    let (mut opening, mut steps) = (begin(disk), 1);
    loop {
        match opening.step()? {
            ControlFlow::Continue(next) => opening = next,
            ControlFlow::Break(log) => return Ok((effects(log), steps)),
        }
        steps += 1;
    }
}

fn at_once(disk: &Rows) -> Result<Vec<Effect>, OpenError> {
    let (now, seed) = (Timestamp::default(), Seed::from_number(3));
    OpLog::open(Config::default(), context(1), now, seed, rows(disk)).map(effects)
}

/// Nodes that have written, linked and stored in any order.
fn world_after(seed: u64, steps: usize) -> World {
    let mut random = Seed::from_number(seed).random();
    let mut world = World::new(3);
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        world.link(a, b);
    }
    for _ in 0..steps {
        match random.below(4) {
            0 => world.write(random.below(3) as usize, 1 + random.below(20) as usize, b"x"),
            _ => world.stir(&mut random, 0.0, 0.0),
        }
    }
    if random.chance(0.5) {
        world.run(Duration::from_secs(1));
        world.feed(0, Some(Input::Close));
        world.drain();
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// All that was acknowledged as stored is there, each operation once and behind what it depends on.
    #[test]
    fn what_was_stored_is_opened_whole_and_in_causal_order(seed: u64, steps in 0usize..200) {
        let world = world_after(seed, steps);
        let mut shown = Version::default();
        for effect in stepwise(&world.hosts[0].disk).unwrap().0 {
            let Effect::Deliver(operations) = effect else { continue };
            for operation in operations {
                let Dot { replica, sequence } = operation.dot;
                prop_assert_eq!(sequence, shown.sequence(&replica) + 1);
                prop_assert!(operation.dependencies.iter().all(|dot| shown.contains(*dot)));
                shown.set(replica, Tip { sequence, hash: operation.hash });
            }
        }
        prop_assert!(shown.covers(world.hosts[0].log.stored_version()));
    }
}

#[test]
fn how_many_operations_there_are_is_known_before_they_are_linked() {
    let mut world = World::new(2);
    world.link(0, 1);
    world.write(0, 3000, b"x");
    world.write(1, 2, b"x");
    world.run(Duration::from_secs(1));
    let mut opening = begin(&world.hosts[0].disk);
    let mut known = Vec::new();
    while let ControlFlow::Continue(next) = opening.step().unwrap() {
        opening = next;
        known.push(opening.operations());
    }
    let blocks = known.iter().skip_while(|known| **known == 0).count();
    assert_eq!((known.first(), known.last()), (Some(&0), Some(&3002)));
    assert!(blocks >= 4, "{known:?}");
}

/// Merged blocks replace small ones a part at a time, each part whole.
#[test]
fn what_is_merged_is_written_in_parts() {
    let mut world = World::new(1);
    for _ in 0..3000 {
        world.write(0, 1, b"x");
        world.run(Duration::from_millis(3));
    }
    let disk = world.hosts[0].disk.clone();
    let writes = at_once(&disk).unwrap().into_iter().filter_map(|effect| match effect {
        Effect::Persist { rows, .. } => Some(rows),
        _ => None,
    });
    let writes: Vec<_> = writes.collect();
    assert!(writes.len() > 1 && writes.iter().all(|rows| rows.len() < 1100), "{} writes", writes.len());
    for stored in 0..=writes.len() {
        let mut torn = disk.clone();
        writes.iter().take(stored).for_each(|write| common::apply(&mut torn, write));
        let (now, seed) = (Timestamp::default(), Seed::from_number(4));
        let log = OpLog::open(Config::default(), context(1), now, seed, rows(&torn)).unwrap();
        assert_eq!(log.operations(), 3000);
    }
}

/// Somebody's first operation, on which all others depend, may be the last to be read.
#[test]
fn a_step_is_short_though_all_operations_wait_for_one() {
    const BLOCKS: usize = 8;
    let mut steps = Vec::new();
    for seed in 0..8 {
        let mut world = World::new(2);
        world.hosts[0] = common::Host::open(1, 100 + seed, world.now, Rows::new()).unwrap();
        world.feed(0, None);
        world.link(0, 1);
        world.run(Duration::from_secs(1));
        world.write(1, 1, b"first");
        world.run(Duration::from_secs(1));
        world.write(0, BLOCKS * 1024, b"x");
        world.run(Duration::from_secs(1));
        let (effects, taken) = stepwise(&world.hosts[0].disk).unwrap();
        let delivered = effects.iter().map(|effect| match effect {
            Effect::Deliver(operations) => operations.len(),
            _ => 0,
        });
        assert_eq!(delivered.sum::<usize>(), BLOCKS * 1024 + 1);
        let own_first = world.hosts[0].incarnation.replica < world.hosts[1].incarnation.replica;
        steps.push((own_first, taken));
    }
    let most =
        |first| steps.iter().filter(|(own_first, _)| *own_first == first).map(|(_, steps)| *steps).max();
    // Each block is verified in a step of its own; those that had to wait are accepted in steps of their own.
    let (waiting, ready) = (most(true).unwrap(), most(false).unwrap());
    assert!(waiting >= ready + BLOCKS - 1, "{waiting} steps, {ready} when nothing waits");
}
