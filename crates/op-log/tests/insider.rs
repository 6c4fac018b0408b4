//! What a linked member with a key of its own can do to the others, and cannot.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod common;

use std::{sync::Arc, time::Duration};

use common::{Host, Rows, SPACE, World, session};
use meshwork_base::{Bytes, DocumentId, Dot, Hash, HybridTime, NodeId, ReplicaId, Seed, Table, Tip};
use meshwork_identity::KeyedHash;
use meshwork_op_log::{Config, EntryWriter, Event, Input, Message, Range};
use meshwork_wire::Channel;

fn writer(signs_as: u8, nonce: u64) -> EntryWriter {
    let key = KeyedHash { node: NodeId([signs_as; 32]), world: [9; 32] };
    EntryWriter::new(SPACE, Arc::new(key), &Seed::from_number(nonce))
}

fn write(writer: &mut EntryWriter, body: &[u8]) -> Bytes {
    let document = DocumentId::new("d").unwrap();
    writer.write(vec![], &document, HybridTime::default(), body).unwrap().bytes().clone()
}

/// Hosts that are all linked to host 0.
fn star(hosts: usize) -> World {
    let mut world = World::new(hosts);
    (1..hosts).for_each(|host| world.link(0, host));
    world.drain();
    world
}

/// Host 0 hears a message of host 1.
fn hear(world: &mut World, message: Message) {
    world.feed(0, Some(Input::Received { from: session(1), message }));
}

#[test]
fn a_proof_at_the_end_of_all_numbers_is_judged_without_a_panic() {
    let mut world = star(2);
    let mut last = write(&mut writer(7, 3), b"x").to_vec();
    last[65..73].copy_from_slice(&u64::MAX.to_le_bytes());
    let last = Bytes::from(last);
    hear(&mut world, Message::Proof { first: last.clone(), second: last });
    assert_eq!(world.hosts[0].misbehaved.len(), 1);
}

/// Two signed blocks of one operation each under one dot.
fn contradiction(signs_as: u8, nonce: u64, body_bytes: usize) -> Message {
    let branch = |byte| write(&mut writer(signs_as, nonce), &vec![byte; body_bytes]);
    Message::Proof { first: branch(1), second: branch(2) }
}

fn equivocations(world: &World, host: usize) -> usize {
    let events = world.hosts[host].events.iter();
    events.filter(|event| matches!(event, Event::Equivocation { .. })).count()
}

fn bytes_on_the_way(world: &World, to: usize) -> usize {
    let lanes = world.network.iter().filter(|((_, receiver, _), _)| *receiver == to);
    lanes.flat_map(|(_, queue)| queue).map(|message| meshwork_wire::encode(message).unwrap().len()).sum()
}

#[test]
fn proofs_travel_without_bodies() {
    let mut world = star(3);
    for nonce in 0..9 {
        hear(&mut world, contradiction(7, nonce, 500_000));
    }
    assert_eq!(equivocations(&world, 0), 9);
    assert!(bytes_on_the_way(&world, 2) < 10_000, "{} bytes", bytes_on_the_way(&world, 2));
    // Its own proof is not told to whoever brought it.
    assert_eq!(world.network.get(&(0, 1, Channel::Control)).map_or(0, |queue| queue.len()), 0);
    world.run(Duration::from_secs(1));
    assert_eq!(equivocations(&world, 2), 9);
    let disk: usize = world.hosts[0].disk.values().map(|value| value.len()).sum();
    assert!(disk < 10_000, "{disk} bytes");
    // A newcomer, also after a restart.
    let disk = world.hosts[0].disk.clone();
    world.cut(0, 1);
    world.hosts[0] = Host::open(1, 50, world.now, disk).unwrap();
    world.feed(0, None);
    world.link(0, 1);
    assert!(bytes_on_the_way(&world, 1) < 10_000);
    world.run(Duration::from_secs(1));
    assert_eq!(equivocations(&world, 1), 9);
}

/// What is left of a proof is its metas, which are not small either.
fn heavy_contradiction(signs_as: u8, nonce: u64) -> Message {
    let dependencies: Vec<_> =
        (0..1_000u128).map(|id| Dot::new(ReplicaId(id.to_be_bytes()), u64::MAX)).collect();
    let branch = |body: &[u8]| {
        let document = DocumentId::new("d").unwrap();
        let mut writer = writer(signs_as, nonce);
        writer.write(dependencies.clone(), &document, HybridTime::default(), body).unwrap().bytes().clone()
    };
    Message::Proof { first: branch(b"1"), second: branch(b"2") }
}

