//! `meshwork status`, `peers`, `get`, `set` and `watch`, against a running node.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{NodeProcess, Process, eventually, free_port, hub, run};
use serde_json::{Value, json};

#[test]
fn the_client_reads_and_writes() {
    let node = NodeProcess::start("--name ada");
    let api = node.api.address.to_string();
    let api = api.as_str();
    let written = run(["set", "--api", api, "app", "users/ada/name", "Ada Lovelace"]).succeeded();
    assert!(written.starts_with("stored: operation 1 of "), "{written}");
    let written =
        run(["set", "--api", api, "--json", "app", "users/ada/age", "36", "--wait", "visible"]).succeeded();
    let dot: Value = serde_json::from_str(&written).unwrap();
    assert_eq!((&dot["sequence"], &dot["replica"]), (&json!(2), &node.api.status()["replica_id"]));
    run(["set", "--api", api, "odd ü/name", "a~1b", "[1, 2]"]).succeeded();

    let shown = |document: &str, path: &str| -> Value {
        serde_json::from_str(&run(["get", "--api", api, document, path]).succeeded()).unwrap()
    };
    assert_eq!(shown("app", ""), json!({ "users": { "ada": { "name": "Ada Lovelace", "age": 36 } } }));
    assert_eq!(shown("app", "users/ada/age"), json!(36));
    assert_eq!(shown("odd ü/name", "a~1b"), json!([1, 2]));

    for name in ["a/b", "?", "#", "%", "%2F", "...", "a?b=c#d", "-", "&", "+"] {
        run(["set", "--api", api, "--", name, "name", name]).succeeded();
        assert_eq!(shown(name, "name"), json!(name));
        assert_eq!(node.api.get("/api/documents").to_string().matches(&json!(name).to_string()).count(), 1);
    }
    for value in ["-5", "-1.5e3", "-", "--jason", "-x"] {
        run(["set", "--api", api, "app", "hyphen", value]).succeeded();
        assert_eq!(shown("app", "hyphen"), serde_json::from_str(value).unwrap_or_else(|_| json!(value)));
        run(["presence", "--api", api, "shown", value]).succeeded();
    }
    run(["set", "--api", api, "app", "hyphen", "-6", "--wait", "visible"]).succeeded();

    let status = run(["status", "--api", api]).succeeded();
    assert!(status.contains("ada") && status.contains("operation_log_size"), "{status}");
    let status: Value = serde_json::from_str(&run(["status", "--json", "--api", api]).succeeded()).unwrap();
    assert_eq!(status, node.api.status());
}

#[test]
fn the_client_says_what_is_wrong() {
    let node = NodeProcess::start("");
    let api = node.api.address.to_string();
    let api = api.as_str();
    run(["get", "--api", api, "nonsense"]).refused("there is no document `nonsense`");
    run(["set", "--api", api, "app", "", "1"]).refused("the document itself is a map");
    run(["set", "--api", api, "app", "k", "1", "--wait", "forever"])
        .refused("[possible values: visible, stored, confirmed]");
    for name in [".", ".."] {
        run(["get", "--api", api, name]).refused(&format!("a document named `{name}` cannot be reached"));
        run(["set", "--api", api, name, "k", "1"]).refused(&format!("a document named `{name}` cannot"));
    }
    run(["get", "--api", api, ""]).refused("takes 1 to 128 bytes, this one has 0");
    let nobody = format!("127.0.0.1:{}", free_port());
    for command in ["status", "peers", "watch"] {
        run([command, "--api", &nobody]).refused(&format!("no node answers at {nobody}"));
    }
    run(["get", "--api", &nobody, "app"])
        .refused(&format!("no node answers at {nobody}; start one with --api"));
    run(["set", "--api", &nobody, "app", "k", "1"])
        .refused(&format!("no node answers at {nobody}; start one with --api"));
    run(["status", "--api", "nonsense here"]).refused("the address of the API");
    let (_hub, url) = hub();
    for command in ["status", "watch"] {
        run([command, "--api", url.strip_prefix("http://").unwrap()]).refused("not a node's answer");
    }
    // A node reached by a name that is not this machine's own.
    let name = api.replace("127.0.0.1", "0.0.0.0");
    run(["watch", "--api", &name]).refused("is not a loopback host");
}

#[test]
fn proxies_of_the_environment_are_not_asked() {
    let proxy = format!("http://127.0.0.1:{}", free_port());
    let environment =
        ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].map(|name| (name, proxy.as_str()));
    let (_hub, url) = hub();
    let node = NodeProcess::start_with(&format!("--hub {url} --room A3B7K9"), &environment);
    let api = node.api.address.to_string();
    for arguments in ["status", "peers", "presence", "presence cursor 1", "set app k v", "get app k"] {
        let command = format!("{arguments} --api {api}");
        Process::start_with(command, &environment).ended().succeeded();
    }
    let mut watch = Process::start_with(format!("watch --api {api}"), &environment);
    let _peer = NodeProcess::start(&format!("--hub {url} --room A3B7K9"));
    watch.line("link_up");
}

