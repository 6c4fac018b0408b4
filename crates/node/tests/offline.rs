//! Without a hub, members work on and newcomers wait; both say so, and go on once there is one.
#![cfg(feature = "native")]

mod common;

use common::{NodeProcess, Process, eventually, free_port, hub};

/// Tries again soon, however long the hub was away.
const IMPATIENT: [(&str, &str); 1] = [("MESHWORK_DISCOVERY__BACKOFF_MAX_MS", "300")];

#[test]
fn members_edit_without_the_hub_and_link_when_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let arguments = |name: &str| {
        let data = folder.path().join(name).display().to_string();
        format!("--name {name} --data {data} --hub http://127.0.0.1:{port} --room A3B7K9")
    };
    {
        // Both become members.
        let mut hub = Process::start(format!("hub --listen 127.0.0.1:{port}"));
        hub.line("hub at ");
        for name in ["ada", "bob"] {
            NodeProcess::start(&arguments(name)).process.terminate().succeeded();
        }
    }
    let mut nodes = ["ada", "bob"].map(|name| NodeProcess::start_with(&arguments(name), &IMPATIENT));
    for (node, name) in nodes.iter_mut().zip(["ada", "bob"]) {
        let warning = node.process.line("working without the hub: cannot reach");
        assert!(warning.contains(&port.to_string()) && warning.contains("retry_in_ms"), "{warning}");
        node.api.set(name, "offline", "stored");
        let status = node.api.status();
        assert_eq!(status["hubs"][format!("ws://127.0.0.1:{port}/ws")], false, "{status}");
        assert_eq!(status["operation_log_size"], 1);
    }
    let mut hub = Process::start(format!("hub --listen 127.0.0.1:{port}"));
    hub.line("hub at ");
    for node in &mut nodes {
        node.process.line("in the hub's room");
        node.process.line("up in");
        let both = |status: &serde_json::Value| status["operation_log_size"] == 2;
        eventually("both edits", || node.api.status(), both);
        assert_eq!(node.api.get("/api/documents/app").to_string(), r#"{"ada":"offline","bob":"offline"}"#);
    }
    // The links do not need the hub.
    hub.kill();
    let mut events = nodes[1].api.events();
    nodes[0].api.set("after", "the hub", "confirmed");
    events.next("operation_received");
    assert_eq!(nodes[1].api.value("after"), "the hub");
}

#[test]
fn a_newcomer_waits_for_the_hub_and_says_so() {
    let port = free_port();
    let arguments = format!("node --hub http://127.0.0.1:{port} --room A3B7K9");
    let mut newcomer = Process::start_with(arguments, &IMPATIENT);
    for _ in 0..2 {
        newcomer.line("not a member of any space yet, waiting for the hub: cannot reach");
    }
    let mut hub = Process::start(format!("hub --listen 127.0.0.1:{port}"));
    hub.line("hub at ");
    newcomer.line("in the hub's room");
    newcomer.line("runs");

    // One that waits can be told to stop.
    let absent = free_port();
    let mut newcomer = Process::start(format!("node --hub http://127.0.0.1:{absent} --room A3B7K9"));
    newcomer.line("waiting for the hub");
    newcomer.interrupt().succeeded();
}

#[test]
fn one_of_two_hubs_is_enough() {
    let (_hub, url) = hub();
    let absent = free_port();
    let arguments = format!("--hub http://127.0.0.1:{absent} --hub {url} --room A3B7K9");
    let [mut ada, mut bob] =
        ["ada", "bob"].map(|name| NodeProcess::start_with(&format!("--name {name} {arguments}"), &IMPATIENT));
    ada.process.line("up in");
    bob.process.line("up in");
}
