//! A storage thread that panics is shown, and the node starts again from what is stored.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod store;

use std::sync::Arc;

use common::PATIENCE;
use meshwork::{Edit, Event, Node, NodeError};
use store::TestStore;
use tokio::{sync::broadcast::Receiver, time::timeout};

async fn until(events: &mut Receiver<Arc<Event>>, wanted: impl Fn(&Event) -> bool) -> Arc<Event> {
    loop {
        let event = timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        if wanted(&event) {
            return event;
        }
    }
}

async fn stored(node: &Node, key: &str) -> meshwork::Dot {
    let dot = timeout(PATIENCE, node.edit("app", [Edit::set([key], 1)])).await.unwrap().unwrap();
    timeout(PATIENCE, node.stored(dot)).await.unwrap().unwrap();
    dot
}

#[tokio::test]
async fn a_storage_thread_that_panics_is_replaced() {
    let store = TestStore::default();
    let node = store.node().start().await.unwrap();
    let mut events = node.events();
    let before = stored(&node, "before").await;

    store.panic_once();
    let lost = node.edit("app", [Edit::set(["lost"], 1)]).await.unwrap();
    let told = timeout(PATIENCE, node.stored(lost)).await.unwrap().unwrap_err();
    assert!(matches!(told, NodeError::Rebuilding | NodeError::Retired { .. }), "{told:?}");
    let stalled = until(&mut events, |event| matches!(event, Event::StorageStalled { .. })).await;
    assert!(format!("{stalled:?}").contains("please report this"), "{stalled:?}");

    // An edit waits until the node is there again.
    let after = stored(&node, "after").await;
    assert_ne!(after.replica, before.replica, "what was not closed is retired");
    until(&mut events, |event| *event == Event::StorageRecovered).await;
    assert_eq!(node.status().await.unwrap().storage_stalled, None);
    assert_eq!(node.json("app").await.unwrap().unwrap(), serde_json::json!({ "before": 1, "after": 1 }));

    // What is durable is so still; what nobody kept is not waited for.
    timeout(PATIENCE, node.stored(before)).await.unwrap().unwrap();
    let retired = NodeError::Retired { dot: lost, kept: before.sequence };
    assert_eq!(timeout(PATIENCE, node.stored(lost)).await.unwrap(), Err(retired.clone()));
    assert_eq!(timeout(PATIENCE, node.confirmed(lost)).await.unwrap(), Err(retired));
    node.close().await;
    assert_eq!(node.edit("app", [Edit::set(["k"], 1)]).await, Err(NodeError::Stopped));
}
