//! What happens to a store that was restored from a backup when it meets what was written after that.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod common;

use std::{sync::Arc, time::Duration};

use common::{
    Host, Rows, SPACE, World,
    backup::{all_of, bodies, close, equivocations, reopen, retired, start, with_backup, write_each},
    session,
};
use meshwork_base::{Bytes, DocumentId, Dot, HybridTime, NodeId, ReplicaId, Seed, Table, Version};
use meshwork_identity::KeyedHash;
use meshwork_op_log::{EntryWriter, Input, Message};

const FIVE_MS: Duration = Duration::from_millis(5);

/// The block of one operation on host 1's disk that says `body`.
fn block(world: &World, body: &str) -> Bytes {
    let wanted = [&(body.len() as u32).to_le_bytes(), body.as_bytes()].concat();
    let says = |block: &Bytes| block.windows(wanted.len()).any(|window| window == wanted);
    let mut blocks = world.hosts[1].disk.iter().filter(|((table, _), _)| *table == Table::Blocks);
    blocks.find(|(_, block)| says(block)).unwrap().1.clone()
}

fn hand(world: &mut World, from: usize, to: usize, blocks: Vec<Bytes>) {
    let message = Message::Blocks { wanted: false, blocks };
    world.feed(to, Some(Input::Received { from: session(from), message }));
}

/// The newest operations of others that the replica of the operation `body` names up to that one.
fn named_by(host: &Host, body: &str) -> Version {
    let all = host.log.last_operations(100_000);
    let dot = all.iter().find(|operation| operation.body == body.as_bytes()).unwrap().dot;
    let before =
        all.iter().filter(|other| other.dot.replica == dot.replica && other.dot.sequence <= dot.sequence);
    let named = before.flat_map(|operation| operation.dependencies.clone());
    let tip = |sequence| meshwork_base::Tip { sequence, hash: meshwork_base::Hash::ZERO };
    named.map(|dot| std::iter::once((dot.replica, tip(dot.sequence))).collect()).fold(
        Version::default(),
        |mut all, one: Version| {
            all.merge(&one);
            all
        },
    )
}

/// Ends a test: all hosts agree, and say this. Then 0's store opens again.
fn assert_all_hold(world: &mut World, expected: &[String]) {
    world.run(Duration::from_secs(6));
    world.assert_converged();
    assert_eq!(bodies(&world.hosts[0]), expected);
    assert_eq!(world.hosts.iter().map(equivocations).sum::<usize>(), 0);
    let (disk, version) = (close(world, 0), world.hosts[0].log.version().clone());
    start(world, 0, disk, 99);
    assert_eq!(bodies(&world.hosts[0]), expected);
    assert_eq!(world.hosts[0].log.version(), &version);
}

#[test]
fn an_answer_to_the_other_branch_waits_for_it() {
    for order in [["lost", "answer to lost"], ["answer to lost", "lost"]] {
        for at_once in [true, false] {
            let mut world = World::new(2);
            let backup = with_backup(&mut world, &["lost", "lost too"]);
            reopen(&mut world, 0, backup, 11);
            write_each(&mut world, 0, &["offline"]);
            let blocks = order.map(|body| block(&world, body));
            world.link(0, 1);
            if at_once {
                hand(&mut world, 1, 0, blocks.to_vec());
            } else {
                blocks.into_iter().for_each(|block| hand(&mut world, 1, 0, vec![block]));
            }
            assert_eq!((retired(&world.hosts[0]), world.hosts[0].rebuilds), (1, 1));
            write_each(&mut world, 1, &["and on"]);
            assert_all_hold(&mut world, &all_of(&["lost", "lost too"], &["offline", "and on"]));
        }
    }
}

/// The same by other means than a link: what `merge` would return comes behind the `Rebuild`.
#[test]
fn blocks_of_the_other_branch_may_be_carried() {
    let mut world = World::new(2);
    let backup = with_backup(&mut world, &["lost"]);
    reopen(&mut world, 0, backup, 11);
    write_each(&mut world, 0, &["offline"]);
    let blocks = world.hosts[1].log.blocks_since(&Version::default());
    world.merge(0, blocks).unwrap();
    world.drain();
    let blocks = world.hosts[0].log.blocks_since(&Version::default());
    world.merge(1, blocks).unwrap();
    assert_all_hold(&mut world, &all_of(&["lost"], &["offline"]));
}

