//! Copies of a store, and authors who contradict themselves.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod common;

use std::time::Duration;

use common::{
    World,
    backup::{all_of, bodies, close, equivocations, reopen, retired, with_backup},
    session,
};
use meshwork_base::{ReplicaId, Table};
use meshwork_op_log::{Input, Message};

#[test]
fn a_restored_backup_is_retired_and_its_unsent_operations_are_issued_again() {
    let mut world = World::new(3);
    let backup = with_backup(&mut world, &["lost 1", "lost 2"]);
    reopen(&mut world, 0, backup, 11);
    let replica = world.hosts[0].incarnation.replica;
    for number in 0..3 {
        world.write(0, 1, format!("offline {number}").as_bytes());
        world.run(Duration::from_millis(5));
    }
    assert_eq!(world.hosts[0].log.incarnation().next_sequence, 9);
    world.link(0, 1);
    world.run(Duration::from_secs(1));
    assert_eq!((retired(&world.hosts[0]), world.hosts[0].rebuilds), (1, 1));
    assert_ne!(world.hosts[0].incarnation.replica, replica);
    assert_eq!(world.hosts[0].log.version().sequence(&replica), 7);
    world.write(0, 1, b"after");
    world.link(1, 2);
    world.run(Duration::from_secs(6));
    world.assert_converged();
    let expected = all_of(&["lost 1", "lost 2"], &["offline 0", "offline 1", "offline 2", "after"]);
    assert_eq!(bodies(&world.hosts[2]), expected);
    assert!(world.hosts.iter().all(|host| equivocations(host) == 0));
    // It all loads again.
    let disk = close(&mut world, 0);
    reopen(&mut world, 0, disk, 12);
    assert_eq!(bodies(&world.hosts[0]), expected);
}

#[test]
fn what_was_never_sent_is_known_after_a_clean_close_too() {
    let mut world = World::new(2);
    let backup = with_backup(&mut world, &["lost"]);
    reopen(&mut world, 0, backup, 11);
    world.write(0, 2, b"offline");
    world.run(Duration::from_millis(5));
    let disk = close(&mut world, 0);
    reopen(&mut world, 0, disk, 12);
    world.write(0, 1, b"offline too");
    world.link(0, 1);
    world.run(Duration::from_secs(6));
    world.assert_converged();
    assert_eq!((retired(&world.hosts[0]), equivocations(&world.hosts[1])), (1, 0));
    assert_eq!(bodies(&world.hosts[1]), all_of(&["lost"], &["offline", "offline", "offline too"]));
}

#[test]
fn a_backup_that_wrote_nothing_yet_just_begins_anew() {
    let mut world = World::new(2);
    let backup = with_backup(&mut world, &["later 1", "later 2"]);
    reopen(&mut world, 0, backup, 11);
    world.link(0, 1);
    world.run(Duration::from_secs(3));
    world.assert_converged();
    assert_eq!(retired(&world.hosts[0]), 1);
    assert_eq!(bodies(&world.hosts[0]), all_of(&["later 1", "later 2"], &[]));
}

#[test]
fn operations_made_for_a_retired_replica_are_issued_again() {
    let mut world = World::new(2);
    let backup = with_backup(&mut world, &["lost"]);
    reopen(&mut world, 0, backup, 11);
    // The documents number one operation while the news of their retirement is on its way.
    let late = world.hosts[0].write("late");
    world.link(0, 1);
    world.drain();
    assert_eq!(retired(&world.hosts[0]), 1);
    world.feed(0, Some(Input::Append(vec![late])));
    world.run(Duration::from_secs(3));
    world.assert_converged();
    assert_eq!(bodies(&world.hosts[1]).iter().filter(|body| *body == "late").count(), 1);
}

#[test]
fn an_operation_that_does_not_fit_costs_the_incarnation_not_the_log() {
    let mut world = World::new(2);
    world.link(0, 1);
    world.write(0, 2, b"good");
    let mut gap = world.hosts[0].write("out of step");
    gap.dot.sequence += 1;
    world.feed(0, Some(Input::Append(vec![gap])));
    let mut large = world.hosts[0].write(vec![0; meshwork_wire::OPERATION_BYTES_MAX + 1]);
    large.dot.replica = world.hosts[0].incarnation.replica;
    world.feed(0, Some(Input::Append(vec![large])));
    world.run(Duration::from_secs(6));
    world.assert_converged();
    assert_eq!(retired(&world.hosts[0]), 2);
    assert_eq!(bodies(&world.hosts[1]), ["good", "good", "out of step"]);
}

/// A claim that cannot be proved holds our own sends back for a moment, once.
#[test]
fn a_false_claim_about_our_replica_does_not_retire_it() {
    let mut world = World::new(2);
    world.link(0, 1);
    world.drain();
    world.write(0, 1, b"x");
    world.drain();
    let replica = world.hosts[0].incarnation.replica;
    let tip = meshwork_base::Tip { sequence: 9, hash: meshwork_base::Hash::ZERO };
    for _ in 0..3 {
        let message = Message::Have { entries: vec![(replica, tip)], answer_wanted: false };
        world.feed(0, Some(Input::Received { from: session(1), message }));
        world.run(Duration::from_millis(10));
        world.write(0, 1, b"y");
        world.run(Duration::from_secs(6));
    }
    world.assert_converged();
    assert_eq!(retired(&world.hosts[0]), 0);
}

