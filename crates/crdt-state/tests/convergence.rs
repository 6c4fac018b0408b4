//! Replicas that applied the same operations are in the same state.

#![allow(clippy::unwrap_used, reason = "a failing helper fails the test")]

mod common;

use std::ops::Range;

use common::*;
use meshwork_base::Dot;
use meshwork_crdt_state::{Edit, Effect, Path, Value};
use meshwork_op_log::Operation;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Action {
    Edit { peer: usize, edits: Vec<Edit>, wall_ms: u64 },
    Pull { from: usize, to: usize },
}

fn path(keys: Range<usize>) -> impl Strategy<Value = Path> {
    prop::collection::vec(prop::sample::select(vec!["a", "b"]).prop_map(String::from), keys)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![(0i64..3).prop_map(Value::Int), Just(Value::Null), Just(Value::List(vec![1.into()]))]
}

fn edit() -> impl Strategy<Value = Edit> {
    (path(0..4), value(), 0..9, -3i64..4).prop_map(|(path, value, kind, by)| match kind {
        0 | 1 => Edit::Set { path, value },
        2 => Edit::Assign { path, value },
        3 => Edit::MakeMap { path },
        4 | 5 => Edit::Delete { path },
        6 => Edit::Increment { path, by },
        7 => Edit::Add { path, value },
        _ => Edit::Remove { path, value },
    })
}

fn action() -> impl Strategy<Value = Action> {
    let edit = (0usize..3, prop::collection::vec(edit(), 1..4), 0u64..200_000);
    prop_oneof![
        3 => edit.prop_map(|(peer, edits, wall_ms)| Action::Edit { peer, edits, wall_ms }),
        1 => (0usize..3, 0usize..3).prop_map(|(from, to)| Action::Pull { from, to }),
    ]
}

/// Runs the actions; a transaction that is refused is tried again edit by edit.
fn run(actions: &[Action]) -> [Peer; 3] {
    let mut peers = [Peer::new(1), Peer::new(2), Peer::new(3)];
    for action in actions {
        match action {
            Action::Edit { peer, edits, wall_ms } => {
                let peer = &mut peers[*peer];
                peer.wall_ms = *wall_ms;
                let before = peer.documents.state_hash();
                let document = peer.documents.document(&id()).cloned();
                if peer.try_edit(edits.clone()).is_err() {
                    assert_eq!(peer.documents.state_hash(), before, "a refused transaction left a trace");
                    assert!(peer.documents.document(&id()) == document.as_ref(), "left a trace");
                    for edit in edits {
                        let _ = peer.try_edit(vec![edit.clone()]);
                    }
                }
            }
            Action::Pull { from, to } => {
                let log = peers[*from].log.clone();
                let effects = peers[*to].deliver(&log);
                assert!(
                    !effects.iter().any(|effect| matches!(effect, Effect::Invalid { .. })),
                    "{effects:?}"
                );
            }
        }
    }
    peers
}

/// The operations in another causal order, chosen by `choices`.
fn reordered(operations: &[Operation], choices: &[usize]) -> Vec<Operation> {
    let mut waiting = operations.to_vec();
    let mut done: Vec<Dot> = Vec::new();
    let mut order = Vec::new();
    let mut choices = choices.iter().cycle();
    while !waiting.is_empty() {
        let is_ready = |operation: &Operation| {
            let Dot { replica, sequence } = operation.dot;
            let before = (sequence > 1).then(|| Dot::new(replica, sequence - 1));
            operation.dependencies.iter().copied().chain(before).all(|dot| done.contains(&dot))
        };
        let ready: Vec<_> = (0..waiting.len()).filter(|at| is_ready(&waiting[*at])).collect();
        let operation = waiting.remove(ready[choices.next().unwrap() % ready.len()]);
        done.push(operation.dot);
        order.push(operation);
    }
    order
}

/// A write below a map wins over a value that was put in the map's place concurrently, though that value's clock is
/// ahead of the writer's.
#[test]
fn a_later_write_below_a_map_wins_over_a_value_from_the_future() {
    let mut peers = [0, 1, 2].map(Peer::new);
    let set = |path: &[&str]| Edit::set(path.iter().copied(), 0);
    peers[2].wall_ms = 151_023;
    peers[2].edit([set(&["b", "b"])]);
    peers[0].wall_ms = 61_001;
    peers[0].edit([set(&["b"])]);
    exchange(&mut peers);
    peers[1].wall_ms = 0;
    peers[1].edit([set(&["b", "b"])]);
    assert_eq!(exchange(&mut peers), serde_json::json!({ "b": { "b": 0 } }));
    assert!(peers[0].documents.document(&id()).unwrap().conflicts(&["b"]).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_causal_order_gives_the_same_state(
        actions in prop::collection::vec(action(), 1..40),
        choices in prop::collection::vec(any::<usize>(), 1..50),
        batch in 1usize..9,
    ) {
        let mut peers = run(&actions);
        let shown = exchange(&mut peers);
        let mut reader = Peer::new(9);
        for operations in reordered(&peers[0].log, &choices).chunks(batch) {
            reader.deliver(operations);
            reader.deliver(operations);
        }
        prop_assert_eq!(reader.json(), shown);
        prop_assert_eq!(reader.documents.state_hash(), peers[0].documents.state_hash());
    }

    /// Whoever has seen everything and then sets, has the last word.
    #[test]
    fn a_later_write_wins(
        actions in prop::collection::vec(action(), 1..30), path in path(1..4), value in value(), assign: bool,
    ) {
        let mut peers = run(&actions);
        exchange(&mut peers);
        peers[1].wall_ms = 0;
        let (to, what) = (path.clone(), value.clone());
        let last = if assign { Edit::Assign { path: to, value: what } } else { Edit::Set { path: to, value: what } };
        // Where something other than a map is in the way, it goes first.
        if peers[1].try_edit(vec![last.clone()]).is_err() {
            peers[1].edit([Edit::Delete { path: path[..1].to_vec() }, last]);
        }
        exchange(&mut peers);
        let document = peers[2].documents.document(&id()).unwrap();
        prop_assert_eq!(document.get(&path).and_then(|view| view.value().cloned()), Some(value));
        prop_assert!(document.conflicts(&path).is_empty());
    }

    /// Whoever has seen everything and deletes everything leaves nothing to be seen.
    #[test]
    fn a_later_delete_is_complete(actions in prop::collection::vec(action(), 1..30)) {
        let mut peers = run(&actions);
        exchange(&mut peers);
        peers[0].edit([delete("")]);
        prop_assert_eq!(exchange(&mut peers), serde_json::json!({}));
    }
}