#[test]
fn many_proofs_leave_a_few_at_a_time() {
    let mut world = star(1);
    world.hosts.push(Host::open(2, 2, world.now, Rows::new()).unwrap());
    world.hosts.push(Host::open(3, 3, world.now, Rows::new()).unwrap());
    world.link(0, 1);
    for author in 10..50 {
        hear(&mut world, heavy_contradiction(author, 1));
    }
    assert_eq!(equivocations(&world, 0), 40);
    world.drain();
    world.link(0, 2);
    assert!(bytes_on_the_way(&world, 2) < 150_000, "{} bytes", bytes_on_the_way(&world, 2));
    world.feed(0, Some(Input::Congested { peer: session(2) }));
    world.run(Duration::from_secs(5));
    let told = equivocations(&world, 2);
    assert!(told < 5, "{told}");
    world.feed(0, Some(Input::Drained { peer: session(2) }));
    world.run(Duration::from_secs(5));
    assert_eq!(equivocations(&world, 2), 40);
}

#[test]
fn an_author_who_contradicts_itself_again_and_again_is_closed() {
    let mut world = star(3);
    for nonce in 0..20 {
        hear(&mut world, contradiction(7, nonce, 10));
    }
    world.run(Duration::from_secs(3));
    for host in [0, 2] {
        assert_eq!(equivocations(&world, host), 16, "host {host}");
        let proofs = world.hosts[host].disk.keys().filter(|(table, _)| *table == Table::Proofs);
        assert_eq!(proofs.count(), 16);
        assert_eq!(world.hosts[host].misbehaved, Vec::<String>::new());
    }
    let say = |world: &mut World, signs_as| {
        let blocks = vec![write(&mut writer(signs_as, 99), b"new")];
        hear(world, Message::Blocks { wanted: false, blocks });
        world.run(Duration::from_secs(3));
        (world.hosts[0].log.operations(), world.hosts[2].log.operations())
    };
    assert_eq!(say(&mut world, 7), (0, 0));
    assert_eq!(say(&mut world, 8), (1, 1));
    // It stays so after a restart.
    let disk = world.hosts[0].disk.clone();
    world.cut(0, 1);
    world.hosts[0] = Host::open(1, 50, world.now, disk).unwrap();
    world.feed(0, None);
    world.link(0, 1);
    assert_eq!(say(&mut world, 7).0, 1);
    assert_eq!(say(&mut world, 9).0, 2);
}

#[test]
fn all_proofs_together_are_bounded() {
    let mut world = star(2);
    let config = Config { proof_bytes_max: 256 * 1024, ..Config::default() };
    world.hosts[0] = Host::open_with(config, 1, 9, world.now, Rows::new()).unwrap();
    world.feed(0, None);
    world.cut(0, 1);
    world.link(0, 1);
    for author in 10..50 {
        hear(&mut world, heavy_contradiction(author, 1));
    }
    world.drain();
    let disk = world.hosts[0].disk.iter().filter(|((table, _), _)| *table == Table::Proofs);
    let kept: usize = disk.map(|(_, value)| value.len()).sum();
    assert!((200_000..260_000).contains(&kept), "{kept} bytes");
    assert_eq!(world.hosts[0].misbehaved, Vec::<String>::new());
}

/// Host 0 holds some megabytes of one replica; returns it and its tip.
fn with_a_log(world: &mut World) -> (ReplicaId, Tip) {
    world.cut(0, 1);
    world.write(0, 200, &[7; 50_000]);
    world.run(Duration::from_millis(10));
    world.links.extend([(0, 1), (1, 0)]);
    world.feed(0, Some(Input::PeerUp { peer: session(1) }));
    world.network.clear();
    let replica = world.hosts[0].incarnation.replica;
    (replica, *world.hosts[0].log.version().tip(&replica).unwrap())
}