/// Hosts 0 and 1: a backup of 0 holds two operations that were never sent from it; later the original sent them, and 1
/// answered.
fn with_unsent_backup(world: &mut World) -> Rows {
    world.forked = true;
    write_each(world, 0, &["unsent 0", "unsent 1"]);
    let backup = close(world, 0);
    reopen(world, 0, backup.clone(), 10);
    world.link(0, 1);
    world.run(FIVE_MS);
    write_each(world, 1, &["answer"]);
    backup
}

#[test]
fn an_answer_to_what_both_copies_hold_is_taken_as_such() {
    for carried in [false, true] {
        let mut world = World::new(2);
        let backup = with_unsent_backup(&mut world);
        world.cut(0, 1);
        reopen(&mut world, 0, backup, 11);
        if carried {
            let mut blocks = world.hosts[1].log.blocks_since(&Version::default());
            blocks.reverse();
            world.merge(0, blocks).unwrap();
        } else {
            let answer = block(&world, "answer");
            world.link(0, 1);
            hand(&mut world, 1, 0, vec![answer]);
        }
        world.run(Duration::from_secs(6));
        assert_eq!(retired(&world.hosts[0]), 0);
        assert_all_hold(&mut world, &["answer", "unsent 0", "unsent 1"].map(String::from));
    }
}

#[test]
fn what_both_branches_share_is_kept_though_its_block_holds_more() {
    let mut world = World::new(2);
    let backup = with_unsent_backup(&mut world);
    write_each(&mut world, 0, &["lost"]);
    world.cut(0, 1);
    let replica = world.hosts[0].incarnation.replica;
    reopen(&mut world, 0, backup, 11);
    write_each(&mut world, 0, &["offline"]);
    // Opening merges all three into one block.
    let disk = close(&mut world, 0);
    reopen(&mut world, 0, disk, 12);
    world.link(0, 1);
    world.run(FIVE_MS);
    assert_eq!((retired(&world.hosts[0]), world.hosts[0].log.version().sequence(&replica)), (1, 3));
    assert_all_hold(&mut world, &["answer", "lost", "offline", "unsent 0", "unsent 1"].map(String::from));
}

/// The shared beginning of a block is also shown to peers that know nothing of the other branch.
#[test]
fn the_shared_beginning_of_a_block_that_was_not_released_is_shown() {
    let mut world = World::new(3);
    let backup = with_backup(&mut world, &["same", "lost"]);
    reopen(&mut world, 0, backup, 11);
    // Two operations in one block, before the mark is stored.
    world.run(FIVE_MS);
    let both = ["same", "offline"].map(|body| world.hosts[0].write(body));
    world.feed(0, Some(Input::Append(both.to_vec())));
    world.link(0, 1);
    world.run(FIVE_MS);
    world.link(0, 2);
    assert_all_hold(&mut world, &all_of(&["same", "lost"], &["offline"]));
}

#[test]
fn a_crash_while_retiring_loses_nothing_that_was_stored() {
    let mut world = World::new(2);
    let backup = with_backup(&mut world, &["lost"]);
    reopen(&mut world, 0, backup, 11);
    write_each(&mut world, 0, &["offline 1", "offline 2"]);
    let disk = world.hosts[0].disk.clone();
    world.link(0, 1);
    while retired(&world.hosts[0]) == 0 {
        for lane in world.network.keys().copied().collect::<Vec<_>>() {
            world.hand_over(lane);
        }
        world.store(1);
    }
    let writes = std::mem::take(&mut world.hosts[0].writes);
    assert!(!writes.is_empty());
    let mut disk = disk;
    for (_, rows) in writes {
        let again = Host::open(1, 12, world.now, disk.clone()).unwrap();
        let held = bodies(&again);
        for body in ["offline 1", "offline 2", "shared 4"] {
            assert!(held.contains(&body.into()), "{body} is lost: {held:?}");
        }
        common::apply(&mut disk, &rows);
    }
}

