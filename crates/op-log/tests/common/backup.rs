//! Closing, opening again, and copies of a store that run.

use std::time::Duration;

use meshwork_base::Timestamp;
use meshwork_op_log::{Event, Input};

use super::{Host, Rows, World};

pub fn retired(host: &Host) -> usize {
    host.events.iter().filter(|event| matches!(event, Event::Retired { .. })).count()
}

pub fn equivocations(host: &Host) -> usize {
    host.events.iter().filter(|event| matches!(event, Event::Equivocation { .. })).count()
}

/// What the operations of a host's log say, sorted; those that say nothing carry dependencies only.
pub fn bodies(host: &Host) -> Vec<String> {
    let operations = host.log.last_operations(10_000).into_iter();
    let said = operations.map(|operation| String::from_utf8_lossy(&operation.body).into_owned());
    let mut bodies: Vec<_> = said.filter(|body| !body.is_empty()).collect();
    bodies.sort();
    bodies
}

pub fn close(world: &mut World, host: usize) -> Rows {
    world.feed(host, Some(Input::Close));
    world.drain();
    assert!(world.hosts[host].closed);
    world.hosts[host].disk.clone()
}

pub fn start(world: &mut World, host: usize, disk: Rows, seed: u64) {
    let (node, now): (u8, Timestamp) = (world.hosts[host].node, world.now);
    world.hosts[host] = Host::open(node, seed, now, disk).unwrap();
    world.feed(host, None);
}

pub fn reopen(world: &mut World, host: usize, disk: Rows, seed: u64) {
    start(world, host, disk, seed);
    world.drain();
}

/// Writes operations one by one, each in a block of its own.
pub fn write_each(world: &mut World, host: usize, bodies: &[&str]) {
    for body in bodies {
        world.write(host, 1, body.as_bytes());
        world.run(Duration::from_millis(5));
    }
}

/// Hosts 0 and 1 share five operations of host 0 and what 1 answered to the third; returns 0's store at that time. Then
/// host 0 writes `more`, each of which host 1 answers, and is gone.
pub fn with_backup(world: &mut World, more: &[&str]) -> Rows {
    world.forked = true;
    world.link(0, 1);
    write_each(world, 0, &["shared 0", "shared 1", "shared 2"]);
    write_each(world, 1, &["answer"]);
    write_each(world, 0, &["shared 3", "shared 4"]);
    world.cut(0, 1);
    let backup = close(world, 0);
    reopen(world, 0, backup.clone(), 10);
    world.link(0, 1);
    for body in more {
        write_each(world, 0, &[body]);
        write_each(world, 1, &[&format!("answer to {body}")]);
    }
    world.cut(0, 1);
    backup
}

/// What hosts 0 and 1 hold after [`with_backup`], and `others`, sorted.
pub fn all_of(more: &[&str], others: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = (0..5).map(|number| format!("shared {number}")).collect();
    all.push("answer".into());
    for body in more {
        all.extend([body.to_string(), format!("answer to {body}")]);
    }
    all.extend(others.iter().map(|body| body.to_string()));
    all.sort();
    all
}
