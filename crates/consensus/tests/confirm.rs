//! When operations are confirmed.

mod common;

use common::*;
use meshwork_base::{Dot, Version};
use meshwork_consensus::{Config, Consensus, Effect, Input, Policy};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn stored(entries: &[(u8, u64)]) -> Input {
    Input::Stored { version: version(entries) }
}

fn observer(count: u16, durable: bool) -> Consensus {
    machine(1, durable, Config { policy: Policy::Count(count), ..Config::default() })
}

/// One row: what happens, and what is confirmed by it, as (replica, from, up to).
type Row<'a> = (Input, &'a [(u8, u64, u64)]);

fn check(machine: &mut Consensus, rows: &[Row<'_>]) {
    for (index, (input, expected)) in rows.iter().enumerate() {
        let effects = run(machine, at(index as u64), input.clone());
        assert_eq!(complaints(&effects), Vec::<String>::new(), "row {index}");
        assert_eq!(confirmations(&effects), *expected, "row {index}: {input:?}");
    }
}

#[test]
fn two_nodes_confirm_once_and_in_order() {
    check(
        &mut observer(2, true),
        &[
            (incarnation(1, 1), &[]),
            (stored(&[(1, 3)]), &[]),
            (receipt(2, 2, 1, 1, version(&[(1, 2)])), &[(1, 1, 2)]),
            (receipt(2, 2, 1, 1, version(&[(1, 2)])), &[]),
            (receipt(3, 3, 1, 1, version(&[(1, 1)])), &[]),
            (receipt(2, 2, 1, 2, version(&[(1, 3)])), &[(1, 3, 3)]),
            // Late: nothing goes backwards.
            (receipt(2, 2, 1, 1, version(&[(1, 2)])), &[]),
            (stored(&[(1, 5), (9, 4)]), &[]),
            (receipt(3, 3, 1, 2, version(&[(1, 9), (9, 4)])), &[(1, 4, 5), (9, 1, 4)]),
        ],
    );
}

#[test]
fn a_node_without_durable_storage_does_not_count_itself() {
    let mut machine = observer(2, false);
    check(
        &mut machine,
        &[
            (stored(&[(1, 3)]), &[]),
            (receipt(2, 2, 1, 1, version(&[(1, 3)])), &[]),
            (receipt(3, 3, 1, 1, version(&[(1, 2)])), &[(1, 1, 2)]),
        ],
    );
    assert_eq!(machine.holders(Dot::new(replica(1), 2)), [node(2), node(3)]);
    assert_eq!(run(&mut machine, at(9), up(2)), []);
    assert!(wake(&mut machine).iter().all(|effect| !matches!(effect, Effect::Confirmed { .. })));
}

#[test]
fn two_sessions_of_a_node_are_one_holder() {
    let mut machine = observer(3, true);
    check(
        &mut machine,
        &[
            (stored(&[(1, 3)]), &[]),
            (receipt(2, 2, 1, 1, version(&[(1, 3)])), &[]),
            (receipt(22, 2, 1, 2, version(&[(1, 3)])), &[]),
            // Another tab of this very node.
            (receipt(11, 1, 9, 1, version(&[(1, 3)])), &[]),
            (receipt(3, 3, 1, 1, version(&[(1, 3)])), &[(1, 1, 3)]),
        ],
    );
    assert_eq!(machine.holders(Dot::new(replica(1), 3)), [node(1), node(2), node(3)]);
}

#[test]
fn a_newer_incarnation_voids_the_older_receipts() {
    let mut machine = observer(2, true);
    let rows: &[Row<'_>] = &[
        (stored(&[(1, 3)]), &[]),
        (receipt(2, 2, 5, 9, version(&[(1, 2)])), &[(1, 1, 2)]),
        // Born again with nothing.
        (receipt(2, 2, 6, 1, Version::default()), &[]),
        (receipt(2, 2, 5, 10, version(&[(1, 3)])), &[]),
    ];
    check(&mut machine, rows);
    assert_eq!(machine.holders(Dot::new(replica(1), 1)), [node(1)]);
    assert!(machine.is_confirmed(Dot::new(replica(1), 2)), "what was confirmed stays so");
    check(&mut machine, &[(receipt(2, 2, 6, 2, version(&[(1, 3)])), &[(1, 3, 3)])]);
}

#[test]
fn promises_about_nothing_wait_for_the_operation() {
    let mut machine = observer(2, true);
    let rows: &[Row<'_>] = &[
        (receipt(2, 2, 1, 1, version(&[(1, u64::MAX)])), &[]),
        (receipt(3, 3, 1, 1, version(&[(1, u64::MAX)])), &[]),
        (stored(&[(1, 1)]), &[(1, 1, 1)]),
    ];
    check(&mut machine, rows);
    assert_eq!(machine.holders(Dot::new(replica(1), 2)), []);
    assert_eq!((machine.confirmed_operations(), machine.is_confirmed(Dot::new(replica(1), 0))), (1, false));
}

#[test]
fn another_chain_under_the_same_sequence_counts_for_nothing() {
    let fork = |sequence| [(replica(1), forked(sequence))].into_iter().collect::<Version>();
    let rows: &[Row<'_>] = &[
        // Known at the tip, and remembered when both chains have grown on.
        (stored(&[(1, 5)]), &[]),
        (receipt(2, 2, 1, 1, fork(5)), &[]),
        (stored(&[(1, 6)]), &[]),
        (receipt(2, 2, 1, 2, fork(9)), &[]),
        (stored(&[(1, 7)]), &[]),
        // A late receipt is compared with the tips that were.
        (receipt(3, 3, 1, 1, fork(6)), &[]),
        // An early one when the sequence is reached.
        (receipt(4, 4, 1, 1, fork(8)), &[(1, 1, 7)]),
        (stored(&[(1, 8)]), &[]),
        // Back on our chain.
        (receipt(2, 2, 1, 3, version(&[(1, 10)])), &[]),
        (stored(&[(1, 10)]), &[(1, 8, 10)]),
    ];
    check(&mut observer(2, true), rows);
}

#[test]
fn at_one_sequence_the_later_word_holds() {
    let fork: Version = [(replica(1), forked(5))].into_iter().collect();
    let rows: &[Row<'_>] = &[
        (stored(&[(1, 5)]), &[]),
        (receipt(2, 2, 1, 1, fork), &[]),
        (receipt(2, 2, 1, 2, version(&[(1, 5)])), &[(1, 1, 5)]),
    ];
    check(&mut observer(2, true), rows);
}

/// What may happen, in small numbers.
#[derive(Clone, Debug)]
enum Happening {
    Stored { replica: u8, more: u64 },
    Receipt { node: u8, epoch: u64, holds: Vec<(u8, u64)> },
    Again { index: usize },
}

fn happening() -> impl Strategy<Value = Happening> {
    let holds = prop::collection::btree_map(1u8..4, 1u64..12, 0..4).prop_map(|map| map.into_iter().collect());
    prop_oneof![
        2 => (1u8..4, 1u64..4).prop_map(|(replica, more)| Happening::Stored { replica, more }),
        4 => (2u8..6, 1u64..3, holds).prop_map(|(node, epoch, holds)| Happening::Receipt { node, epoch, holds }),
        1 => (0usize..40).prop_map(|index| Happening::Again { index }),
    ]
}

/// The rule, word by word: per node the newest epoch that spoke, per replica the highest it said there.
#[derive(Default)]
struct Model {
    stored: BTreeMap<u8, u64>,
    said: BTreeMap<u8, (u64, BTreeMap<u8, u64>)>,
    confirmed: BTreeMap<u8, u64>,
}

impl Model {
    fn say(&mut self, node: u8, epoch: u64, holds: &[(u8, u64)]) {
        let entry = self.said.entry(node).or_insert((epoch, BTreeMap::new()));
        if epoch > entry.0 {
            *entry = (epoch, BTreeMap::new());
        }
        if epoch == entry.0 {
            for (replica, sequence) in holds {
                let held = entry.1.entry(*replica).or_insert(0);
                *held = (*held).max(*sequence);
            }
        }
    }

    fn settle(&mut self, count: usize, durable: bool) {
        for (replica, stored) in &self.stored {
            let holds = |sequence: u64| {
                let others = self
                    .said
                    .values()
                    .filter(|(_, held)| held.get(replica).is_some_and(|to| *to >= sequence));
                others.count() + usize::from(durable) >= count
            };
            let up_to = (1..=*stored).take_while(|sequence| holds(*sequence)).last().unwrap_or(0);
            let confirmed = self.confirmed.entry(*replica).or_insert(0);
            *confirmed = (*confirmed).max(up_to);
        }
    }
}

/// A node, and up to where it holds which replicas.
type Said = (u8, BTreeMap<u8, u64>);

proptest! {
    #[test]
    fn the_frontier_is_what_a_brute_force_count_says(
        count in 1u16..5, durable: bool, happenings in prop::collection::vec(happening(), 0..60),
    ) {
        let (mut machine, mut model) = (observer(count, durable), Model::default());
        let mut sent: Vec<Input> = Vec::new();
        let mut announced: BTreeMap<u8, u64> = BTreeMap::new();
        for (index, happening) in happenings.iter().enumerate() {
            let input = match happening {
                Happening::Stored { replica, more } => {
                    *model.stored.entry(*replica).or_insert(0) += more;
                    stored(&model.stored.iter().map(|(id, to)| (*id, *to)).collect::<Vec<_>>())
                }
                Happening::Receipt { node, epoch, holds } => {
                    model.say(*node, *epoch, holds);
                    sent.push(receipt(*node, *node, *epoch, index as u64, version(holds)));
                    sent[sent.len() - 1].clone()
                }
                Happening::Again { index } => match sent.get(*index) {
                    Some(input) => input.clone(),
                    None => continue,
                },
            };
            model.settle(usize::from(count), durable);
            let effects = run(&mut machine, at(index as u64), input);
            prop_assert_eq!(complaints(&effects), Vec::<String>::new());
            for (replica, from, up_to) in confirmations(&effects) {
                let before = announced.insert(replica, up_to).unwrap_or(0);
                prop_assert!(from == before + 1 && up_to >= from, "{replica}: {before}, then {from} to {up_to}");
            }
            for (id, up_to) in &model.confirmed {
                prop_assert_eq!(machine.confirmed(&replica(*id)), *up_to);
                prop_assert_eq!(announced.get(id).copied().unwrap_or(0), *up_to);
            }
            prop_assert_eq!(machine.confirmed_operations(), model.confirmed.values().sum::<u64>());
        }
    }

    #[test]
    fn the_order_of_one_incarnations_receipts_does_not_matter(
        receipts in prop::collection::vec((2u8..5, prop::collection::btree_map(1u8..4, 1u64..9, 0..4)), 0..20)
            .prop_flat_map(|receipts| {
                let numbered: Vec<_> = receipts.into_iter().enumerate().collect();
                (Just(numbered.clone()), Just(numbered).prop_shuffle())
            }),
    ) {
        let outcome = |receipts: &[(usize, Said)]| {
            let mut machine = observer(2, true);
            run(&mut machine, at(0), stored(&[(1, 9), (2, 9), (3, 9)]));
            for (counter, (node, holds)) in receipts {
                let holds: Vec<_> = holds.iter().map(|(id, to)| (*id, *to)).collect();
                run(&mut machine, at(0), receipt(*node, *node, 1, *counter as u64, version(&holds)));
            }
            let dots = (1u8..4).flat_map(|id| (1u64..9).map(move |sequence| Dot::new(replica(id), sequence)));
            dots.map(|dot| (machine.holders(dot), machine.is_confirmed(dot))).collect::<Vec<_>>()
        };
        prop_assert_eq!(outcome(&receipts.0), outcome(&receipts.1));
    }
}