#[test]
fn many_requests_do_not_make_many_answers() {
    let mut world = star(2);
    let (replica, tip) = with_a_log(&mut world);
    let want = Message::Want { ranges: vec![Range { replica, after: 0, tip }], credit_bytes: u64::MAX };
    for _ in 0..3_000 {
        hear(&mut world, want.clone());
        hear(&mut world, Message::Credit { bytes: u64::MAX });
    }
    let sent = bytes_on_the_way(&world, 1);
    assert!((500_000..1_200_000).contains(&sent), "{sent} bytes");
    // Later more, until the link says that it is full.
    let next = |world: &mut World| {
        world.now = world.now.after(Duration::from_millis(10));
        world.feed(0, None);
        hear(world, want.clone());
    };
    (0..5).for_each(|_| next(&mut world));
    let sent = bytes_on_the_way(&world, 1);
    assert!((3_000_000..7_000_000).contains(&sent), "{sent} bytes");
    world.feed(0, Some(Input::Congested { peer: session(1) }));
    (0..5).for_each(|_| next(&mut world));
    assert_eq!(bytes_on_the_way(&world, 1), sent);
}

#[test]
fn the_largest_credit_is_not_spent_at_once() {
    let config = Config { credit_bytes: 16 * 1024 * 1024, ..Config::default() };
    let mut world = World::with(config, 2);
    world.write(0, 200, &[7; 50_000]);
    world.run(Duration::from_millis(10));
    world.link(0, 1);
    let mut most = 0;
    while world.hosts[1].log.operations() < 200 {
        for lane in world.network.keys().copied().collect::<Vec<_>>() {
            world.hand_over(lane);
            most = most.max(bytes_on_the_way(&world, 1));
        }
        if world.network.values().all(|queue| queue.is_empty()) {
            world.run(Duration::from_millis(1));
        }
    }
    assert!(most < 1_200_000, "{most} bytes at a time");
    world.run(Duration::from_secs(3));
    world.assert_converged();
}

#[test]
fn one_who_disagrees_again_and_again_is_not_told_everything_again_and_again() {
    let mut world = star(2);
    let now = world.now;
    let blocks = (0..500).map(|nonce| write(&mut writer(7, nonce), b"x")).collect();
    world.hosts[0].log.merge(now, blocks).unwrap();
    world.feed(0, None);
    world.run(Duration::from_secs(3));
    let full = 500 * 40;
    for _ in 0..1_000 {
        hear(&mut world, Message::Digest { digest: Hash::ZERO, answer: false });
        hear(&mut world, Message::Have { entries: vec![], answer_wanted: true });
    }
    world.now = world.now.after(Duration::from_millis(160));
    world.feed(0, None);
    let sent = bytes_on_the_way(&world, 1);
    assert!((full..3 * full).contains(&sent), "{sent} bytes");
}

#[test]
fn very_many_replicas_are_told_a_part_at_a_time() {
    let mut world = star(1);
    let config = Config { serve_bytes_max: 64 * 1024, ..Config::default() };
    world.hosts[0] = Host::open_with(config, 1, 9, world.now, Rows::new()).unwrap();
    world.feed(0, None);
    world.hosts.push(Host::open(2, 2, world.now, Rows::new()).unwrap());
    let now = world.now;
    let blocks: Vec<_> = (0..9_000).map(|nonce| write(&mut writer(7, nonce), b"x")).collect();
    world.hosts[0].log.merge(now, blocks).unwrap();
    world.feed(0, None);
    world.link(0, 1);
    world.drain();
    assert_eq!(bytes_on_the_way(&world, 1), 0);
    let told = world.hosts[1].log.operations();
    assert!(told < 5_000, "{told}");
    world.run(Duration::from_secs(1));
    assert_eq!(world.hosts[1].log.operations(), 9_000);
    assert_eq!(world.hosts[1].misbehaved, Vec::<String>::new());
}

/// Time passes, and every 4 seconds host 0 gets one new operation of `insider` from host 1, which is not run.
fn dribble(world: &mut World, insider: &mut EntryWriter, seconds: u64) {
    for _ in 0..seconds / 4 {
        hear(world, Message::Blocks { wanted: true, blocks: vec![write(insider, b"x")] });
        world.links.remove(&(0, 1));
        world.run(Duration::from_secs(4));
        world.links.insert((0, 1));
    }
}

#[test]
fn nobody_mutes_a_node_by_claiming_to_know_more_of_it() {
    let mut world = star(3);
    let mut insider = writer(7, 1);
    let mut claim = |world: &mut World| {
        let replica = world.hosts[0].incarnation.replica;
        let tip = Tip { sequence: world.hosts[0].next, hash: Hash::of(b"junk") };
        hear(world, Message::Have { entries: vec![(replica, tip)], answer_wanted: false });
        world.write(0, 1, b"mine");
        let before = world.hosts[2].log.version().sequence(&replica);
        world.drain();
        let muted = world.hosts[2].log.version().sequence(&replica) == before;
        dribble(world, &mut insider, 8);
        assert_eq!(world.hosts[2].log.version().sequence(&replica), before + 1);
        muted
    };
    let mut muted = 0;
    for _ in 0..8 {
        muted += usize::from(claim(&mut world));
        world.feed(0, Some(Input::PeerDown { peer: session(1) }));
        world.feed(0, Some(Input::PeerUp { peer: session(1) }));
    }
    assert_eq!(muted, 3);
}

