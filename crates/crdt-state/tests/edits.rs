//! What each edit does on one replica, and which edits are refused.

mod common;

use common::*;
use meshwork_crdt_state::{DEPTH_MAX, Edit, EditError, KEY_BYTES_MAX, Kind, Value, View};
use serde_json::json;

/// Transactions in order, and the document after them.
type Row = (&'static str, Vec<Vec<Edit>>, serde_json::Value);

#[test]
fn edits_of_one_replica() {
    let table: Vec<Row> = vec![
        ("set", vec![vec![set("a", 1)]], json!({"a": 1})),
        ("set again", vec![vec![set("a", 1)], vec![set("a", "x")]], json!({"a": "x"})),
        ("set twice in one transaction", vec![vec![set("a", 1), set("a", 2)]], json!({"a": 2})),
        ("set below makes maps", vec![vec![set("a/b/c", true)]], json!({"a": {"b": {"c": true}}})),
        ("set over a map", vec![vec![set("a/b", 1)], vec![set("a", 2)]], json!({"a": 2})),
        ("assign", vec![vec![assign("a", 1)], vec![assign("a", 2)]], json!({"a": 2})),
        (
            "an empty map stays",
            vec![vec![make_map("a"), set("a/b", 1)], vec![delete("a/b")]],
            json!({"a": {}}),
        ),
        ("an implicit map goes", vec![vec![set("a/b", 1)], vec![delete("a/b")]], json!({})),
        ("a map over a map keeps it", vec![vec![set("a/b", 1)], vec![make_map("a")]], json!({"a": {"b": 1}})),
        ("a map over a value", vec![vec![set("a", 1)], vec![make_map("a")]], json!({"a": {}})),
        ("a map over a counter", vec![vec![increment("a", 1)], vec![make_map("a")]], json!({"a": {}})),
        (
            "delete a subtree",
            vec![vec![set("a/b", 1), increment("a/n", 2), add("a/s", 1)], vec![delete("a")]],
            json!({}),
        ),
        ("delete everything", vec![vec![set("a", 1), make_map("b")], vec![delete("")]], json!({})),
        ("delete nothing", vec![vec![delete("a/b")]], json!({})),
        (
            "delete in its own transaction",
            vec![vec![set("a/b", 1), delete("a"), set("a/c", 2)]],
            json!({"a": {"c": 2}}),
        ),
        ("count", vec![vec![increment("n", 5)], vec![increment("n", -7)]], json!({"n": -2})),
        ("a counter at zero is there", vec![vec![increment("n", 1), increment("n", -1)]], json!({"n": 0})),
        (
            "a deleted counter starts anew",
            vec![vec![increment("n", 5)], vec![delete("n")], vec![increment("n", 1)]],
            json!({"n": 1}),
        ),
        (
            "reset within a transaction",
            vec![vec![increment("n", 5), delete("n"), increment("n", 2)]],
            json!({"n": 2}),
        ),
        ("set over a counter", vec![vec![increment("n", 5)], vec![set("n", "x")]], json!({"n": "x"})),
        ("a set is sorted", vec![vec![add("s", 2), add("s", 1), add("s", 2)]], json!({"s": [1, 2]})),
        (
            "remove from a set",
            vec![vec![add("s", 2), add("s", 1)], vec![remove("s", 2), remove("s", 9)]],
            json!({"s": [1]}),
        ),
        ("an empty set is gone", vec![vec![add("s", 1)], vec![remove("s", 1)]], json!({})),
        ("remove from nothing", vec![vec![remove("s", 1)]], json!({})),
        ("the root can be made a map", vec![vec![make_map("")]], json!({})),
        ("no edits", vec![vec![]], json!({})),
    ];
    for (name, transactions, expected) in table {
        let mut peer = Peer::new(1);
        for edits in transactions {
            peer.try_edit(edits).unwrap();
        }
        assert_eq!(peer.json(), expected, "{name}");
        let mut other = Peer::new(2);
        other.pull(&peer);
        assert_eq!(other.documents.state_hash(), peer.documents.state_hash(), "{name}, elsewhere");
    }
}

#[test]
fn refused_edits_change_nothing_and_say_why() {
    let nest = |levels| (0..levels).fold(Value::Null, |value, _| Value::List(vec![value]));
    let map = Value::Map(vec![]);
    let long = "k".repeat(KEY_BYTES_MAX + 1);
    let table: Vec<(Edit, EditError)> = vec![
        (set("", 1), EditError::Root),
        (increment("", 1), EditError::Root),
        (set("text/below", 1), EditError::NotAMap { path: path("text"), found: Kind::Register }),
        (delete("count/below"), EditError::NotAMap { path: path("count"), found: Kind::Counter }),
        (make_map("deep/tags/x/y"), EditError::NotAMap { path: path("deep/tags"), found: Kind::Set }),
        (
            increment("text", 1),
            EditError::WrongKind { path: path("text"), found: Kind::Register, needed: Kind::Counter },
        ),
        (
            add("count", 1),
            EditError::WrongKind { path: path("count"), found: Kind::Counter, needed: Kind::Set },
        ),
        (remove("deep", 1), EditError::WrongKind { path: path("deep"), found: Kind::Map, needed: Kind::Set }),
        (increment("count", i64::MAX), EditError::CounterOverflow { path: path("count"), by: i64::MAX }),
        (add("deep/tags", nest(1)), EditError::NotScalar { path: path("deep/tags") }),
        (set("a", map.clone()), EditError::MapAsValue { path: path("a") }),
        (
            set("a", Value::Number("0x1".into())),
            EditError::NotANumber { path: path("a"), text: "0x1".into() },
        ),
        (set("a", nest(DEPTH_MAX)), EditError::TooDeep { path: path("a"), depth: 129, max: 128 }),
        (
            make_map(&["x"; DEPTH_MAX + 1].join("/")),
            EditError::TooDeep { path: path(&["x"; 129].join("/")), depth: 129, max: 128 },
        ),
        (set(&long, 1), EditError::KeyTooLong { path: path(&long), bytes: 1025, max: 1024 }),
        (set("a", "x".repeat(1 << 20)), EditError::TooLarge { max: 1 << 20 }),
        (set("a", "x".repeat(1 << 21)), EditError::TooLarge { max: 1 << 20 }),
    ];
    let mut peer = Peer::new(1);
    peer.edit([set("text", "x"), increment("count", 1), add("deep/tags", 1), make_map("deep")]);
    let before = peer.documents.state_hash();
    for (edit, error) in table {
        assert_eq!(peer.try_edit(vec![edit.clone()]), Err(error.clone()));
        // Also when much happened before it in the same transaction.
        let mut edits = vec![set("new/a", 1), delete("deep/tags"), increment("count", 3), set("new/a", 2)];
        edits.extend([make_map("new"), make_map("text"), delete("new"), set("count", 1), delete("")]);
        edits.extend([set("text", "x"), increment("count", 1), add("deep/tags", 1), add("deep/tags", 2)]);
        edits.extend([remove("deep/tags", 1), edit]);
        assert_eq!(peer.try_edit(edits), Err(error));
        assert_eq!(peer.documents.state_hash(), before);
    }
    assert_eq!(peer.edit([]).dot.sequence, 2);
}

#[test]
fn the_deepest_and_the_largest_pass() {
    let mut peer = Peer::new(1);
    let deep = ["x"; DEPTH_MAX].join("/");
    let nested = (0..DEPTH_MAX - 1).fold(Value::Null, |value, _| Value::List(vec![value]));
    peer.edit([set(&deep, 1), set("nested", nested), set(&"k".repeat(KEY_BYTES_MAX), 1)]);
    peer.edit([set("large", "x".repeat((1 << 20) - 40))]);
    let mut other = Peer::new(2);
    other.pull(&peer);
    assert_eq!(other.json(), peer.json());
}

#[test]
fn errors_name_the_path_and_what_to_do() {
    let mut peer = Peer::new(1);
    peer.edit([set("users/ada", "x")]);
    let message = |edit| Peer::try_edit(&mut peer, vec![edit]).unwrap_err().to_string();
    let messages = [increment("users/ada", 1), set("users/ada/age", 1)].map(message);
    assert_eq!(messages[0], "`/users/ada` is a value, not a counter: delete it first, or use another path");
    assert_eq!(
        messages[1],
        "`/users/ada` is a value, so nothing lives below it: replace it with a map first"
    );
}

#[test]
fn views_show_each_kind() {
    let mut peer = Peer::new(1);
    peer.edit([set("map/value", 7), increment("map/count", 3), add("map/set", "b"), add("map/set", "a")]);
    let document = peer.documents.document(&id()).unwrap();
    let kinds = document.root().get("map").map(|view| view.kind());
    assert_eq!(kinds, Some(Kind::Map));
    let Some(View::Map(map)) = document.get(&["map"]) else { panic!("no map") };
    assert_eq!(map.keys().collect::<Vec<_>>(), ["count", "set", "value"]);
    assert_eq!(map.entries().count(), 3);
    assert_eq!(document.get(&["map", "value"]).and_then(|view| view.value().cloned()), Some(Value::Int(7)));
    assert!(matches!(document.get(&["map", "count"]), Some(View::Counter(3))));
    let Some(View::Set(set)) = document.get(&path("map/set")) else { panic!("no set") };
    assert!(set.contains(&"a".into()) && !set.contains(&"c".into()) && set.elements().len() == 2);
    assert!(document.get(&["map", "none"]).is_none() && document.get(&["map", "value", "x"]).is_none());
    assert!(matches!(document.get::<&str>(&[]), Some(View::Map(_))));
    assert_eq!(document.to_json_at(&["map", "set"]), Some(json!(["a", "b"])));
}

/// Equal in every respect, not only in what is shown or hashed.
#[test]
fn a_refused_edit_leaves_the_very_same_document() {
    let undone = [
        Edit::make_map(["plain"]),
        Edit::make_map(["new"]),
        Edit::increment(["plain"], 1),
        Edit::increment(["new"], 1),
        Edit::add(["new"], 1),
        Edit::set(["new", "below"], 1),
        Edit::remove(["set"], 1),
        Edit::delete(["map"]),
        Edit::delete::<&str>([]),
    ];
    for edit in undone {
        let mut peer = Peer::new(1);
        peer.edit([set("plain", 1), add("set", 1), set("map/x", 1)]);
        let before = peer.documents.document(&id()).unwrap().clone();
        let text = format!("{edit:?}");
        peer.try_edit(vec![edit, Edit::set::<&str>([], 1)]).unwrap_err();
        assert_eq!(peer.documents.document(&id()), Some(&before), "{text}");
    }
}