/// Two running copies of one store, each linked to another peer: both branches have left.
fn equivocating_world() -> (World, ReplicaId) {
    let mut world = World::new(4);
    let backup = with_backup(&mut world, &["branch a"]);
    let replica = world.hosts[0].incarnation.replica;
    reopen(&mut world, 0, backup, 11);
    world.link(0, 2);
    world.write(0, 1, b"branch b");
    world.run(Duration::from_secs(1));
    world.cut(0, 2);
    (world, replica)
}

#[test]
fn equivocation_is_proved_once_spread_and_contained() {
    let (mut world, replica) = equivocating_world();
    let stamp = |world: &World, host: usize| world.hosts[host].log.version().tip(&replica).copied();
    let held = (stamp(&world, 1), stamp(&world, 2));
    assert_ne!(held.0, held.1);
    world.link(1, 2);
    world.run(Duration::from_secs(3));
    // A bystander learns it from either.
    world.link(2, 3);
    world.run(Duration::from_secs(3));
    for host in 1..4 {
        assert_eq!(equivocations(&world.hosts[host]), 1, "host {host}");
        assert_eq!(world.hosts[host].disk.keys().filter(|(table, _)| *table == Table::Proofs).count(), 1);
        assert_eq!(world.hosts[host].misbehaved, Vec::<String>::new());
    }
    assert_eq!((stamp(&world, 1), stamp(&world, 2)), held);
    // The others go on, newcomers included.
    world.write(1, 1, b"from 1");
    world.write(3, 1, b"from 3");
    world.run(Duration::from_secs(6));
    for host in 1..4 {
        let bodies = bodies(&world.hosts[host]);
        assert!(
            bodies.contains(&"from 1".into()) && bodies.contains(&"from 3".into()),
            "host {host}: {bodies:?}"
        );
    }
    // The copy itself learns of it, and writes under a new replica.
    world.link(0, 3);
    world.run(Duration::from_secs(3));
    assert_eq!((retired(&world.hosts[0]), equivocations(&world.hosts[0])), (1, 1));
    world.write(0, 1, b"reformed");
    world.run(Duration::from_secs(6));
    assert!(bodies(&world.hosts[1]).contains(&"reformed".into()));
    // The proof survives a restart.
    let disk = close(&mut world, 1);
    for other in [0, 2] {
        world.cut(other, 1);
    }
    reopen(&mut world, 1, disk, 50);
    world.link(1, 2);
    world.run(Duration::from_secs(3));
    assert_eq!(equivocations(&world.hosts[1]), 0);
    assert_eq!(world.hosts[1].misbehaved, Vec::<String>::new());
}

#[test]
fn of_two_branches_that_were_sent_only_unsent_operations_are_issued_again() {
    let (mut world, replica) = equivocating_world();
    world.write(0, 1, b"unsent");
    world.run(Duration::from_millis(5));
    world.link(0, 1);
    world.run(Duration::from_secs(3));
    assert_eq!((equivocations(&world.hosts[0]), equivocations(&world.hosts[1])), (1, 1));
    assert_eq!((retired(&world.hosts[0]), world.hosts[0].log.version().sequence(&replica)), (1, 6));
    world.link(0, 2);
    world.run(Duration::from_secs(6));
    for (host, branch) in [(0, "branch b"), (1, "branch a"), (2, "branch b")] {
        let bodies = bodies(&world.hosts[host]);
        assert_eq!(
            (bodies.len(), bodies.iter().filter(|body| *body == branch).count()),
            (9, 1),
            "{bodies:?}"
        );
        assert!(bodies.contains(&"unsent".into()));
    }
}

#[test]
fn a_proof_that_proves_nothing_is_refused() {
    let (mut world, _) = equivocating_world();
    let blocks = world.hosts[1].log.blocks_since(&Default::default());
    let other = world.hosts[3].log.blocks_since(&Default::default());
    let first = blocks[0].clone();
    let mut forged = first.to_vec();
    let end = forged.len() - 1;
    forged[end] ^= 1;
    world.hosts[3].misbehaved.clear();
    world.link(2, 3);
    world.run(Duration::from_secs(1));
    for second in
        [first.clone(), forged.into(), meshwork_base::Bytes::from_static(b"x")].into_iter().chain(other)
    {
        world.hosts[3].misbehaved.clear();
        let message = Message::Proof { first: first.clone(), second };
        world.feed(3, Some(Input::Received { from: session(2), message }));
        assert_eq!(world.hosts[3].misbehaved.len(), 1);
        assert_eq!(equivocations(&world.hosts[3]), 0);
    }
}
