//! Whatever a peer sends, the result is a value or an event: never a panic, never a wrong log.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod common;

use std::{sync::Arc, time::Duration};

use common::{SPACE, World, session};
use meshwork_base::{
    Bytes, DocumentId, Dot, Hash, HybridTime, Machine, NodeId, ReplicaId, Seed, SpaceId, Tip, step,
};
use meshwork_identity::KeyedHash;
use meshwork_op_log::{Effect, Entry, EntryWriter, Event, Input, Message, Range};
use proptest::prelude::*;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn writer(space: SpaceId, signs_as: u8) -> EntryWriter {
    let key = KeyedHash { node: NodeId([signs_as; 32]), world: [9; 32] };
    EntryWriter::new(space, Arc::new(key), &Seed::from_number(3))
}

fn write(writer: &mut EntryWriter, dependencies: Vec<Dot>) -> Bytes {
    let document = DocumentId::new("d").unwrap();
    writer.write(dependencies, &document, HybridTime::default(), b"body").unwrap().bytes().clone()
}

/// Hands blocks to host 0 as if from host 1; returns what it says of the sender.
fn hand(world: &mut World, blocks: Vec<Bytes>) -> Vec<String> {
    world.hosts[0].misbehaved.clear();
    let message = Message::Blocks { wanted: false, blocks };
    world.feed(0, Some(Input::Received { from: session(1), message }));
    std::mem::take(&mut world.hosts[0].misbehaved)
}

fn linked() -> World {
    let mut world = World::new(2);
    world.link(0, 1);
    world.drain();
    world
}

#[test]
fn bad_blocks_are_refused_and_charged_to_the_link() {
    let mut good = writer(SPACE, 7);
    let (first, second) = (write(&mut good, vec![]), write(&mut good, vec![]));
    let change = |at: usize, to: u8| {
        let mut bytes = first.to_vec();
        bytes[at] = to;
        Bytes::from(bytes)
    };
    let forged = {
        // Signed by node 8, claiming to be by node 7.
        let mut bytes = write(&mut writer(SPACE, 8), vec![]).to_vec();
        bytes[17..49].copy_from_slice(&[7; 32]);
        Bytes::from(bytes)
    };
    let mut long = first.to_vec();
    long.push(0);
    let huge = Bytes::from([&first[..], &vec![0; 70_000]].concat());
    let mut two = huge.to_vec();
    two[105] = 2;
    let table = [
        (change(0, 2), "block format 2 is unknown here"),
        (write(&mut writer(SpaceId([6; 16]), 7), vec![]), "the block belongs to space 0606"),
        (forged, "the signature is not that of the author 0707"),
        (change(65, 0), "the block's numbering is impossible: a block holds at least one operation"),
        (change(65, 2), "the signature is not"),
        (change(73, 1), "the block's numbering is impossible: nothing precedes the first operation"),
        (change(105, 0), "the block's numbering is impossible: a block holds"),
        (change(105, 2), "an operation's meta of 40237 is over the limit of 32768"),
        (change(106, 5), "a block's count of 1281 is over the limit of 1024"),
        (change(107, 1), "operation 1 comes without its body"),
        (change(107, 9), "block format 9 is unknown"),
        (first.slice(..first.len() - 1), "the block is cut short at its signature"),
        (long.into(), "1 bytes follow the end of the block"),
        (huge, "bytes follow the end of the block"),
        (two.into(), "a block of 70"),
        (Bytes::new(), "the block is cut short at its format"),
    ];
    for (bytes, expected) in table {
        let mut world = linked();
        let said = hand(&mut world, vec![bytes]);
        assert!(said.len() == 1 && said[0].contains(expected), "{expected}: {said:?}");
        assert!(world.hosts[0].log.version().is_empty() && world.hosts[0].writes.is_empty());
    }
    // What comes before a refused block is taken; so is the rest, later.
    let mut world = linked();
    assert_eq!(hand(&mut world, vec![first.clone(), change(0, 2), second.clone()]).len(), 1);
    assert_eq!(world.hosts[0].log.operations(), 1);
    assert!(hand(&mut world, vec![second]).is_empty());
    assert_eq!(world.hosts[0].log.operations(), 2);
}

