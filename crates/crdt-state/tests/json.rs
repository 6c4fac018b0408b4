//! JSON in and out, digit by digit.

#![allow(clippy::unwrap_used, reason = "a failing helper fails the test")]

mod common;

use common::*;
use meshwork_base::Bytes;
use meshwork_crdt_state::{Edit, Value, edits_from_json};
use meshwork_wire::{decode, encode};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// Imports into one replica in batches, and shows it as another one sees it.
fn through_a_document(json: &Json, batch: usize) -> Json {
    let mut author = Peer::new(1);
    for edits in edits_from_json(json, &[]).chunks(batch) {
        author.try_edit(edits.to_vec()).unwrap();
    }
    let mut reader = Peer::new(2);
    reader.pull(&author);
    assert_eq!(reader.json(), author.json());
    reader.json()
}

fn number() -> impl Strategy<Value = Json> {
    let text = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u128>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| format!("{number:?}")),
        r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?",
    ];
    text.prop_map(|text| serde_json::from_str(&text).unwrap())
}

fn json_value() -> impl Strategy<Value = Json> {
    let scalar = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        number(),
        any::<String>().prop_map(Json::from),
    ];
    scalar.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_object_round_trips(
        entries in prop::collection::btree_map(any::<String>(), json_value(), 0..6),
        batch in 1usize..20,
    ) {
        let json = Json::Object(entries.into_iter().collect());
        prop_assert_eq!(&through_a_document(&json, batch), &json);
        prop_assert_eq!(through_a_document(&json, batch).to_string(), json.to_string());
    }

    #[test]
    fn values_round_trip_on_the_wire_and_as_json(json in json_value()) {
        let value = Value::from(&json);
        prop_assert_eq!(&decode::<Value>(&encode(&value).unwrap()).unwrap(), &value);
        prop_assert_eq!(&serde_json::from_str::<Value>(&serde_json::to_string(&value).unwrap()).unwrap(), &value);
        prop_assert_eq!(Json::from(&value), json);
    }
}

#[test]
fn the_awkward_ones_round_trip() {
    let texts = [
        r#"{"a":1.0,"b":1,"c":1.00,"d":-0.0,"e":-0,"f":0,"g":1e400,"h":1E5,"i":1e5,"j":100000.0}"#,
        r#"{"a":9223372036854775807,"b":9223372036854775808,"c":-9223372036854775808,"d":18446744073709551616}"#,
        r#"{"a":0.1,"b":0.10,"c":0.1000000000000000055511151231257827,"d":5e-324,"e":1e-400}"#,
        r#"{"":{"":{"":""}},"a":{},"b":[],"c":[{}],"d":[[],{"x":[{"y":{}}]}]}"#,
        r#"{"ключ":"значение","🦀":"\u0000\n\"\\","a/b":1,"~":2,"$bytes":"AAAA"}"#,
        r#"{"b":{"$bytes":"AAAA"},"c":[{"$bytes":"AAAA"},{"$bytes":"no base64"}]}"#,
        "{}",
    ];
    for text in texts {
        let json: Json = serde_json::from_str(text).unwrap();
        assert_eq!(through_a_document(&json, 3), json, "{text}");
    }
}

#[test]
fn nesting_up_to_the_limit_round_trips() {
    let maps = (0..127).fold(json!(1), |inner, _| json!({"k": inner}));
    let lists = json!({"k": (0..126).fold(json!(1), |inner, _| json!([inner]))});
    for json in [maps, lists] {
        assert_eq!(through_a_document(&json, 1000), json);
        // As deep as the parser goes.
        assert_eq!(serde_json::from_str::<Json>(&json.to_string()).unwrap(), json);
    }
}

#[test]
fn an_import_below_a_path_replaces_values_and_keeps_other_entries() {
    let mut peer = Peer::new(1);
    peer.edit([set("a/b", 1), set("a/keep", true)]);
    let edits = edits_from_json(&json!({"b": {"c": [1, {"d": 2}]}, "e": {}}), &path("a"));
    peer.try_edit(edits).unwrap();
    assert_eq!(peer.json(), json!({"a": {"b": {"c": [1, {"d": 2}]}, "e": {}, "keep": true}}));
    peer.try_edit(edits_from_json(&json!([1]), &path("a"))).unwrap();
    assert_eq!(peer.json(), json!({"a": [1]}));
}

#[test]
fn edits_read_as_plain_json_and_bytes_survive() {
    let bytes = Value::Bytes(Bytes::from_static(&[0, 255]));
    let edit = Edit::Add { path: path("s"), value: bytes.clone() };
    let text = r#"{"add":{"path":["s"],"value":{"$bytes":"AP8="}}}"#;
    assert_eq!(serde_json::to_string(&edit).unwrap(), text);
    assert_eq!(serde_json::from_str::<Edit>(text).unwrap(), edit);
    let mut peer = Peer::new(1);
    peer.edit([edit, set("b", bytes), set("nan", f64::NAN)]);
    assert_eq!(peer.json(), json!({"b": {"$bytes": "AP8="}, "s": [{"$bytes": "AP8="}], "nan": null}));
    assert_eq!(decode::<Edit>(&encode(&delete("a/b")).unwrap()).unwrap(), delete("a/b"));
}
