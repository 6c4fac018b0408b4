//! An operation of a replica that had to be retired is not taken for the one that a copy of the store wrote under its
//! id, and nobody waits for it for ever.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{fs, path::Path};

use common::{NodeProcess, PATIENCE, Process, free_port};
use meshwork::{Edit, Event, Node, NodeConfig, NodeError};
use tokio::time::timeout;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in ["profile.json", "meshwork.redb"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
}

#[tokio::test]
async fn an_edit_that_was_cut_off_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let [data, backup] = ["data", "backup"].map(|name| folder.path().join(name));
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let hub = || {
        let mut hub = Process::start(format!("hub --listen 127.0.0.1:{port} --found-after-ms 0"));
        hub.line("hub at ");
        hub
    };
    let start = || {
        let mut config = NodeConfig::default();
        config.discovery.backoff_max_ms = 300;
        Node::builder().config(config).data(&data).hub(&url, "A3B7K9").start()
    };
    let first_hub = hub();
    let peer = NodeProcess::start_with(
        &format!("--data {} --hub {url} --room A3B7K9", folder.path().join("peer").display()),
        &[("MESHWORK_DISCOVERY__BACKOFF_MAX_MS", "300")],
    );
    let edit = |key: &'static str| [Edit::set([key], 1)];
    let mut last = None;
    for key in ["one", "two"] {
        if last.is_some() {
            copy(&data, &backup);
        }
        let node = start().await.unwrap();
        let dot = node.edit("app", edit(key)).await.unwrap();
        common::eventually(key, || peer.api.value(key), |value| *value == 1);
        node.close().await;
        last = Some(dot);
    }
    // The store as it was before "two", and nobody who could tell.
    first_hub.kill();
    copy(&backup, &data);
    let node = start().await.unwrap();
    let mut events = node.events();
    let dot = node.edit("app", edit("three")).await.unwrap();
    assert_eq!(Some(dot), last, "the id is taken, and this node cannot know");
    timeout(PATIENCE, node.stored(dot)).await.unwrap().unwrap();

    let _hub = hub();
    let retired = loop {
        let event = timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        if let Event::ReplicaRetired { replica, kept, .. } = &*event {
            break (*replica, *kept);
        }
    };
    assert_eq!(retired, (dot.replica, dot.sequence - 1));
    // What the peer holds under this id comes, and is not what was written here.
    for key in ["one", "two", "three"] {
        common::eventually(key, || peer.api.value(key), |value| *value == 1);
    }
    let expected = Err(NodeError::Retired { dot, kept: dot.sequence - 1 });
    assert_eq!(timeout(PATIENCE, node.stored(dot)).await.unwrap(), expected);
    assert_eq!(timeout(PATIENCE, node.confirmed(dot)).await.unwrap(), expected);
    let kept = meshwork::Dot::new(dot.replica, dot.sequence - 1);
    timeout(PATIENCE, node.stored(kept)).await.unwrap().unwrap();
    let after = node.edit("app", edit("four")).await.unwrap();
    timeout(PATIENCE, node.confirmed(after)).await.unwrap().unwrap();
    node.close().await;
}