#[test]
fn a_body_that_is_left_out_is_a_clear_error() {
    let mut good = writer(SPACE, 7);
    let document = DocumentId::new("d").unwrap();
    let body = [5; 40];
    let entry = good.write(vec![], &document, HybridTime::default(), &body).unwrap();
    let bytes = entry.bytes();
    let start = bytes.windows(40).position(|window| window == body).unwrap();
    let mut stripped = [&bytes[..start], &Hash::of(&body).0[..], &bytes[start + 40..]].concat();
    stripped[107] = 1;
    let mut world = linked();
    let said = hand(&mut world, vec![stripped.into()]);
    assert_eq!(
        said,
        ["block 0 is refused: operation 1 comes without its body: the log takes whole operations only"]
    );
}

#[test]
fn a_replayed_block_is_harmless() {
    let mut good = writer(SPACE, 7);
    let blocks: Vec<Bytes> = (0..20).map(|_| write(&mut good, vec![])).collect();
    let mut world = linked();
    assert!(hand(&mut world, blocks.clone()).is_empty());
    let writes = world.hosts[0].writes.len();
    for _ in 0..3 {
        assert!(hand(&mut world, blocks.iter().rev().cloned().collect()).is_empty());
    }
    assert_eq!(world.hosts[0].writes.len(), writes);
    assert_eq!(world.hosts[0].visible.len(), 20);
}

#[test]
fn a_dependency_that_nobody_has_blocks_nobody_else() {
    let mut world = linked();
    let nowhere = Dot::new(ReplicaId([0xee; 16]), 3);
    let mut stuck = writer(SPACE, 7);
    let mut free = writer(SPACE, 8);
    let blocks = vec![write(&mut stuck, vec![nowhere]), write(&mut stuck, vec![]), write(&mut free, vec![])];
    assert!(hand(&mut world, blocks).is_empty());
    assert_eq!((world.hosts[0].log.operations(), world.hosts[0].log.pending()), (1, 2));
    world.drain();
    assert_eq!(world.hosts[0].log.stored_version().operations(), 1);
}

#[test]
fn what_waits_is_bounded_and_what_is_dropped_comes_again() {
    let mut world = linked();
    let config = meshwork_op_log::Config { buffered_blocks_max: 16, ..Default::default() };
    world.hosts[0] = common::Host::open_with(config, 1, 4, world.now, common::Rows::new()).unwrap();
    world.feed(0, None);
    world.cut(0, 1);
    world.link(0, 1);
    let mut good = writer(SPACE, 7);
    let blocks: Vec<Bytes> = (0..100).map(|_| write(&mut good, vec![])).collect();
    assert!(hand(&mut world, blocks[1..].to_vec()).is_empty());
    assert!(world.hosts[0].log.pending() <= 16);
    // The nearest were kept.
    assert!(hand(&mut world, vec![blocks[0].clone()]).is_empty());
    assert!(world.hosts[0].log.operations() > 10);
    let now = world.now;
    world.hosts[1].log.merge(now, blocks).unwrap();
    world.hosts[1].feed(now, None);
    world.run(Duration::from_secs(10));
    assert_eq!(world.hosts[0].log.operations(), 100);
    assert_eq!(world.hosts[0].log.pending(), 0);
    // Whoever leaves takes along what only waits.
    let mut more: Vec<Bytes> = (0..10).map(|_| write(&mut good, vec![])).collect();
    hand(&mut world, more.split_off(1));
    assert_eq!(world.hosts[0].log.pending(), 9);
    world.cut(0, 1);
    assert_eq!(world.hosts[0].log.pending(), 0);
}

#[test]
fn nonsense_requests_are_charged() {
    let replica = ReplicaId([1; 16]);
    let tip = |sequence| Tip { sequence, hash: Hash::ZERO };
    let range = |after, sequence| Range { replica, after, tip: tip(sequence) };
    let want = |ranges| Message::Want { ranges, credit_bytes: u64::MAX };
    let have = |entries| Message::Have { entries, answer_wanted: true };
    let blocks = |wanted, blocks| Message::Blocks { wanted, blocks };
    let large = Bytes::from(vec![0; 600_000]);
    let table = [
        (want(vec![range(5, 5)]), 1),
        (want(vec![range(0, 1); 5_000]), 1),
        (want(vec![range(7, 9), range(u64::MAX - 1, u64::MAX)]), 0),
        (have(vec![(replica, tip(0))]), 1),
        (have(vec![(replica, tip(1)), (replica, tip(2))]), 1),
        (have(vec![(replica, tip(u64::MAX))]), 0),
        (blocks(false, vec![Bytes::new(); 5_000]), 1),
        (blocks(true, vec![large.clone(), large]), 1),
        (Message::Credit { bytes: u64::MAX }, 0),
        (Message::Digest { digest: Hash::ZERO, answer: true }, 0),
    ];
    for (message, expected) in table {
        let mut world = linked();
        let text = format!("{message:?}").chars().take(80).collect::<String>();
        world.feed(0, Some(Input::Received { from: session(1), message }));
        assert_eq!(world.hosts[0].misbehaved.len(), expected, "{text}");
    }
    // Whoever is not linked is not heard.
    let mut world = World::new(1);
    world.feed(0, Some(Input::Received { from: session(9), message: want(vec![range(5, 5)]) }));
    assert!(world.hosts[0].misbehaved.is_empty());
}

