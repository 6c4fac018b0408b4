//! What leaves a node, and when; how receipts cross a mesh.

mod common;

use common::*;
use meshwork_base::{Dot, Machine, NodeId, Timestamp, Tip, Version};
use meshwork_consensus::{Config, Consensus, Effect, Input, Message};
use proptest::prelude::*;

fn stored(entries: &[(u8, u64)]) -> Input {
    Input::Stored { version: version(entries) }
}

fn linked(from: u8, nodes: &[u8]) -> Input {
    Input::Received {
        from: session(from),
        message: Message::Linked(nodes.iter().map(|id| node(*id)).collect()),
    }
}

/// Node 1, durable, told of its incarnation.
fn begun() -> Consensus {
    let mut machine = machine(1, true, Config::default());
    assert_eq!(run(&mut machine, at(0), incarnation(1, 1)), []);
    machine
}

#[test]
fn a_lone_receipt_leaves_at_once_and_a_burst_is_batched() {
    let mut machine = begun();
    // Nobody to tell: nothing is signed and nothing is due.
    run(&mut machine, at(0), stored(&[(1, 1)]));
    assert_eq!(machine.poll_timeout(), None);
    let effects = run(&mut machine, at(0), up(2));
    assert_eq!(receipts_to(&effects, 2), [(1, vec![(1, 1)])]);
    for (ms, sequence) in [(1, 2), (2, 3), (3, 4)] {
        assert_eq!(run(&mut machine, at(ms), stored(&[(1, sequence), (5, 9)])), []);
    }
    let due = machine.poll_timeout().unwrap();
    assert_eq!((due.at, due.why), (at(5).monotonic, "receipt"));
    // Only what moved, once.
    assert_eq!(receipts_to(&wake(&mut machine), 2), [(1, vec![(1, 4), (5, 9)])]);
    assert_eq!(run(&mut machine, at(50), stored(&[(1, 4), (5, 9)])), []);
    assert_eq!(receipts_to(&run(&mut machine, at(51), stored(&[(1, 5), (5, 9)])), 2), [(1, vec![(1, 5)])]);
}

#[test]
fn a_new_link_gets_all_that_is_alive() {
    let mut machine = begun();
    run(&mut machine, at(0), up(2));
    for (ms, version) in [(10, vec![(1, 1), (5, 1)]), (20, vec![(1, 2), (5, 1)]), (30, vec![(1, 3), (5, 1)])]
    {
        run(&mut machine, at(ms), stored(&version));
    }
    // The receipt of 1:2 says nothing any more that a newer one does not.
    assert_eq!(
        receipts_to(&run(&mut machine, at(40), up(3)), 3),
        [(1, vec![(1, 1), (5, 1)]), (1, vec![(1, 3)])]
    );
}

#[test]
fn a_new_incarnation_says_so_though_it_holds_nothing_and_repeats_all() {
    let mut machine = begun();
    assert_eq!(receipts_to(&run(&mut machine, at(0), up(2)), 2), [(1, vec![])]);
    run(&mut machine, at(10), stored(&[(1, 1), (5, 1)]));
    let effects = run(&mut machine, at(20), incarnation(9, 2));
    assert_eq!(receipts_to(&effects, 2), [(1, vec![(1, 1), (5, 1)])]);
    assert_eq!(run(&mut machine, at(30), incarnation(9, 2)), []);
}

