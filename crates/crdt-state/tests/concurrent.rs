//! How concurrent edits meet.

#![allow(clippy::unwrap_used, reason = "a failing helper fails the test")]

mod common;

use common::*;
use meshwork_crdt_state::{Edit, Kind, View};
use serde_json::{Value as Json, json};

/// What both share, then what each does without the other, and what both show in the end. B writes later.
type Row = (&'static str, Vec<Edit>, Vec<Edit>, Vec<Edit>, Json);

fn meet(shared: Vec<Edit>, a: Vec<Edit>, b: Vec<Edit>) -> ([Peer; 2], Json) {
    let mut peers = [Peer::new(1), Peer::new(2)];
    peers[0].try_edit(shared).unwrap();
    let [first, second] = &mut peers;
    second.pull(first);
    (first.wall_ms, second.wall_ms) = (2_000, 3_000);
    first.try_edit(a).unwrap();
    second.try_edit(b).unwrap();
    let shown = exchange(&mut peers);
    (peers, shown)
}

#[test]
fn two_replicas_meet() {
    let table: Vec<Row> = vec![
        ("the later value wins", vec![], vec![set("a", 1)], vec![set("a", 2)], json!({"a": 2})),
        (
            "both create one map",
            vec![],
            vec![set("u/ada/x", 1)],
            vec![set("u/ada/y", 2)],
            json!({"u": {"ada": {"x": 1, "y": 2}}}),
        ),
        ("both make one map", vec![], vec![make_map("m")], vec![make_map("m")], json!({"m": {}})),
        (
            "a set survives a removal",
            vec![set("a", 1)],
            vec![set("a", 2)],
            vec![delete("a")],
            json!({"a": 2}),
        ),
        (
            "a child survives the removal of its map",
            vec![make_map("m"), set("m/a", 1)],
            vec![set("m/b", 2)],
            vec![delete("m")],
            json!({"m": {"b": 2}}),
        ),
        (
            "a map made again survives its removal",
            vec![make_map("m")],
            vec![make_map("m")],
            vec![delete("m")],
            json!({"m": {}}),
        ),
        (
            "a value over a map hides a concurrent child",
            vec![set("m/a", 1)],
            vec![set("m/b", 2)],
            vec![set("m", 3)],
            json!({"m": 3}),
        ),
        (
            "a later child hides a value over the map",
            vec![set("m/a", 1)],
            vec![set("m", 3)],
            vec![set("m/b", 2)],
            json!({"m": {"b": 2}}),
        ),
        (
            "increments add up",
            vec![increment("n", 1)],
            vec![increment("n", 10)],
            vec![increment("n", 100)],
            json!({"n": 111}),
        ),
        (
            "an increment survives a reset",
            vec![increment("n", 1)],
            vec![increment("n", 10)],
            vec![delete("n")],
            json!({"n": 10}),
        ),
        (
            "two resets take once",
            vec![increment("n", 1)],
            vec![delete("n"), increment("n", 10)],
            vec![delete("n"), increment("n", 100)],
            json!({"n": 110}),
        ),
        (
            "two resets leave nothing",
            vec![increment("n", 1)],
            vec![delete("n")],
            vec![delete("n")],
            json!({}),
        ),
        (
            "an add survives a removal",
            vec![add("s", 1)],
            vec![add("s", 1)],
            vec![remove("s", 1)],
            json!({"s": [1]}),
        ),
        (
            "an add survives the deletion of the set",
            vec![add("s", 1)],
            vec![add("s", 2)],
            vec![delete("s")],
            json!({"s": [2]}),
        ),
        (
            "kinds: the later write shows",
            vec![],
            vec![increment("x", 1)],
            vec![add("x", 1)],
            json!({"x": [1]}),
        ),
        (
            "delete everything, add something",
            vec![set("a", 1), set("b/c", 2)],
            vec![delete("")],
            vec![set("b/d", 3)],
            json!({"b": {"d": 3}}),
        ),
    ];
    for (name, shared, a, b, expected) in table {
        assert_eq!(meet(shared, a, b).1, expected, "{name}");
    }
}

#[test]
fn losers_are_listed_and_assigned_losers_are_not() {
    let document = |peers: &[Peer; 2]| peers[0].documents.document(&id()).unwrap().clone();
    let values = |edits: [Edit; 2]| {
        let [a, b] = edits;
        let (peers, _) = meet(vec![], vec![a], vec![b]);
        let document = document(&peers);
        let values = document.conflicts(&["x"]).into_iter().map(|one| one.view.value().cloned().unwrap());
        values.collect::<Vec<_>>()
    };
    assert_eq!(values([set("x", 1), set("x", 2)]), [2.into(), 1.into()]);
    assert_eq!(values([assign("x", 1), set("x", 2)]), []);
    assert_eq!(values([set("x", 1), assign("x", 2)]), [2.into(), 1.into()]);

    let (mut peers, shown) = meet(vec![], vec![set("x", 1)], vec![increment("x", 5)]);
    assert_eq!(shown, json!({"x": 5}));
    let document = document(&peers);
    let found: Vec<_> =
        document.conflicts(&["x"]).iter().map(|one| (one.view.kind(), one.dot().replica)).collect();
    assert_eq!(found, [(Kind::Counter, replica(2)), (Kind::Register, replica(1))]);

    // Whoever writes next settles it.
    peers[0].edit([set("x", 9)]);
    assert_eq!(exchange(&mut peers), json!({"x": 9}));
    let settled = peers[1].documents.document(&id()).unwrap();
    assert!(settled.conflicts(&["x"]).is_empty() && matches!(settled.get(&["x"]), Some(View::Register(_))));
}

#[test]
fn a_causally_later_write_wins_against_any_clock() {
    let mut peers = [Peer::new(1), Peer::new(2)];
    let [a, b] = &mut peers;
    a.wall_ms = 1_000_000_000;
    a.edit([set("x", "from the future"), assign("y", "from the future"), set("m/z", 1)]);
    b.pull(a);
    b.edit([set("x", "later"), assign("y", "later"), set("m", "later")]);
    assert_eq!(exchange(&mut peers), json!({"x": "later", "y": "later", "m": "later"}));
}

/// The shortest case in which `crdts::Map<_, MVReg>` does not converge, every operation being valid: A sets 2, which B
/// sees; B removes, sets 4, removes; A or C sets 7 at the same time; all exchange everything.
#[test]
fn the_counterexample_to_crdts_map_converges() {
    for concurrent in [0, 2] {
        for later in [1_000, 9_000] {
            let mut peers = [Peer::new(1), Peer::new(2), Peer::new(3)];
            peers[0].edit([set("k", 2)]);
            let log = peers[0].log.clone();
            peers[1].deliver(&log);
            peers[1].edit([delete("k")]);
            peers[1].edit([set("k", 4)]);
            peers[1].edit([delete("k")]);
            peers[concurrent].wall_ms = later;
            peers[concurrent].edit([set("k", 7)]);
            assert_eq!(exchange(&mut peers), json!({"k": 7}));
            let document = peers[0].documents.document(&id()).unwrap();
            assert!(document.conflicts(&["k"]).is_empty());
        }
    }
}
