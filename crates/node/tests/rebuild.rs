//! A machine that panics takes its actor down; the node rebuilds itself from storage, as a new session.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use common::{NodeProcess, PATIENCE, eventually, hub};
use meshwork::{Connector, Edit, Event, Node, NodeBuilder, NodeError};
use meshwork_transport::{
    ConnectionAction, LinkId,
    webrtc::{WebRtc, WebRtcConfig},
};
use tokio::time::timeout;

/// Panics at so many of the frames that it is to send. It is called by the transport's actor, so that one dies.
struct Failing {
    webrtc: WebRtc,
    panics: Arc<AtomicU32>,
}

impl Connector for Failing {
    fn perform(&mut self, link: LinkId, action: ConnectionAction) {
        if matches!(action, ConnectionAction::Transmit { .. }) {
            let due =
                self.panics.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            assert!(due.is_err(), "on purpose");
        }
        self.webrtc.perform(link, action);
    }

    fn close(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(self.webrtc.close())
    }
}

fn failing(panics: &Arc<AtomicU32>) -> NodeBuilder {
    let panics = panics.clone();
    Node::builder().connector(move |events| {
        let webrtc = WebRtc::new(WebRtcConfig::default(), events).map_err(|error| error.to_string())?;
        Ok(Failing { webrtc, panics: panics.clone() })
    })
}

#[tokio::test]
async fn a_node_goes_on_after_a_panic_with_all_that_was_stored() {
    let (_hub, url) = hub();
    let folder = tempfile::tempdir().unwrap();
    let peer = NodeProcess::start(&format!("--name peer --hub {url} --room A3B7K9"));
    let panics = Arc::new(AtomicU32::new(0));
    let node = failing(&panics).name("node").data(folder.path()).hub(&url, "A3B7K9").start().await.unwrap();
    let before = node.identity().unwrap();
    let mut events = node.events();
    let linked = |api: common::Api| move || api.status()["connected_peers"].clone();
    eventually("a link", linked(peer.api), |peers| peers.as_array().is_some_and(|peers| peers.len() == 1));
    let stored = node.edit("app", [Edit::set(["stored"], "kept")]).await.unwrap();
    node.stored(stored).await.unwrap();
    let mut told = peer.api.events();

    // One that is not answered before the panic gets an answer nevertheless.
    panics.store(1, Ordering::Relaxed);
    let answered = match node.edit("app", [Edit::set(["in", "flight"], 1)]).await {
        Ok(dot) => timeout(PATIENCE, node.stored(dot)).await.unwrap(),
        Err(error) => Err(error),
    };
    let is_told = matches!(answered, Ok(()) | Err(NodeError::Rebuilding | NodeError::Retired { .. }));
    assert!(is_told, "{answered:?}");
    // Links of the new session come up.
    loop {
        let event = timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        let is_new = node.identity().is_ok_and(|identity| identity.session != before.session);
        if is_new && matches!(*event, Event::LinkUp { .. }) {
            break;
        }
    }
    let after = node.identity().unwrap();
    assert_eq!((after.node, after.space), (before.node, before.space));
    assert_ne!(after.session, before.session, "peers must not take it for the one that they knew");
    assert_eq!(node.json("app").await.unwrap().unwrap()["stored"], "kept");

    let dot = node.edit("app", [Edit::set(["after"], "the panic")]).await.unwrap();
    assert_ne!(dot.replica, stored.replica, "what was not closed is retired");
    timeout(PATIENCE, node.stored(dot)).await.unwrap().unwrap();
    told.next("operation_received");
    eventually("the edit", || peer.api.value("after"), |value| value == "the panic");
    assert_eq!(peer.api.value("stored"), "kept");
    node.close().await;
    let node = Node::builder().data(folder.path()).start().await.unwrap();
    assert_eq!(node.json("app").await.unwrap().unwrap()["after"], "the panic");
    node.close().await;
}

#[tokio::test]
async fn a_node_that_panics_again_and_again_gives_up_and_says_so() {
    let (_hub, url) = hub();
    let folder = tempfile::tempdir().unwrap();
    let _peer = NodeProcess::start(&format!("--name peer --hub {url} --room A3B7K9"));
    let panics = Arc::new(AtomicU32::new(u32::MAX));
    let node = failing(&panics).data(folder.path()).hub(&url, "A3B7K9").start().await.unwrap();
    timeout(PATIENCE, node.ended()).await.unwrap();
    assert_eq!(node.edit("app", [Edit::set(["k"], 1)]).await, Err(NodeError::Stopped));
    assert!(node.status().await.is_err());
    // The data directory is free, and in order.
    let node = Node::builder().data(folder.path()).start().await.unwrap();
    node.close().await;
}