#[test]
fn many_tips_take_many_receipts_and_few_stay_alive() {
    let wide = |ids: std::ops::Range<u16>, sequence: u64| -> Version {
        let id = |id: u16| meshwork_base::ReplicaId([id.to_le_bytes(); 8].concat().try_into().unwrap());
        ids.map(|n| (id(n), tip(sequence))).collect()
    };
    let mut machine = begun();
    run(&mut machine, at(0), up(2));
    run(&mut machine, at(10), Input::Stored { version: wide(0..3_000, 1) });
    let mut version = wide(0..3_000, 1);
    for n in 0..400u16 {
        version.merge(&wide(n..n + 1, 2 + u64::from(n)));
        run(&mut machine, at(20 + 10 * u64::from(n)), Input::Stored { version: version.clone() });
    }
    let effects = run(&mut machine, at(9_000), up(3));
    let sent: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send { to, message: Message::Receipt(signed) } if *to == session(3) => Some(signed),
            _ => None,
        })
        .collect();
    assert!(sent.len() <= 40, "{} receipts are alive", sent.len());
    let mut told = Version::default();
    sent.iter().for_each(|signed| told.merge(&signed.read(SPACE).unwrap().holds));
    assert_eq!(told, version);
}

#[test]
fn receipts_are_relayed_to_those_not_linked_with_the_issuer() {
    let mut machine = machine(1, false, Config::default());
    for peer in [2, 3, 4] {
        run(&mut machine, at(0), up(peer));
    }
    run(&mut machine, at(10), linked(4, &[1, 2]));
    run(&mut machine, at(20), receipt(2, 2, 1, 1, version(&[(5, 1)])));
    let effects = wake(&mut machine);
    let told = |effect: &&Effect| matches!(effect, Effect::Send { message: Message::Linked(nodes), .. } if nodes.len() == 3);
    assert_eq!(effects.iter().filter(told).count(), 3);
    // Links have just changed, so roles wait until they are at rest.
    assert_eq!(receipts_to(&effects, 3), []);
    let effects = wake(&mut machine);
    // Not to the issuer, not to one that is linked with it.
    assert_eq!(receipts_to(&effects, 3), [(2, vec![(5, 1)])]);
    assert_eq!((receipts_to(&effects, 2), receipts_to(&effects, 4)), (vec![], vec![]));
    assert_eq!(machine.poll_timeout(), None, "an idle machine sleeps");
    // Only what is new.
    run(&mut machine, at(2_000), receipt(2, 2, 1, 2, version(&[(6, 1)])));
    assert_eq!(receipts_to(&wake(&mut machine), 3), [(2, vec![(6, 1)])]);
    // The link of 4 with 2 breaks: 4 gets all that it missed.
    run(&mut machine, at(4_000), linked(4, &[1]));
    assert_eq!(receipts_to(&wake(&mut machine), 4), []);
    let effects = wake(&mut machine);
    assert_eq!(receipts_to(&effects, 4), [(2, vec![(5, 1)]), (2, vec![(6, 1)])]);
    assert_eq!(receipts_to(&effects, 3), []);
}

#[test]
fn a_receipt_is_not_sent_back_to_whom_it_came_from() {
    let mut machine = machine(1, false, Config::default());
    run(&mut machine, at(0), up(2));
    run(&mut machine, at(0), up(3));
    wake(&mut machine);
    run(&mut machine, at(1), receipt(2, 8, 1, 1, version(&[(5, 1)])));
    let effects = wake(&mut machine);
    assert_eq!((receipts_to(&effects, 2), receipts_to(&effects, 3)), (vec![], vec![(8, vec![(5, 1)])]));
}

/// A mesh whose links carry messages at once and without loss.
struct Mesh {
    nodes: Vec<Consensus>,
    now: Timestamp,
    sent: usize,
}

impl Mesh {
    fn new(count: u8) -> Self {
        let nodes = (0..count).map(|id| machine(id, true, Config::default())).collect();
        let mut mesh = Self { nodes, now: at(0), sent: 0 };
        (0..count).for_each(|id| mesh.tell(id, incarnation(id, 1)));
        mesh
    }

    fn link(&mut self, a: u8, b: u8) {
        self.tell(a, up(b));
        self.tell(b, up(a));
    }

    fn cut(&mut self, a: u8, b: u8) {
        self.tell(a, Input::PeerDown { peer: session(b) });
        self.tell(b, Input::PeerDown { peer: session(a) });
    }