#[test]
fn an_operation_issued_again_declares_what_its_author_had_seen() {
    let mut world = World::new(2);
    let answerer = world.hosts[1].incarnation.replica;
    let backup = with_backup(&mut world, &["lost"]);
    let old = world.hosts[0].incarnation.replica;
    reopen(&mut world, 0, backup, 11);
    assert_eq!(world.hosts[0].incarnation.replica, old);
    write_each(&mut world, 0, &["offline"]);
    // Numbered before the documents hear of their retirement.
    let late = world.hosts[0].write("late");
    world.link(0, 1);
    world.run(FIVE_MS);
    world.feed(0, Some(Input::Append(vec![late])));
    assert_all_hold(&mut world, &all_of(&["lost"], &["late", "offline"]));
    for body in ["offline", "late"] {
        let named = named_by(&world.hosts[0], body);
        assert_eq!((named.sequence(&answerer), named.sequence(&old)), (1, 5), "{body}");
    }
}

/// One operation names at most 1,024 others.
#[test]
fn an_operation_with_most_dependencies_is_issued_again_too() {
    let mut world = World::new(2);
    let backup = with_backup(&mut world, &["lost"]);
    reopen(&mut world, 0, backup, 11);
    let key = Arc::new(KeyedHash { node: NodeId([7; 32]), world: [9; 32] });
    let others = (0..1024).map(|number| {
        let mut writer = EntryWriter::new(SPACE, key.clone(), &Seed::from_number(1000 + number));
        let document = DocumentId::new("document").unwrap();
        writer.write(vec![], &document, HybridTime::default(), b"other").unwrap().bytes().clone()
    });
    world.merge(0, others.collect()).unwrap();
    world.drain();
    write_each(&mut world, 0, &["offline"]);
    world.link(0, 1);
    world.run(FIVE_MS);
    for host in &world.hosts {
        assert_eq!(bodies(host).iter().filter(|body| *body == "offline").count(), 1);
    }
    assert_all_hold(&mut world, &all_of(&["lost"], &[&["other"; 1024][..], &["offline"]].concat()));
    assert!(named_by(&world.hosts[0], "offline").len() > 1024);
}

#[test]
fn a_proof_against_our_own_replica_strands_no_edit() {
    let mut world = World::new(3);
    let backup = with_backup(&mut world, &["branch a"]);
    let replica: ReplicaId = world.hosts[0].incarnation.replica;
    reopen(&mut world, 0, backup, 11);
    world.link(0, 2);
    write_each(&mut world, 0, &["branch b"]);
    world.cut(0, 2);
    world.link(1, 2);
    world.run(Duration::from_secs(3));
    assert_eq!((equivocations(&world.hosts[1]), equivocations(&world.hosts[2])), (1, 1));
    write_each(&mut world, 0, &["unsent 1", "unsent 2"]);
    world.link(0, 2);
    world.run(Duration::from_secs(6));
    assert_eq!((equivocations(&world.hosts[0]), retired(&world.hosts[0])), (1, 1));
    assert_eq!(world.hosts[0].log.version().sequence(&replica), 6);
    for host in &world.hosts {
        let bodies = bodies(host);
        for body in ["unsent 1", "unsent 2"] {
            assert_eq!(bodies.iter().filter(|said| *said == body).count(), 1, "{bodies:?}");
        }
    }
    // One proof, one retirement: it is all in one write.
    let disk = close(&mut world, 0);
    start(&mut world, 0, disk, 13);
    assert!(bodies(&world.hosts[0]).contains(&"unsent 2".into()));
}