/// Two writers of one seed and different words: an author who contradicts itself from the first operation on.
fn two_branches() -> [Vec<Bytes>; 2] {
    ["one", "two"].map(|body| {
        let mut liar = writer(SPACE, 7);
        let document = DocumentId::new("d").unwrap();
        let mut next = || liar.write(vec![], &document, HybridTime::default(), body.as_bytes()).unwrap();
        (0..3).map(|_| next().bytes().clone()).collect()
    })
}

#[test]
fn a_block_that_continues_another_branch_is_proof_enough() {
    let [a, b] = two_branches();
    let mut world = linked();
    assert!(hand(&mut world, vec![a[0].clone(), b[1].clone()]).is_empty());
    let equivocates = |event: &Event| matches!(event, Event::Equivocation { dot, .. } if dot.sequence == 1);
    assert_eq!(world.hosts[0].events.iter().filter(|event| equivocates(event)).count(), 1);
    assert_eq!(world.hosts[0].log.operations(), 1);
    // The other end believes the proof.
    world.drain();
    assert_eq!(world.hosts[1].events.iter().filter(|event| equivocates(event)).count(), 1);
}

#[test]
fn a_closed_replica_grows_only_as_far_as_others_need_it() {
    let [a, b] = two_branches();
    let mut world = linked();
    let message = Message::Proof { first: a[0].clone(), second: b[0].clone() };
    world.feed(0, Some(Input::Received { from: session(1), message }));
    assert!(hand(&mut world, a.clone()).is_empty());
    assert_eq!((world.hosts[0].log.operations(), world.hosts[0].log.pending()), (0, 0));
    let liar = Entry::read(SPACE, a[0].clone()).unwrap().operations()[0].dot.replica;
    let honest = write(&mut writer(SPACE, 8), vec![Dot::new(liar, 2)]);
    assert!(hand(&mut world, vec![honest]).is_empty());
    assert_eq!((world.hosts[0].log.version().sequence(&liar), world.hosts[0].log.operations()), (2, 3));
}

#[test]
fn of_another_branch_that_reaches_no_further_nothing_is_wanted() {
    let [a, b] = two_branches();
    let mut world = linked();
    hand(&mut world, vec![a[0].clone(), b[0].clone()]);
    let theirs = Entry::read(SPACE, b[0].clone()).unwrap().operations()[0].clone();
    let liar = theirs.dot.replica;
    hand(&mut world, vec![write(&mut writer(SPACE, 8), vec![Dot::new(liar, 2)])]);
    world.network.clear();
    let mut wanted = |sequence| {
        let entries = vec![(liar, Tip { sequence, hash: theirs.hash })];
        let message = Message::Have { entries, answer_wanted: false };
        world.feed(0, Some(Input::Received { from: session(1), message }));
        let sent = std::mem::take(&mut world.network);
        let sent = sent.into_iter().filter(|((from, ..), _)| *from == 0).flat_map(|(_, messages)| messages);
        let ranges = sent.filter_map(|message| match message {
            Message::Want { ranges, .. } => Some(ranges),
            _ => None,
        });
        ranges.flatten().map(|range| (range.after, range.tip.sequence)).collect::<Vec<_>>()
    };
    assert_eq!((wanted(1), wanted(2)), (vec![], vec![(1, 2)]));
}