    fn tell(&mut self, id: u8, input: Input) {
        let effects = run(&mut self.nodes[usize::from(id)], self.now, input);
        self.carry(id, effects);
    }

    fn carry(&mut self, from: u8, effects: Vec<Effect>) {
        assert_eq!(complaints(&effects), Vec::<String>::new());
        for effect in effects {
            let Effect::Send { to, message } = effect else { continue };
            self.sent += 1;
            self.tell(to.0[0], Input::Received { from: session(from), message });
        }
    }

    /// Lets everything that is due happen, up to `ms` from now.
    fn pass(&mut self, ms: u64) {
        let end = self.now.after(std::time::Duration::from_millis(ms));
        let next = |mesh: &Self| {
            let due =
                mesh.nodes.iter().enumerate().filter_map(|(id, node)| Some((node.poll_timeout()?.at, id)));
            due.min().filter(|(at, _)| *at <= end.monotonic)
        };
        while let Some((at, id)) = next(self) {
            self.now.monotonic = at;
            let effects = wake(&mut self.nodes[id]);
            self.carry(id as u8, effects);
        }
        self.now = end;
    }
}

#[test]
fn a_chain_of_nodes_confirms_end_to_end_and_then_is_silent() {
    let mut mesh = Mesh::new(5);
    (1..5).for_each(|id| mesh.link(id - 1, id));
    (0..5).for_each(|id| mesh.tell(id, stored(&[(7, 10)])));
    mesh.pass(10_000);
    for node in &mesh.nodes {
        assert_eq!(node.holders(Dot::new(replica(7), 10)).len(), 5);
        assert_eq!(node.poll_timeout(), None);
    }
}

#[test]
fn a_full_mesh_relays_nothing_once_the_links_are_known() {
    let mut mesh = Mesh::new(6);
    (0..6).for_each(|a| (0..a).for_each(|b| mesh.link(a, b)));
    mesh.pass(5_000);
    mesh.sent = 0;
    (0..6).for_each(|id| mesh.tell(id, stored(&[(7, 10)])));
    mesh.pass(5_000);
    assert_eq!(mesh.sent, 6 * 5);
}

#[test]
fn of_many_common_neighbours_three_pass_a_receipt_on() {
    let mut mesh = Mesh::new(24);
    let linked = |a: u8, b: u8| !(a + b).is_multiple_of(3);
    let pairs: Vec<(u8, u8)> = (0..24).flat_map(|a| (0..a).map(move |b| (a, b))).collect();
    let links = pairs.iter().filter(|(a, b)| linked(*a, *b)).count();
    pairs.iter().filter(|(a, b)| linked(*a, *b)).for_each(|(a, b)| mesh.link(*a, *b));
    mesh.pass(5_000);
    mesh.sent = 0;
    (0..24).for_each(|id| mesh.tell(id, stored(&[(7, 10)])));
    mesh.pass(5_000);
    let unlinked = pairs.len() - links;
    assert!(mesh.sent <= 2 * links + 2 * 3 * unlinked, "{} messages", mesh.sent);
    let everybody_knows = |mesh: &Mesh, sequence| {
        mesh.nodes.iter().all(|node| node.holders(Dot::new(replica(7), sequence)).len() == 24)
    };
    assert!(everybody_knows(&mesh, 10));

    // Others take over from those that are cut off from the issuer.
    let neighbours: Vec<u8> = (1..24).filter(|b| linked(0, *b)).collect();
    mesh.tell(0, stored(&[(7, 11)]));
    neighbours[1..].iter().for_each(|b| mesh.cut(0, *b));
    mesh.pass(5_000);
    (1..24).for_each(|id| mesh.tell(id, stored(&[(7, 11)])));
    mesh.pass(10_000);
    assert!(everybody_knows(&mesh, 11));
}