#[test]
fn nobody_censors_a_replica_by_claiming_all_of_it() {
    let mut world = star(2);
    world.hosts.push(Host::open(3, 3, world.now, Rows::new()).unwrap());
    let (mut author, mut insider) = (writer(8, 1), writer(7, 1));
    let mut publish = |world: &mut World| {
        let blocks = (0..5).map(|_| write(&mut author, b"news")).collect();
        let now = world.now;
        world.hosts[2].log.merge(now, blocks).unwrap();
        world.feed(2, None);
        world.drain();
    };
    publish(&mut world);
    let replica = *world.hosts[2].log.version().iter().next().unwrap().0;
    let claim = |world: &mut World| {
        let tip = Tip { sequence: u64::MAX, hash: Hash::of(b"junk") };
        hear(world, Message::Have { entries: vec![(replica, tip)], answer_wanted: false });
    };
    claim(&mut world);
    world.link(0, 2);
    let held = |world: &World| world.hosts[0].log.version().sequence(&replica);
    dribble(&mut world, &mut insider, 4);
    assert_eq!(held(&world), 0);
    dribble(&mut world, &mut insider, 44);
    assert_eq!(held(&world), 5);
    // It is believed once.
    for round in 2..5 {
        claim(&mut world);
        publish(&mut world);
        world.run(Duration::from_millis(100));
        assert_eq!(held(&world), 5 * round);
    }
}

#[test]
fn nobody_sends_beyond_its_credit() {
    let mut world = star(2);
    let noise = || Message::Blocks { wanted: true, blocks: vec![write(&mut writer(8, 1), &[0; 500_000])] };
    // It was asked for nothing: one message may overdraw that.
    for (message, charged) in [0, 0, 1, 2].into_iter().enumerate() {
        hear(&mut world, noise());
        assert_eq!(world.hosts[0].misbehaved.len(), charged, "message {message}");
    }
}

#[test]
fn what_comes_after_it_was_given_up_costs_nothing() {
    let mut world = star(2);
    let mut author = writer(8, 1);
    let blocks: Vec<Bytes> = (0..40).map(|_| write(&mut author, &[0; 50_000])).collect();
    let replica = meshwork_op_log::Entry::read(SPACE, blocks[0].clone()).unwrap().operations()[0].dot.replica;
    let entries = vec![(replica, Tip { sequence: 30, hash: Hash::of(b"30") })];
    hear(&mut world, Message::Have { entries, answer_wanted: false });
    world.links.remove(&(0, 1));
    world.run(Duration::from_secs(10));
    // All of the credit, and a little.
    for block in &blocks[..11] {
        hear(&mut world, Message::Blocks { wanted: true, blocks: vec![block.clone()] });
    }
    assert_eq!(world.hosts[0].misbehaved, Vec::<String>::new());
    assert_eq!(world.hosts[0].log.operations(), 11);
    for block in &blocks[11..] {
        hear(&mut world, Message::Blocks { wanted: true, blocks: vec![block.clone()] });
    }
    assert_ne!(world.hosts[0].misbehaved, Vec::<String>::new());
}

#[test]
fn a_newcomer_takes_very_many_replicas_in_parts_and_charges_nobody() {
    let mut world = star(1);
    let config = Config { remote_replicas_max: 16, ..Config::default() };
    world.hosts.push(Host::open_with(config, 2, 2, world.now, Rows::new()).unwrap());
    world.feed(1, None);
    let now = world.now;
    let blocks = (0..50).map(|nonce| write(&mut writer(7, nonce), b"x")).collect();
    world.hosts[0].log.merge(now, blocks).unwrap();
    world.feed(0, None);
    world.link(0, 1);
    world.drain();
    assert_eq!(world.hosts[1].log.operations(), 16);
    world.run(Duration::from_secs(15));
    assert_eq!(world.hosts[1].log.operations(), 50);
    assert_eq!(world.hosts[1].misbehaved, Vec::<String>::new());
}
