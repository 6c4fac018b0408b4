//! Who is here and what they show each other, over real links.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Api, NodeProcess, eventually, hub, run};
use meshwork::{Node, NodeError};
use serde_json::{Value, json};

/// What `api` sees the member of this name show; null when it is not here.
fn seen(api: Api, name: &str) -> Value {
    let members = api.get("/api/presence");
    let member = members["members"].as_array().unwrap().iter().find(|member| member["name"] == name).cloned();
    member.map_or(Value::Null, |member| member["ephemeral"].clone())
}

#[track_caller]
fn change(api: Api, body: &Value) {
    let answer = api.post("/api/presence", &body.to_string());
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn values_are_seen_by_the_others_and_go_again() {
    let (_hub, url) = hub();
    let start = |name: &str| NodeProcess::start(&format!("--name {name} --hub {url} --room A3B7K9"));
    let (ada, bob) = (start("ada"), start("bob"));
    for (api, name) in [(ada.api, "bob"), (bob.api, "ada")] {
        eventually("the other one", || seen(api, name), |seen| *seen == json!({}));
    }
    let mut told = bob.api.events();
    let session = ada.api.status()["session_id"].clone();

    change(ada.api, &json!({ "set": { "key": "cursor", "value": { "line": 7 }, "ttl_ms": 600_000 } }));
    assert_eq!(
        told.next("ephemeral_set"),
        json!({ "session": session, "key": "cursor", "value": { "line": 7 } })
    );
    assert_eq!(seen(bob.api, "ada"), json!({ "cursor": { "line": 7 } }));
    assert_eq!(seen(ada.api, "ada"), json!({ "cursor": { "line": 7 } }));
    let first = ada.api.get("/api/presence")["members"][0].clone();
    assert_eq!((&first["own"], &first["session"]), (&json!(true), &session));

    // A newcomer learns of it, too.
    let carol = start("carol");
    eventually(
        "what ada shows",
        || seen(carol.api, "ada"),
        |seen| *seen == json!({ "cursor": { "line": 7 } }),
    );

    change(ada.api, &json!({ "set": { "key": "typing", "value": null, "ttl_ms": 500 } }));
    assert_eq!(told.next("ephemeral_set")["key"], "typing");
    assert_eq!(told.next("ephemeral_gone"), json!({ "session": session, "key": "typing" }));
    change(ada.api, &json!({ "clear": { "key": "cursor" } }));
    assert_eq!(told.next("ephemeral_gone"), json!({ "session": session, "key": "cursor" }));
    assert_eq!(seen(bob.api, "ada"), json!({}));

    // By hand, and gone with its member.
    let api = ada.api.address.to_string();
    run(["presence", "--api", &api, "selection", "[1, 2]", "--ttl-ms", "600000"]).succeeded();
    run(["presence", "--api", &api, "status", "out for lunch"]).succeeded();
    let both = json!({ "selection": [1, 2], "status": "out for lunch" });
    eventually("what ada shows", || seen(bob.api, "ada"), |seen| *seen == both);
    let shown = run(["presence", "--api", &bob.api.address.to_string()]).succeeded();
    assert!(shown.contains("selection: [1,2]") && shown.contains("this node"), "{shown}");
    run(["presence", "--api", &api, "status", "--clear"]).succeeded();
    eventually("one less", || seen(bob.api, "ada"), |seen| *seen == json!({ "selection": [1, 2] }));
    ada.process.terminate().succeeded();
    eventually("ada's end", || seen(bob.api, "ada"), |seen| seen.is_null());
    // Nothing of it was an operation.
    assert_eq!(bob.api.status()["operation_log_size"], 0);
}

#[test]
fn what_is_wrong_with_a_value_is_said() {
    let node = NodeProcess::start("");
    let refused = |body: Value, status: u16, code: &str, message: &str| {
        let answer = node.api.post("/api/presence", &body.to_string());
        let error = &answer.body["error"];
        let said = error["message"].as_str().unwrap().contains(message);
        assert!(answer.status == status && error["code"] == code && said, "{answer:?}");
    };
    let set = |key: &str, value: Value, ttl_ms: u64| json!({ "set": { "key": key, "value": value, "ttl_ms": ttl_ms } });
    change(node.api, &json!({ "set": { "key": "k", "value": 1 } }));
    refused(set("", json!(1), 1_000), 422, "value-refused", "a value needs a key");
    refused(
        set("k", json!("x".repeat(767)), 1_000),
        422,
        "value-refused",
        "at most 768 bytes, this one has 769",
    );
    refused(set("k", json!(2), 499), 422, "value-refused", "lives 500 to 600000 ms, not 499");
    refused(json!({ "clear": {} }), 400, "bad-json", "missing field `key`");
    refused(json!({ "set": { "key": "k", "value": 1, "ttl": 5 } }), 400, "bad-json", "unknown field `ttl`");
    refused(json!([]), 400, "bad-json", "");
    assert_eq!(node.api.get("/api/presence")["members"][0]["ephemeral"], json!({ "k": 1 }));
    let api = node.api.address.to_string();
    run(["presence", "--api", &api, "k"]).refused("required arguments were not provided");
    run(["presence", "--api", &api, "k", "1", "--ttl-ms", "1"]).refused("lives 500 to 600000 ms, not 1");
    run(["presence", "--api", &api, "k", "1", "--clear"]).refused("cannot be used with");
}

#[tokio::test]
async fn a_node_without_presence_says_so() {
    let node = Node::builder().without_presence().start().await.unwrap();
    let absent = Err(NodeError::Absent("presence"));
    assert_eq!(node.set_ephemeral("k", &json!(1), Duration::from_secs(1)).await, absent);
    assert_eq!(node.clear_ephemeral("k").await, absent);
    assert_eq!(node.presence().await.map(drop), absent);
    node.close().await;
}