#[test]
fn what_is_relayed_at_once_goes_in_few_messages() {
    let mut machine = machine(1, false, Config::default());
    run(&mut machine, at(0), up(2));
    run(&mut machine, at(0), up(3));
    wake(&mut machine);
    for issuer in 10..200 {
        run(&mut machine, at(1), receipt(2, issuer, 1, 1, version(&[(5, 1)])));
    }
    let effects = wake(&mut machine);
    let sent = effects.iter().filter(|effect| matches!(effect, Effect::Send { .. })).count();
    assert_eq!((receipts_to(&effects, 3).len(), sent), (190, 2), "more than 32 KiB take two");
    // They arrive as if they had come one by one.
    let mut other = common::machine(3, false, Config::default());
    run(&mut other, at(0), stored(&[(5, 1)]));
    run(&mut other, at(0), up(1));
    for effect in effects {
        let Effect::Send { message, .. } = effect else { continue };
        let effects = run(&mut other, at(2), Input::Received { from: session(1), message });
        assert_eq!(complaints(&effects), Vec::<String>::new());
    }
    assert_eq!(other.holders(Dot::new(replica(5), 1)).len(), 190);
}

#[test]
fn links_that_never_rest_hold_nobody_up_for_ever() {
    let mut machine = machine(1, false, Config::default());
    run(&mut machine, at(0), up(2));
    run(&mut machine, at(0), up(3));
    run(&mut machine, at(1), receipt(2, 8, 1, 1, version(&[(5, 1)])));
    let looks = (0..10).map(|look| {
        run(&mut machine, at(10 + look), linked(3, &[1]));
        receipts_to(&wake(&mut machine), 3).len()
    });
    assert_eq!(looks.collect::<Vec<_>>(), [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
}

proptest! {
    #[test]
    fn in_any_connected_mesh_everybody_learns_of_everybody(
        parents in prop::collection::vec(any::<prop::sample::Index>(), 5),
        extra in prop::collection::vec((0u8..6, 0u8..6), 0..6),
        steps in prop::collection::vec((0u8..6, 1u64..20), 0..30),
    ) {
        let mut mesh = Mesh::new(6);
        let tree = parents.iter().enumerate().map(|(at, parent)| (at as u8 + 1, parent.index(at + 1) as u8));
        tree.collect::<Vec<_>>().into_iter().for_each(|(a, b)| mesh.link(a, b));
        let mut held = [0u64; 6];
        for (id, more) in steps {
            held[usize::from(id)] += more;
            mesh.tell(id, stored(&[(7, held[usize::from(id)])]));
            mesh.pass(more);
        }
        extra.iter().filter(|(a, b)| a != b).for_each(|(a, b)| mesh.link(*a, *b));
        mesh.pass(20_000);
        for (id, node) in mesh.nodes.iter().enumerate() {
            for sequence in 1..=held[id] {
                let expected: Vec<NodeId> =
                    (0..6u8).filter(|other| held[usize::from(*other)] >= sequence).map(common::node).collect();
                prop_assert_eq!(node.holders(Dot::new(replica(7), sequence)), expected);
            }
            let second = { let mut sorted = held; sorted.sort_unstable(); sorted[4] };
            prop_assert_eq!(node.confirmed(&replica(7)), second.min(held[id]));
        }
    }
}

#[test]
fn the_same_inputs_give_the_same_effects() {
    let trace = || {
        let mut machine = begun();
        let mut effects = run(&mut machine, at(0), up(2));
        effects.extend(run(&mut machine, at(1), up(3)));
        effects.extend(run(&mut machine, at(2), stored(&[(1, 4), (2, 2)])));
        effects.extend(run(
            &mut machine,
            at(3),
            receipt(3, 4, 1, 1, [(replica(1), Tip { ..tip(3) })].into_iter().collect()),
        ));
        effects.extend(wake(&mut machine));
        effects.extend(wake(&mut machine));
        effects
    };
    assert!(trace().len() > 6);
    assert_eq!(trace(), trace());
}
