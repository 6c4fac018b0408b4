//! Our sets against `crdts::Orswot`: the same adds and removals, seen in the same order.

#![allow(clippy::unwrap_used, reason = "a failing helper fails the test")]

mod common;

use common::*;
use crdts::{CmRDT, Orswot, orswot::Op};
use meshwork_base::Dot;
use meshwork_crdt_state::View;
use meshwork_op_log::Operation;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Action {
    Add(usize, i64),
    Remove(usize, i64),
    Pull(usize, usize),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        (0usize..3, 0i64..4).prop_map(|(peer, element)| Action::Add(peer, element)),
        (0usize..3, 0i64..4).prop_map(|(peer, element)| Action::Remove(peer, element)),
        (0usize..3, 0usize..3).prop_map(|(from, to)| Action::Pull(from, to)),
    ]
}

fn ours(peer: &Peer) -> Vec<i64> {
    let shown = peer.json();
    let elements = shown.get("s").and_then(|set| set.as_array()).cloned().unwrap_or_default();
    elements.iter().map(|element| element.as_i64().unwrap()).collect()
}

fn theirs(set: &Orswot<i64, u8>) -> Vec<i64> {
    let mut elements: Vec<_> = set.read().val.into_iter().collect();
    elements.sort_unstable();
    elements
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn sets_agree_with_the_oracle(actions in prop::collection::vec(action(), 1..60)) {
        let mut peers = [Peer::new(1), Peer::new(2), Peer::new(3)];
        let mut oracles: [Orswot<i64, u8>; 3] = Default::default();
        let mut twins: BTreeMap<Dot, Op<i64, u8>> = BTreeMap::new();
        let everywhere = (0..3).flat_map(|from| (0..3).map(move |to| Action::Pull(from, to)));
        for action in actions.into_iter().chain(everywhere.clone()).chain(everywhere) {
            match action {
                Action::Add(peer, element) => {
                    let oracle = &mut oracles[peer];
                    let op = oracle.add(element, oracle.read_ctx().derive_add_ctx(peer as u8));
                    oracle.apply(op.clone());
                    twins.insert(peers[peer].edit([add("s", element)]).dot, op);
                }
                Action::Remove(peer, element) => {
                    let oracle = &mut oracles[peer];
                    let op = oracle.rm(element, oracle.contains(&element).derive_rm_ctx());
                    oracle.apply(op.clone());
                    twins.insert(peers[peer].edit([remove("s", element)]).dot, op);
                }
                Action::Pull(from, to) => {
                    let known: Vec<Dot> = peers[to].log.iter().map(|operation| operation.dot).collect();
                    let is_new = |operation: &&Operation| !known.contains(&operation.dot);
                    let missing: Vec<_> = peers[from].log.iter().filter(is_new).cloned().collect();
                    peers[to].deliver(&missing);
                    missing.iter().for_each(|operation| oracles[to].apply(twins[&operation.dot].clone()));
                }
            }
            for (peer, oracle) in peers.iter().zip(&oracles) {
                prop_assert_eq!(ours(peer), theirs(oracle));
            }
        }
        let document = peers[0].documents.document(&id());
        prop_assert!(document.is_none_or(|document| !matches!(document.get(&["s"]), Some(View::Map(_)))));
    }
}