#[test]
fn peers_that_are_known_but_not_linked_are_shown_with_their_stage() {
    let (_hub, url) = hub();
    let arguments = format!("--hub {url} --room A3B7K9");
    // Each of the two takes one link, and has it with the other.
    let one_link = [("MESHWORK_TRANSPORT__LINKS_MAX", "1")];
    let [ada, bob] =
        ["ada", "bob"].map(|name| NodeProcess::start_with(&format!("--name {name} {arguments}"), &one_link));
    eventually("a link", || ada.api.status()["connected_peers"][0]["name"].clone(), |name| name == "bob");
    let cyd = NodeProcess::start(&format!("--name cyd {arguments}"));
    eventually("cyd", || ada.api.status()["total_peers"].clone(), |peers| *peers == 2);
    let api = ada.api.address.to_string();
    let shown: Value = serde_json::from_str(&run(["peers", "--json", "--api", &api]).succeeded()).unwrap();
    let sessions = [&bob, &cyd].map(|node| node.api.status()["session_id"].clone());
    assert_eq!([&shown[0]["session_id"], &shown[1]["session_id"]], [&sessions[0], &sessions[1]], "{shown}");
    assert!(shown[0]["stage"] == "up" && shown[1]["stage"] != "up", "{shown}");
    let table = run(["peers", "--api", &api]).succeeded();
    let stage = shown[1]["stage"].as_str().unwrap();
    let session = &sessions[1].as_str().unwrap()[..16];
    assert!(table.lines().any(|line| line.contains(session) && line.contains(stage)), "{table}");
}

#[test]
fn a_confirmation_that_takes_long_says_what_it_waits_for() {
    let node = NodeProcess::start("");
    let api = node.api.address.to_string();
    let mut set = Process::start(["set", "--api", &api, "app", "k", "1", "--wait", "confirmed"]);
    set.line("visible, but not confirmed yet; nodes that are linked now: 0");
    assert_eq!(node.api.value("k"), json!(1));
    node.process.terminate().succeeded();
    let ended = set.ended();
    assert!(!ended.status.success(), "{ended:?}");
}

#[test]
fn a_reader_that_has_had_enough_ends_the_program_quietly() {
    let (_hub, url) = hub();
    let [node, peer] = [0; 2].map(|_| NodeProcess::start(&format!("--hub {url} --room A3B7K9")));
    let linked = |peers: &Value| peers.as_array().is_some_and(|peers| peers.len() == 1);
    eventually("a link", || peer.api.status()["connected_peers"].clone(), linked);
    let api = node.api.address.to_string();
    for command_name in ["status", "peers", "presence", "watch"] {
        let (reader, output) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = common::command([command_name, "--api", &api], &[]);
        let mut child = command.stdout(output).stderr(std::process::Stdio::piped()).spawn().unwrap();
        drop(command);
        let ended = || {
            // Something to watch.
            peer.api.set("k", "v", "stored");
            child.try_wait().unwrap()
        };
        eventually(command_name, ended, Option::is_some);
        let ended = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && errors.is_empty(), "{errors}");
    }
}

/// A standard error that nobody reads.
fn closed_stderr(command: &mut std::process::Command) -> &mut std::process::Command {
    let (reader, errors) = std::io::pipe().unwrap();
    drop(reader);
    command.stderr(errors)
}

#[test]
fn errors_that_nobody_reads_change_nothing() {
    let nobody = format!("127.0.0.1:{}", free_port());
    let mut status = common::command(["status", "--api", &nobody], &[]);
    assert_eq!(closed_stderr(&mut status).status().unwrap().code(), Some(1));

    // A node that says much.
    let mut node = common::command(["node", "--api", &nobody], &[("RUST_LOG", "trace")]);
    let mut node = closed_stderr(&mut node).stdin(std::process::Stdio::null()).spawn().unwrap();
    let api = common::Api { address: nobody.parse().unwrap() };
    eventually(
        "the API",
        || api.try_set("k", "v", "stored"),
        |set| set.as_ref().is_some_and(|set| set.status == 200),
    );
    common::signal_to(&node, "-TERM");
    assert!(node.wait().unwrap().success());
}

#[test]
fn peers_are_shown_and_events_watched() {
    let (_hub, url) = hub();
    let arguments = format!("--hub {url} --room A3B7K9");
    let ada = NodeProcess::start(&format!("--name ada {arguments}"));
    let api = ada.api.address.to_string();
    let mut watch = Process::start(["watch", "--api", &api]);
    let mut json = Process::start(["watch", "--json", "--api", &api]);
    // Nothing tells when a watcher has begun to listen but an event.
    let mut number = 0;
    let bob = NodeProcess::start(&format!("--name bob {arguments}"));
    eventually("a link", || ada.api.status()["connected_peers"].clone(), |peers| peers[0]["name"] == "bob");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (line, object) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                number += 1;
                bob.api.set("key", &number.to_string(), "stored");
            }
        });
        let line = watch.line("operation_received");
        let object = json.line("operation_received");
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        (line, object)
    });
    assert!(line.contains(r#"{"document":"app","operations":[{"#), "{line}");
    let object: Value = serde_json::from_str(&object).unwrap();
    assert_eq!(
        (&object["event"], &object["data"]["document"]),
        (&json!("operation_received"), &json!("app"))
    );

    let peers = run(["peers", "--api", &api]).succeeded();
    assert!(peers.contains("bob") && peers.contains("up"), "{peers}");
    let peers: Value = serde_json::from_str(&run(["peers", "--json", "--api", &api]).succeeded()).unwrap();
    assert_eq!(peers[0]["node_id"], bob.api.status()["node_id"]);
    ada.process.terminate().succeeded();
    watch.ended().refused("the node has ended");
}
