//! A call that is dropped on a busy node leaves nothing behind.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod store;

use std::sync::mpsc;

use common::PATIENCE;
use meshwork::{Edit, Node, NodeConfig};
use store::TestStore;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

/// As many edits as may be on their way to the documents, and some that wait for their turn.
const ON_THEIR_WAY: usize = 1024;
const WAITING: usize = 3;

fn edits(node: &Node, count: usize) -> Vec<JoinHandle<()>> {
    let edit = |number| {
        let node = node.clone();
        tokio::spawn(async move {
            node.edit("app", [Edit::set([format!("{number}")], 1)]).await.unwrap();
        })
    };
    (0..count).map(edit).collect()
}

#[tokio::test]
async fn edits_that_are_dropped_give_back_their_places() {
    let store = TestStore::default();
    let config = NodeConfig { unsaved_edits_max: ON_THEIR_WAY + WAITING, ..NodeConfig::default() };
    let node = store.node().config(config).start().await.unwrap();

    // The documents do not answer.
    let (entered, inside) = oneshot::channel();
    let (leave, left) = mpsc::channel::<()>();
    let reading = node.clone();
    let question = tokio::spawn(async move {
        reading
            .read(move |_| {
                entered.send(()).unwrap();
                left.recv().unwrap();
            })
            .await
    });
    inside.await.unwrap();
    let mut on_their_way = edits(&node, ON_THEIR_WAY + WAITING);
    // Each has begun when this has its turn again.
    tokio::task::yield_now().await;
    for waiting in on_their_way.split_off(ON_THEIR_WAY) {
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
    }
    leave.send(()).unwrap();
    question.await.unwrap().unwrap();
    for edit in on_their_way {
        timeout(PATIENCE, edit).await.unwrap().unwrap();
    }
    let last = node.edit("app", [Edit::set(["last"], 1)]).await.unwrap();
    timeout(PATIENCE, node.stored(last)).await.unwrap().unwrap();

    // Every place is free again: so many edits need nothing of the disk.
    store.hold(true);
    for edit in edits(&node, ON_THEIR_WAY + WAITING) {
        timeout(PATIENCE, edit).await.expect("no place was lost").unwrap();
    }
    store.hold(false);
    node.close().await;
}