#[test]
fn a_merged_block_waits_on_when_the_peer_that_brought_part_of_it_is_gone() {
    let (mut author, mut other) = (writer(SPACE, 7), writer(SPACE, 8));
    let awaited = write(&mut other, vec![]);
    let dot = Entry::read(SPACE, awaited.clone()).unwrap().operations()[0].dot;
    let [first, second] = [vec![], vec![dot]].map(|dependencies| write(&mut author, dependencies));
    let merged = {
        let mut elsewhere = World::new(1);
        let now = elsewhere.now;
        let blocks = vec![first.clone(), second.clone(), awaited.clone()];
        elsewhere.hosts[0].log.merge(now, blocks).unwrap();
        let blocks = elsewhere.hosts[0].log.blocks_since(&Default::default());
        let whole = |block: &Bytes| Entry::read(SPACE, block.clone()).unwrap().operations().len() == 2;
        blocks.into_iter().find(whole).unwrap()
    };
    let mut world = linked();
    world.feed(0, Some(Input::PeerUp { peer: session(2) }));
    hand(&mut world, vec![first, second]);
    for (block, gone) in [(merged, Some(session(1))), (awaited, None)] {
        let message = Message::Blocks { wanted: false, blocks: vec![block] };
        world.feed(0, Some(Input::Received { from: session(2), message }));
        gone.into_iter().for_each(|peer| world.feed(0, Some(Input::PeerDown { peer })));
    }
    assert_eq!(world.hosts[0].log.operations(), 3);
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn a_block_with_a_flipped_bit_is_refused(bit: prop::sample::Index, merged: bool) {
        let mut good = writer(SPACE, 7);
        let blocks: Vec<Bytes> = (0..3).map(|_| write(&mut good, vec![])).collect();
        let mut world = linked();
        let mut victim = blocks[0].to_vec();
        if merged {
            let mut other = World::new(1);
            let now = other.now;
            other.hosts[0].log.merge(now, blocks).unwrap();
            victim = other.hosts[0].log.blocks_since(&Default::default())[0].to_vec();
        }
        let bit = bit.index(victim.len() * 8);
        victim[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(hand(&mut world, vec![victim.into()]).len(), 1);
        prop_assert!(world.hosts[0].log.version().is_empty());
        prop_assert_eq!(world.hosts[0].log.pending(), 0);
    }

    /// Real messages with a few bytes changed, in any order, and pure noise.
    #[test]
    fn any_messages_are_survived(changes: Vec<(prop::sample::Index, prop::sample::Index, u8)>, noise: Vec<u8>) {
        let mut world = linked();
        world.write(0, 3, b"abc");
        world.write(1, 3, b"abc");
        let mut recorded: Vec<Vec<u8>> = Vec::new();
        world.run(Duration::from_millis(1));
        for host in 0..2 {
            let blocks = world.hosts[host].log.blocks_since(&Default::default());
            recorded.push(meshwork_wire::encode(&Message::Blocks { wanted: true, blocks: blocks.clone() }).unwrap());
            let (first, second) = (blocks[0].clone(), blocks[blocks.len() - 1].clone());
            recorded.push(meshwork_wire::encode(&Message::Proof { first, second }).unwrap());
        }
        let version = world.hosts[1].log.version().clone();
        let entries: Vec<_> = version.iter().map(|(replica, tip)| (*replica, *tip)).collect();
        let ranges = entries.iter().map(|(replica, tip)| Range { replica: *replica, after: 0, tip: *tip }).collect();
        recorded.push(meshwork_wire::encode(&Message::Have { entries, answer_wanted: true }).unwrap());
        recorded.push(meshwork_wire::encode(&Message::Want { ranges, credit_bytes: 1 << 20 }).unwrap());
        let mut fed = vec![noise];
        for (which, at, byte) in changes {
            let mut bytes = recorded[which.index(recorded.len())].clone();
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
            fed.push(bytes);
        }
        for bytes in fed {
            if let Ok(message) = meshwork_wire::decode::<Message>(&bytes) {
                world.feed(0, Some(Input::Received { from: session(1), message }));
            }
        }
        world.run(Duration::from_secs(15));
        prop_assert_eq!(world.hosts[0].log.version(), &version);
        prop_assert_eq!(world.hosts[1].log.version(), &version);
    }
}

/// The same inputs, the same effects.
#[test]
fn a_log_is_deterministic() {
    let run = || {
        let mut world = World::new(3);
        world.link(0, 1);
        world.link(1, 2);
        let mut random = Seed::from_number(4).random();
        for _ in 0..300 {
            let host = random.below(3) as usize;
            if random.chance(0.3) {
                world.write(host, 1, b"x");
            }
            world.stir(&mut random, 0.1, 0.1);
        }
        let mut trace = format!("{:?}", world.network);
        for host in &mut world.hosts {
            trace += &format!("{:?} {:?} {:?}", host.writes, host.log.version(), host.log.poll_timeout());
            step(&mut host.log, world.now, Some(Input::Sync), |effect: Effect| {
                trace += &format!("{effect:?}")
            });
        }
        trace
    };
    assert_eq!(run(), run());
}
