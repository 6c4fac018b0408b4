//! The local API: every request, and what is refused.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Answer, Api, NodeProcess, eventually, hub, shown};
use serde_json::{Value, json};

const JSON: &str = "\r\ncontent-type: application/json";

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str, message: &str) {
    let error = &answer.body["error"];
    let said = error["message"].as_str().is_some_and(|text| text.contains(message));
    assert!(
        answer.status == status && error["code"] == code && said,
        "wanted {status} {code} `{message}`: {answer:?}"
    );
    let keys: Vec<_> =
        answer.body.as_object().unwrap().keys().chain(error.as_object().unwrap().keys()).collect();
    assert_eq!(keys, ["error", "code", "message"]);
}

fn edit(api: Api, body: &Value) -> Answer {
    api.post("/api/documents/app", &body.to_string())
}

#[test]
fn documents_are_written_and_read() {
    let node = NodeProcess::start("--name ada");
    let api = node.api;
    assert_eq!(api.get("/api/documents"), json!({ "documents": [] }));
    let transaction = json!([
        { "set": { "path": ["users", "ada"], "value": { "not": "a map" } } },
    ]);
    refused(&edit(api, &transaction), 422, "edit-refused", "make a map there");
    let transaction = json!([
        { "set": { "path": ["users", "ada", "name"], "value": "Ada" } },
        { "assign": { "path": ["users", "ada", "age"], "value": 36 } },
        { "make_map": { "path": ["empty"] } },
        { "increment": { "path": ["count"], "by": -2 } },
        { "add": { "path": ["tags"], "value": "b" } },
        { "add": { "path": ["tags"], "value": "a" } },
        { "set": { "path": ["a/b", "~"], "value": [1, null, { "k": 1.5 }] } },
        { "set": { "path": ["gone"], "value": true } },
        { "delete": { "path": ["gone"] } },
        { "remove": { "path": ["tags"], "value": "b" } },
    ]);
    let first = edit(api, &transaction);
    assert_eq!((first.status, &first.body["sequence"]), (200, &json!(1)));
    assert_eq!(first.body["replica"], api.status()["replica_id"]);
    let document = json!({
        "users": { "ada": { "name": "Ada", "age": 36 } }, "empty": {}, "count": -2, "tags": ["a"],
        "a/b": { "~": [1, null, { "k": 1.5 }] },
    });
    assert_eq!(api.get("/api/documents/app"), document);
    for (path, value) in
        [("users/ada/age", json!(36)), ("/a~1b/~0", json!([1, null, { "k": 1.5 }])), ("empty", json!({}))]
    {
        assert_eq!(api.get(&format!("/api/documents/app?path={path}")), value);
    }
    let one = api.post("/api/documents/%C3%BC%20%2F?wait=stored", r#"{"set":{"path":["x"],"value":1}}"#);
    assert_eq!((one.status, &one.body["sequence"]), (200, &json!(2)));
    assert_eq!(api.get("/api/documents/%C3%BC%20%2F"), json!({ "x": 1 }));
    assert_eq!(api.get("/api/documents"), json!({ "documents": ["app", "ü /"] }));
}

#[test]
fn what_is_wrong_with_an_edit_is_said_and_nothing_changes() {
    let node = NodeProcess::start("");
    let api = node.api;
    edit(api, &json!({ "set": { "path": ["text"], "value": "x" } }));
    let before = api.get("/api/documents/app");
    let post = |headers: &str, body: &str| api.request("POST", "/api/documents/app", headers, body);
    let good = r#"{"set":{"path":["k"],"value":1}}"#;
    refused(&post(JSON, "not json"), 400, "bad-json", "expected ident at line 1 column 2");
    refused(&post(JSON, ""), 400, "bad-json", "EOF");
    refused(&post(JSON, r#"{"sett":{}}"#), 400, "bad-json", "unknown variant `sett`, expected one of `set`");
    refused(&post(JSON, r#"{"set":{"path":"k","value":1}}"#), 400, "bad-json", "expected a sequence");
    refused(&post(JSON, r#"{"increment":{"path":["k"],"by":1.5}}"#), 400, "bad-json", "`{\"increment\":{");
    refused(&post(JSON, "7"), 400, "bad-json", "");
    refused(&post("\r\ncontent-type: text/plain", good), 415, "not-json", "content-type: application/json");
    refused(&post("", good), 415, "not-json", "content-type: application/json");

    let last_wins = json!([
        { "set": { "path": ["other"], "value": 1 } },
        { "increment": { "path": ["text"], "by": 1 } },
    ]);
    refused(&edit(api, &last_wins), 422, "edit-refused", "`/text` is");
    refused(
        &edit(api, &json!({ "set": { "path": ["text", "below"], "value": 1 } })),
        422,
        "edit-refused",
        "so nothing lives below it",
    );
    refused(
        &edit(api, &json!({ "set": { "path": [], "value": 1 } })),
        422,
        "edit-refused",
        "the document itself is a map",
    );
    let long = "x".repeat(2_000_000);
    refused(&edit(api, &json!({ "set": { "path": ["k"], "value": long } })), 422, "edit-refused", "split it");
    refused(&edit(api, &json!({ "set": { "path": [long], "value": 1 } })), 422, "edit-refused", "a key in");
    assert_eq!(api.get("/api/documents/app"), before);
}

#[test]
fn a_body_that_is_too_large_is_refused_by_its_length_alone() {
    let node = NodeProcess::start("");
    let head = format!("POST /api/documents/app HTTP/1.1\r\nhost: {}{JSON}", node.api.address);
    let announced = node.api.raw(&format!("{head}\r\ncontent-length: 99999999999"), b"");
    refused(&announced, 413, "too-large", "larger than 4194304 bytes; send it in several transactions");
}

#[test]
fn a_body_of_undeclared_length_is_refused_once_it_is_too_large() {
    let node = NodeProcess::start("");
    let head = format!("POST /api/documents/app HTTP/1.1\r\nhost: {}{JSON}", node.api.address);
    let chunked = |bytes: usize| {
        let body = format!("{{\"set\":{{\"path\":[\"k\"],\"value\":\"{}\"}}}}", "x".repeat(bytes));
        let chunks = body.as_bytes().chunks(64 * 1024);
        let chunks =
            chunks.map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
        let body: Vec<u8> = chunks.flatten().chain(*b"0\r\n\r\n").collect();
        node.api.raw(&format!("{head}\r\ntransfer-encoding: chunked"), &body)
    };
    assert_eq!(chunked(500_000).status, 200);
    refused(&chunked(4 * 1024 * 1024), 413, "too-large", "larger than 4194304 bytes");
    assert_eq!(node.api.status()["operation_log_size"], 1);
}

/// The keys of an object, in order.
fn keys(value: &Value) -> String {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys.join(" ")
}

#[test]
fn a_status_has_the_fields_that_are_described() {
    let (_hub, url) = hub();
    let [ada, bob] = [0; 2].map(|_| NodeProcess::start(&format!("--hub {url} --room A3B7K9")));
    let linked = |status: &Value| status["connected_peers"].as_array().is_some_and(|peers| peers.len() == 1);
    let status = eventually("a link", || ada.api.status(), linked);
    let fields = "confirmed_operations connected_peers discovered_peers hubs name node_id operation_log_size \
        pending_operations received_bytes replica_id room sent_bytes session_id space_id storage_stalled \
        total_peers vector_clock";
    let of_peer = "name node_id queued_bytes received_bytes rtt_ms sent_bytes session_id stage";
    assert_eq!(keys(&status), fields);
    assert_eq!(keys(&status["connected_peers"][0]), of_peer);
    let page = include_str!("../../../docs/api.md");
    let described = page.split_once("## Status").unwrap().1.split_once("## Events").unwrap().0;
    for field in fields.split_whitespace().chain(of_peer.split_whitespace()) {
        assert!(described.contains(&format!("`{field}`")), "{field} is not described");
    }
    bob.process.terminate().succeeded();
}

#[test]
fn a_peer_that_is_killed_is_gone_after_its_time() {
    let (_hub, url) = hub();
    let soon = [("MESHWORK_PRESENCE__HEARTBEAT_MS", "100"), ("MESHWORK_PRESENCE__STALE_MS", "1000")];
    let [ada, bob] = ["ada", "bob"]
        .map(|name| NodeProcess::start_with(&format!("--name {name} --hub {url} --room A3B7K9"), &soon));
    eventually("a name", || ada.api.status()["connected_peers"][0]["name"].clone(), |name| name == "bob");
    let session = bob.api.status()["session_id"].clone();
    let mut told = ada.api.events();
    bob.process.kill();
    let left = told.next("peer_left");
    assert_eq!((&left["member"]["session"], &left["gracefully"]), (&session, &json!(false)));
}

#[test]
fn places_that_are_not_there_are_named() {
    let node = NodeProcess::start("");
    let api = node.api;
    edit(api, &json!({ "set": { "path": ["text"], "value": "x" } }));
    let get = |path: &str| api.request("GET", path, "", "");
    refused(
        &get("/nonsense"),
        404,
        "no-such-path",
        "there is nothing at GET /nonsense; see GET /, /api/status",
    );
    refused(&get("/api/nonsense"), 404, "no-such-path", "/api/nonsense");
    refused(
        &api.request("DELETE", "/api/documents/app", "", ""),
        404,
        "no-such-path",
        "DELETE /api/documents/app",
    );
    refused(&get("/api/documents/nonsense"), 404, "no-such-document", "no document `nonsense`");
    refused(&get("/api/documents/app?path=text/below"), 404, "nothing-there", "nothing at `text/below`");
    refused(&get("/api/documents/app?pth=text"), 400, "bad-query", "unknown field `pth`");
    refused(&api.post("/api/documents/app?wait=forever", "[]"), 400, "bad-query", "expected one of");
    let long = "n".repeat(1_000);
    refused(&get(&format!("/api/documents/{long}")), 400, "bad-document-name", "bytes");
    refused(&api.post(&format!("/api/documents/{long}"), "[]"), 400, "bad-document-name", "bytes");
}

#[test]
fn only_requests_for_this_machine_are_answered() {
    let node = NodeProcess::start("");
    let port = node.api.address.port();
    let get = |host: &str| node.api.raw(&format!("GET /api/status HTTP/1.1\r\nhost: {host}"), b"");
    for host in [
        "evil.example",
        "evil.example:80",
        "10.0.0.1",
        "localhost.evil.example",
        "",
        "127.0.0.1.evil.example",
    ] {
        refused(&get(host), 403, "foreign-host", "is not a loopback host");
    }
    let address = format!("127.0.0.1:{port}");
    for host in ["localhost", "127.0.0.1", "[::1]", "[::1]:80", &address] {
        assert_eq!(get(host).status, 200, "{host}");
    }
    // What a proxy claims to have been asked for does not count.
    let forwarded = "GET /api/status HTTP/1.1\r\nhost: evil.example\r\nforwarded: host=localhost\r\nx-forwarded-host: localhost";
    refused(&node.api.raw(forwarded, b""), 403, "foreign-host", "evil.example");
    let named = "GET http://evil.example/api/status HTTP/1.1\r\nhost: localhost";
    refused(&node.api.raw(named, b""), 403, "foreign-host", "evil.example");
}

#[test]
fn a_page_leads_browsers_into_the_node_s_room() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("index.html"), "\"the page\"").unwrap();
    let (_hub, url) = hub();
    let node = NodeProcess::start(&format!("--hub {url} --room PAGE01 --page {}", shown(directory.path())));
    let get = |path: &str| node.api.request("GET", path, "", "");
    assert_eq!(node.api.get("/"), "the page");
    assert_eq!(node.api.get("/page/place.json"), json!({ "hub": format!("{url}/"), "room": "PAGE01" }));
    refused(&get("/page/nonsense"), 404, "no-such-path", "/page/nonsense");
    // It is for this machine's browsers, and for pages of this origin.
    let foreign = node.api.request("GET", "/", "\r\nsec-fetch-site: cross-site", "");
    refused(&foreign, 403, "foreign-origin", "a web page of another origin");
    refused(&node.api.raw("GET / HTTP/1.1\r\nhost: evil.example", b""), 403, "foreign-host", "evil.example");
}

#[test]
fn web_pages_of_other_origins_are_refused() {
    let node = NodeProcess::start("");
    let address = node.api.address;
    let edit = r#"{"set":{"path":["k"],"value":1}}"#;
    let ask = |headers: &str| {
        [
            node.api.request("POST", "/api/sync", headers, ""),
            node.api.request("POST", "/api/documents/app", &format!("{JSON}{headers}"), edit),
            node.api.request("GET", "/api/status", headers, ""),
        ]
    };
    let foreign = [
        "origin: https://evil.example",
        "origin: null",
        "origin: http://localhost:1",
        &format!("origin: https://{address}"),
        &format!("origin: http://{address}.evil.example"),
        &format!("origin: http://{address}\r\norigin: https://evil.example"),
        "sec-fetch-site: cross-site",
        "sec-fetch-site: same-site",
    ];
    for header in foreign {
        for answer in ask(&format!("\r\n{header}")) {
            refused(&answer, 403, "foreign-origin", "a web page of another origin");
        }
    }
    assert_eq!(node.api.status()["operation_log_size"], 0);
    let own = format!("\r\norigin: http://{address}\r\nsec-fetch-site: same-origin");
    for headers in ["", "\r\nsec-fetch-site: none", &own] {
        assert_eq!(ask(headers).map(|answer| answer.status), [202, 200, 200], "{headers}");
    }
}

#[test]
fn a_body_is_json_where_none_is_needed_too() {
    let node = NodeProcess::start("");
    let sync = |headers: &str, body: &str| node.api.request("POST", "/api/sync", headers, body);
    for (headers, body) in [
        ("\r\ncontent-type: text/plain", ""),
        ("\r\ncontent-type: application/x-www-form-urlencoded", "a=b"),
        ("", "{}"),
    ] {
        refused(&sync(headers, body), 415, "not-json", "content-type: application/json");
    }
    for body in ["", "{}"] {
        assert_eq!(sync("\r\ncontent-type: application/json; charset=utf-8", body).status, 202);
    }
}

/// The answer of a request that was under way, the end of the events, and the end of the server.
#[test]
fn everything_ends_with_the_node() {
    actix_web::rt::System::new().block_on(async {
        let node = meshwork::Node::builder().start().await.unwrap();
        let server = meshwork::api::ApiServer::bind(node.clone(), "127.0.0.1:0".parse().unwrap()).unwrap();
        let api = Api { address: server.local_addr() };
        let server = actix_web::rt::spawn(server.run());
        let (listening, listens) = tokio::sync::oneshot::channel();
        let events = std::thread::spawn(move || {
            let events = api.events();
            listening.send(()).unwrap();
            events.rest()
        });
        listens.await.unwrap();
        let waiting = std::thread::spawn(move || api.try_set("k", "v", "confirmed"));
        while node.json("app").await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        node.close().await;
        server.await.unwrap().unwrap();
        refused(&waiting.join().unwrap().unwrap(), 503, "stopped", "the node has stopped");
        let told = events.join().unwrap();
        assert!(told.ends_with("0\r\n\r\n"), "the events break off: {told}");
    });
}

#[test]
fn two_nodes_confirm_tell_and_sync() {
    let (_hub, url) = hub();
    let folder = tempfile::tempdir().unwrap();
    let [ada, bob] = ["ada", "bob"].map(|name| {
        let data = folder.path().join(name);
        NodeProcess::start(&format!("--name {name} --data {} --hub {url} --room A3B7K9", data.display()))
    });
    let linked = |status: &Value| status["connected_peers"].as_array().is_some_and(|peers| peers.len() == 1);
    eventually("a link", || ada.api.status(), linked);
    let status = eventually("a link", || bob.api.status(), linked);
    let peer = &status["connected_peers"][0];
    assert_eq!(peer["node_id"], ada.api.status()["node_id"]);
    eventually("a name", || bob.api.status()["connected_peers"][0]["name"].clone(), |name| name == "ada");
    assert_eq!(status["hubs"].as_object().unwrap().values().collect::<Vec<_>>(), [true]);

    let [mut told_ada, mut told_bob] = [ada.api.events(), bob.api.events()];
    let dot = ada.api.set("key", "value", "confirmed");
    let received = told_bob.next("operation_received");
    assert_eq!(received, json!({ "document": "app", "operations": [dot] }));
    let confirmed = told_ada.next("confirmed");
    assert_eq!(confirmed, json!({ "replica": dot["replica"], "from": 1, "up_to": 1 }));
    assert_eq!(ada.api.status()["confirmed_operations"], 1);
    assert_eq!(bob.api.status()["vector_clock"], json!({ dot["replica"].as_str().unwrap(): 1 }));

    let synced = ada.api.post("/api/sync", "");
    assert_eq!((synced.status, synced.body), (202, json!({ "syncing": true })));
    assert_eq!(told_ada.next("state_synced")["session"], bob.api.status()["session_id"]);

    let session = bob.api.status()["session_id"].clone();
    bob.process.terminate().succeeded();
    let left = told_ada.next("peer_left");
    assert_eq!((&left["member"]["session"], &left["gracefully"]), (&session, &json!(true)));
    assert_eq!(left["member"]["name"], "bob");
}
