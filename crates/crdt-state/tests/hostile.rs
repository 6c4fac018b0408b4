//! Bodies that nobody's correct software writes: refused as a whole, by everybody alike, without a panic.

#![allow(clippy::unwrap_used, reason = "a failing helper fails the test")]

mod common;

use common::*;
use meshwork_base::{Dot, NodeId};
use meshwork_crdt_state::{Effect, Value};
use meshwork_wire::encode;
use proptest::prelude::*;
use serde::Serialize;

type Runs = Vec<(u32, u64, u64)>;
const SET: u8 = 0;
const MAKE_MAP: u8 = 2;
const RESET: u8 = 4;
const INCREMENT: u8 = 5;
const ADD: u8 = 6;
const NO_RUNS: Runs = Vec::new();

/// A body of format 1 that names `others`.
fn body(others: &[u8], mutations: &[Vec<u8>]) -> Vec<u8> {
    let others: Vec<_> = others.iter().copied().map(replica).collect();
    [vec![1], encode(&others).unwrap(), mutations.concat()].concat()
}

fn mutation(kind: u8, content: impl Serialize, kept: u64, keys: &[&str]) -> Vec<u8> {
    [vec![kind], encode(&(content, kept, keys)).unwrap()].concat()
}

fn set_to(value: &Value, runs: Runs) -> Vec<u8> {
    mutation(SET, (value, runs), 0, &["x"])
}

/// A reader that knows three operations of replica 1, and an operation of replica 2 that declares two of them.
fn outcome(body: Vec<u8>) -> (Peer, Effect) {
    let mut author = Peer::new(1);
    let mut reader = Peer::new(9);
    for value in 0..3 {
        author.edit([set("x", value)]);
    }
    reader.pull(&author);
    let mut effects = reader.deliver(&[forged(2, 1, vec![Dot::new(replica(1), 2)], body)]);
    assert_eq!(effects.len(), 1);
    (reader, effects.remove(0))
}

#[test]
fn nonsense_is_charged_to_the_author_and_applied_as_nothing() {
    let one = Value::Int(1);
    let valid = set_to(&one, vec![]);
    let deep = [&[SET][..], &[7, 1].repeat(200_000), &[0, 0, 0, 0]].concat();
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("the body has no format", vec![0, 0]),
        ("malformed", vec![1]),
        ("a replica is listed twice", body(&[1, 1], &[])),
        ("malformed", body(&[], &[vec![SET]])),
        ("a value nests too deep", body(&[], &[deep])),
        ("the root is not a map", body(&[], &[mutation(SET, (&one, NO_RUNS), 0, &[])])),
        ("the root is not a map", body(&[], &[mutation(INCREMENT, 1i64, 0, &[])])),
        ("a path continues", body(&[], &[valid.clone(), mutation(SET, (&one, NO_RUNS), 2, &["x"])])),
        ("it nests too deep", body(&[], &[mutation(SET, (&one, NO_RUNS), 0, &["x"; 129])])),
        ("it nests too deep", body(&[], &[mutation(SET, (Value::List(vec![]), NO_RUNS), 0, &["x"; 128])])),
        ("a key is too long", body(&[], &[mutation(SET, (&one, NO_RUNS), 0, &[&"k".repeat(1025)])])),
        ("a value has a kind", body(&[], &[set_to(&Value::Map(vec![]), vec![])])),
        ("a value has a kind", body(&[], &[mutation(ADD, (Value::List(vec![]), NO_RUNS), 0, &["x"])])),
        ("a number is not one", body(&[], &[set_to(&Value::List(vec![Value::Number("1x".into())]), vec![])])),
        ("a replica is not listed", body(&[1], &[set_to(&one, vec![(1, 1, 0)])])),
        (
            "a replica is not listed",
            body(&[], &[mutation(RESET, vec![(0u32, (1u64, 1u32), 1i128)], 0, &["x"])]),
        ),
        ("runs of dots", body(&[1], &[set_to(&one, vec![(0, 0, 0)])])),
        ("runs of dots", body(&[1, 2], &[set_to(&one, vec![(1, 1, 0), (0, 1, 0)])])),
        ("runs of dots", body(&[1], &[set_to(&one, vec![(0, 1, u64::MAX)])])),
        ("malformed", body(&[], &[valid.clone(), set_to(&one, vec![])[..5].to_vec()])),
    ];
    let (unharmed, _) = outcome(vec![1, 0]);
    for (expected, body) in table {
        let (reader, effect) = outcome(body);
        let Effect::Invalid { dot, author, reason } = effect else { panic!("{expected}: {effect:?}") };
        assert_eq!((dot, author), (Dot::new(replica(2), 1), NodeId([2; 32])));
        assert!(reason.contains(expected), "{reason} instead of {expected}");
        assert_eq!(reader.documents.state_hash(), unharmed.documents.state_hash(), "{expected}");
        assert_eq!(reader.documents.applied_version().sequence(&replica(2)), 1);
    }
}

