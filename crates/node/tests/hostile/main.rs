//! A peer that sends what no node sends, over real links: it pays for it, and correct nodes go on. (What else a
//! hostile peer can put into messages is tested with each machine.)
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod author;
#[path = "../common/mod.rs"]
mod common;

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use common::{Api, NodeProcess, Process, eventually, hub};
use meshwork::{Bytes, ConnectionEvents, Connector, Edit, Node};
use meshwork_transport::{
    ConnectionAction, ConnectionEvent, LinkId,
    webrtc::{WebRtc, WebRtcConfig},
};
use meshwork_wire::Channel;
use serde_json::Value;
use tokio::sync::mpsc;

/// What is sent instead of a frame that carries operations.
type Tamper = Arc<dyn Fn(Bytes) -> Vec<Bytes> + Send + Sync>;

type Frames = fn(Bytes) -> Vec<Bytes>;

/// Filled while the node is to tamper.
type Armed = Arc<Mutex<Option<Tamper>>>;

/// Sends something else than it is told, once it is told how.
struct Tampering {
    webrtc: WebRtc,
    tamper: Armed,
}

impl Connector for Tampering {
    fn perform(&mut self, link: LinkId, action: ConnectionAction) {
        match (action, self.tamper.lock().unwrap().clone()) {
            // Also on `bulk`: what is refused when it is new would come again that way as it should be.
            (
                ConnectionAction::Transmit { channel: channel @ (Channel::Live | Channel::Bulk), frame },
                Some(tamper),
            ) => {
                for frame in tamper(frame) {
                    self.webrtc.perform(link, ConnectionAction::Transmit { channel, frame });
                }
            }
            (action, _) => self.webrtc.perform(link, action),
        }
    }

    fn close(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(self.webrtc.close())
    }
}

fn webrtc(events: ConnectionEvents) -> Result<WebRtc, String> {
    WebRtc::new(WebRtcConfig::default(), events).map_err(|error| error.to_string())
}

/// Two correct nodes that are linked.
struct Correct {
    ada: NodeProcess,
    bob: NodeProcess,
    url: String,
    _hub: Process,
}

fn links(api: Api) -> impl Fn() -> Vec<Value> {
    move || {
        let peers = api.status()["connected_peers"].as_array().unwrap().clone();
        peers.iter().map(|peer| peer["session_id"].clone()).collect()
    }
}

impl Correct {
    fn start() -> Self {
        let (hub, url) = hub();
        let [ada, bob] = ["ada", "bob"]
            .map(|name| NodeProcess::start(&format!("--name {name} --hub {url} --room A3B7K9")));
        eventually("a link", links(ada.api), |links| links.len() == 1);
        Self { ada, bob, url, _hub: hub }
    }

    /// What one writes, the other still gets.
    fn go_on(&self, word: &str) {
        self.ada.api.set("from ada", word, "visible");
        self.bob.api.set("from bob", word, "visible");
        for api in [self.ada.api, self.bob.api] {
            for key in ["from ada", "from bob"] {
                eventually(
                    "a correct node's edit",
                    || api.value(&key.replace(' ', "%20")),
                    |value| value == word,
                );
            }
        }
    }
}

async fn mallory(correct: &Correct) -> (Node, Value, Armed) {
    let tamper = Armed::default();
    let told = tamper.clone();
    let node = Node::builder().name("mallory").hub(&correct.url, "A3B7K9");
    let node = node.connector(move |events| Ok(Tampering { webrtc: webrtc(events)?, tamper: told.clone() }));
    let node = node.start().await.unwrap();
    let session = node.identity().unwrap().session.to_string().into();
    for api in [correct.ada.api, correct.bob.api] {
        eventually("mallory's link", links(api), |links| links.contains(&session));
    }
    (node, session, tamper)
}

async fn edits(node: &Node, number: i64) {
    let dot = node.edit("app", [Edit::set(["mallory"], number)]).await.unwrap();
    node.stored(dot).await.unwrap();
}