/// Two blocks in one write that is not answered: the first was sent, the second is cut off.
#[test]
fn what_is_left_of_a_pending_write_counts_as_stored_with_it() {
    let mut world = World::new(3);
    let backup = with_backup(&mut world, &["lost"]);
    let lost = block(&world, "lost");
    reopen(&mut world, 0, backup, 11);
    world.link(0, 2);
    world.run(FIVE_MS);
    let sent = world.hosts[0].write(vec![b'a'; 40_000]);
    world.write(2, 1, b"not stored");
    assert!(world.hand_over((2, 0, meshwork_wire::Channel::Live)));
    let unsent = world.hosts[0].write(vec![b'b'; 40_000]);
    assert_eq!(unsent.dependencies.len(), 1);
    // The third one closes the second one's block.
    let open = world.hosts[0].write(vec![b'c'; 40_000]);
    world.feed(0, Some(Input::Append(vec![sent, unsent, open])));
    assert_eq!(world.hosts[0].writes.len(), 2);
    hand(&mut world, 2, 0, vec![lost]);
    assert_eq!((retired(&world.hosts[0]), equivocations(&world.hosts[0])), (1, 1));
    write_each(&mut world, 0, &["and on"]);
    world.run(Duration::from_secs(6));
    let bodies = bodies(&world.hosts[2]);
    assert!(bodies.contains(&"and on".into()) && bodies.contains(&"b".repeat(40_000)));
}

/// What waits for its signature does not leave when it turns out that another copy has written under its number.
#[test]
fn the_open_block_is_not_sent_under_a_replica_that_is_being_retired() {
    let mut world = World::new(3);
    let backup = with_backup(&mut world, &["same", "lost"]);
    let lost = block(&world, "lost");
    reopen(&mut world, 0, backup, 11);
    world.link(0, 2);
    world.run(FIVE_MS);
    world.write(0, 1, b"same");
    world.drain();
    world.write(0, 1, b"offline");
    assert_eq!(bodies(&world.hosts[2]).iter().filter(|body| *body == "offline").count(), 0);
    world.store(0);
    hand(&mut world, 2, 0, vec![lost]);
    assert_eq!(retired(&world.hosts[0]), 1);
    world.link(0, 1);
    assert_all_hold(&mut world, &all_of(&["same", "lost"], &["offline"]));
}

/// Every block finds what its first operation depends on, also after blocks were merged.
#[test]
fn a_merged_block_takes_the_place_of_the_first_that_it_supersedes() {
    let mut world = World::new(3);
    write_each(&mut world, 0, &["a1"]);
    let first = world.hosts[0].log.blocks_since(&Version::default());
    world.merge(1, first.clone()).unwrap();
    world.drain();
    write_each(&mut world, 1, &["b1, on a1"]);
    let known = world.hosts[0].log.version().clone();
    let answer = world.hosts[1].log.blocks_since(&known);
    write_each(&mut world, 0, &["a2", "a3"]);
    let merged = world.hosts[0].log.blocks_since(&Version::default());
    assert_eq!(merged.len(), 1);
    for blocks in [first, answer, merged] {
        world.merge(2, blocks).unwrap();
    }
    world.drain();
    let mut newcomer = Host::open(9, 9, world.now, Rows::new()).unwrap();
    let blocks = world.hosts[2].log.blocks_since(&Version::default());
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let ready = newcomer.log.merge(world.now, vec![block]).unwrap();
        assert!(!ready.is_empty(), "a block has to wait");
    }
}

#[test]
fn edits_that_come_while_the_log_is_closing_are_stored() {
    // After how many answered writes the edit comes.
    for answered in 0..3 {
        let mut world = World::new(1);
        write_each(&mut world, 0, &["before"]);
        world.write(0, 1, b"with it");
        world.feed(0, Some(Input::Close));
        for _ in 0..answered {
            if let Some(input) = world.hosts[0].store_one().filter(|_| !world.hosts[0].closed) {
                world.feed(0, Some(input));
            }
        }
        if world.hosts[0].closed {
            continue;
        }
        let late = world.hosts[0].write("late");
        let Dot { replica, sequence } = late.dot;
        world.feed(0, Some(Input::Append(vec![late])));
        world.drain();
        assert!(world.hosts[0].closed);
        let disk = world.hosts[0].disk.clone();
        start(&mut world, 0, disk, 5);
        assert_eq!(bodies(&world.hosts[0]), ["before", "late", "with it"], "after {answered} writes");
        let incarnation = world.hosts[0].incarnation;
        assert_eq!((incarnation.replica, incarnation.next_sequence), (replica, sequence + 1));
    }
}