/// The reader's `x` was last written by operation 3 of replica 1; replica 2 declared to have seen two of them.
#[test]
fn only_what_was_declared_is_removed() {
    let removals: [(&[u8], Runs); 4] =
        [(&[1], vec![(0, 1, 1)]), (&[1], vec![(0, 3, 0)]), (&[1], vec![(0, 1, 2)]), (&[3], vec![(0, 1, 0)])];
    for (listed, runs) in removals {
        let (reader, effect) = outcome(body(listed, &[set_to(&"y".into(), runs)]));
        assert!(matches!(effect, Effect::Changed { .. }), "{effect:?}");
        let document = reader.documents.document(&id()).unwrap();
        assert_eq!(document.conflicts(&["x"]).len(), 2);
    }
    let mut author = Peer::new(1);
    let first = author.edit([set("x", 1)]);
    let removal = body(&[1], &[set_to(&"y".into(), vec![(0, 1, 5)])]);
    author.deliver(&[forged(2, 1, vec![first.dot], removal)]);
    assert_eq!(author.json(), serde_json::json!({"x": "y"}));
    let (_, effect) = outcome(body(&[], &[mutation(MAKE_MAP, NO_RUNS, 0, &[])]));
    assert!(matches!(effect, Effect::Changed { .. }), "{effect:?}");
}

#[test]
fn what_is_newer_is_pending() {
    let valid = set_to(&Value::Int(1), vec![]);
    let (unharmed, _) = outcome(vec![1, 0]);
    for newer in [vec![2], vec![255, 1, 2, 3], body(&[], &[valid, vec![8, 1, 2, 3]])] {
        let (mut reader, effect) = outcome(newer);
        assert_eq!(effect, Effect::Pending { dot: Dot::new(replica(2), 1) });
        assert_eq!(reader.documents.state_hash(), unharmed.documents.state_hash());
        // It counts as seen.
        assert!(reader.edit([]).dependencies.contains(&Dot::new(replica(2), 1)));
    }
}

#[test]
fn resets_that_lie_about_totals_converge() {
    let count = |total: i128| mutation(RESET, vec![(0u32, (1u64, 1u32), total)], 0, &["n"]);
    let mut author = Peer::new(1);
    let counted = author.edit([increment("n", 5)]);
    let later = author.edit([increment("n", 2)]);
    let deps = vec![counted.dot];
    let lies = [(2, i128::MIN), (3, i128::MAX), (4, 7)];
    let lies = lies.map(|(who, total)| forged(who, 1, deps.clone(), body(&[1], &[count(total)])));
    let mut orders = [Peer::new(7), Peer::new(8)];
    orders[0].deliver(&[counted.clone(), later.clone()]);
    orders[0].deliver(&lies);
    orders[1].deliver(&[counted]);
    lies.iter().rev().for_each(|lie| drop(orders[1].deliver(std::slice::from_ref(lie))));
    orders[1].deliver(&[later]);
    exchange(&mut orders);
}

/// What the log does when its replica is retired: the operations leave again under another replica's dots.
#[test]
fn operations_issued_again_keep_their_content() {
    let mut author = Peer::new(1);
    let kept = author.edit([set("x", 1), increment("n", 1)]);
    let cut = [author.edit([set("x", 2), delete("n")]), author.edit([set("x", 3), set("y", 4)])];
    let again = (1..).zip(cut).map(|(sequence, operation)| {
        let mut again = forged(5, sequence, vec![kept.dot], operation.body.to_vec());
        again.time = operation.time;
        again
    });
    let mut reader = Peer::new(9);
    reader.deliver(std::slice::from_ref(&kept));
    let effects = reader.deliver(&again.collect::<Vec<_>>());
    assert!(matches!(effects[..], [Effect::Changed { .. }]), "{effects:?}");
    assert_eq!(reader.json(), serde_json::json!({"x": 3, "y": 4}));
}

proptest! {
    #[test]
    fn any_bytes_are_judged_without_a_panic(format in 0u8..3, bytes: Vec<u8>) {
        outcome([vec![format], bytes].concat());
    }

    #[test]
    fn damaged_bodies_are_judged_without_a_panic(damage in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4)) {
        let mut peer = Peer::new(1);
        peer.edit([set("m/a", "x"), add("m/s", 1), increment("m/n", 3), make_map("m/e")]);
        let operation = peer.edit([delete("m/a"), remove("m/s", 1), set("m", Value::List(vec![1.into(), 2.5.into()]))]);
        let mut bytes = operation.body.to_vec();
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        outcome(bytes);
    }
}