#[tokio::test]
async fn bytes_that_are_no_frame_cost_the_link_at_once() {
    let correct = Correct::start();
    let table: [(Frames, &str); 4] = [
        (|_| vec![Bytes::from_static(b"garbage that was never a frame")], "frame version 103 is unknown"),
        (|frame| vec![frame.slice(..frame.len() / 2)], "cut short"),
        // Says that it is compressed, and that it takes four gigabytes.
        (|_| vec![Bytes::from_static(&[1, 1, 255, 255, 255, 255, 0])], "4294967295 bytes is over the limit"),
        (|_| vec![Bytes::new()], "0 there"),
    ];
    for (tamper, reason) in table {
        let mut told = correct.ada.api.events();
        let (node, session, armed) = mallory(&correct).await;
        *armed.lock().unwrap() = Some(Arc::new(tamper));
        edits(&node, 1).await;
        let misbehaved = told.next("misbehaved");
        assert_eq!(
            (&misbehaved["session"], &misbehaved["cut"]),
            (&session, &Value::Bool(true)),
            "{misbehaved}"
        );
        assert!(misbehaved["reason"].as_str().unwrap().contains(reason), "{misbehaved}");
        for api in [correct.ada.api, correct.bob.api] {
            eventually("the cut", links(api), |links| links.len() == 1 && !links.contains(&session));
        }
        assert_eq!(correct.ada.api.value("mallory"), Value::Null);
        correct.go_on(reason);
        node.close().await;
    }
}

#[tokio::test]
async fn a_block_that_is_not_what_was_signed_is_refused_and_counted() {
    let correct = Correct::start();
    let mut told = correct.ada.api.events();
    let (node, session, armed) = mallory(&correct).await;
    *armed.lock().unwrap() = Some(Arc::new(|frame| {
        let mut bytes = frame.to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        vec![bytes.into()]
    }));
    for (number, cut) in [(1, false), (2, false), (3, true)] {
        edits(&node, number).await;
        let misbehaved = told.next("misbehaved");
        assert_eq!(
            (&misbehaved["session"], &misbehaved["cut"]),
            (&session, &Value::Bool(cut)),
            "{misbehaved}"
        );
        assert!(misbehaved["reason"].as_str().unwrap().contains("signature"), "{misbehaved}");
    }
    eventually("the cut", links(correct.ada.api), |links| !links.contains(&session));
    assert_eq!(correct.ada.api.value("mallory"), Value::Null, "a forged operation is not shown");
    correct.go_on("on");
    node.close().await;
}

#[tokio::test]
async fn a_block_that_comes_again_and_again_changes_nothing() {
    let correct = Correct::start();
    let (node, session, armed) = mallory(&correct).await;
    *armed.lock().unwrap() = Some(Arc::new(|frame| vec![frame; 50]));
    for number in 1..=3 {
        edits(&node, number).await;
        let shown = || correct.ada.api.value("mallory");
        eventually("the edit", shown, |value| *value == number);
    }
    correct.go_on("on");
    let status = correct.ada.api.status();
    assert_eq!(status["operation_log_size"], 5, "{status}");
    assert!(links(correct.ada.api)().contains(&session), "it costs nothing but bytes");
    node.close().await;
}

/// Sees another certificate at the other end than the one that is there, as behind somebody in the middle.
struct Intercepted(WebRtc);

impl Intercepted {
    fn new(events: ConnectionEvents) -> Result<Self, String> {
        let (sender, mut real) = mpsc::channel(16);
        tokio::task::spawn_local(async move {
            while let Some((link, event)) = real.recv().await {
                let event = match event {
                    ConnectionEvent::Opened(mut fingerprints) => {
                        fingerprints.remote = fingerprints.remote.replace('A', "B").replace('1', "2");
                        ConnectionEvent::Opened(fingerprints)
                    }
                    event => event,
                };
                if events.send((link, event)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self(webrtc(sender)?))
    }
}

impl Connector for Intercepted {
    fn perform(&mut self, link: LinkId, action: ConnectionAction) {
        self.0.perform(link, action);
    }

    fn close(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(self.0.close())
    }
}

#[tokio::test]
async fn a_connection_with_somebody_in_the_middle_does_not_become_a_link() {
    let correct = Correct::start();
    let mut told = correct.ada.api.events();
    let node = Node::builder().hub(&correct.url, "A3B7K9").connector(Intercepted::new).start().await.unwrap();
    let failed = told.next("link_failed");
    assert_eq!(failed["session"], node.identity().unwrap().session.to_string());
    assert_eq!(failed["stage"], "handshake");
    assert!(failed["reason"].as_str().unwrap().contains("do not trust this hub"), "{failed}");
    correct.go_on("on");
    assert_eq!(node.status().await.unwrap().connected_peers.len(), 0);
    assert_eq!(links(correct.ada.api)().len(), 1);
    node.close().await;
}
