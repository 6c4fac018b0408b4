//! Blocks that no node writes, but that are signed: what they do, and what they do not.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use meshwork::{
    Bytes, DocumentId, Documents, Dot, Edit, HybridTime, Incarnation, NodeId, ReplicaId, RequestId, Seed,
    SpaceId, Timestamp, step,
};
use meshwork_crdt_state as documents;
use meshwork_identity::{NodeKey, Purpose, Signature, Signer};
use meshwork_op_log::{EntryWriter, Message};
use meshwork_wire::{FrameWriter, Protocol, encode};
use serde_json::Value;

use crate::{
    Correct,
    common::{PATIENCE, eventually},
    edits, links, mallory,
};

/// What a hostile author puts into a log, by means of a replica of its own.
struct Author {
    space: SpaceId,
    signer: Arc<dyn Signer>,
    writer: EntryWriter,
}

/// Signs with another key than the one that it names.
struct Impostor {
    named: NodeKey,
    signs: NodeKey,
}

impl Signer for Impostor {
    fn node(&self) -> NodeId {
        self.named.node()
    }

    fn sign(&self, purpose: Purpose, message: &[u8]) -> Signature {
        self.signs.sign(purpose, message)
    }
}

fn key(number: u64) -> NodeKey {
    NodeKey::from_seed(&Seed::from_number(number))
}

fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

impl Author {
    fn new(space: SpaceId, signer: Arc<dyn Signer>) -> Self {
        let writer = EntryWriter::new(space, signer.clone(), &Seed::from_number(7));
        Self { space, signer, writer }
    }

    /// A second writer of the same replica.
    fn twin(&self) -> Self {
        Self::new(self.space, self.signer.clone())
    }

    fn write(&mut self, dependencies: Vec<Dot>, wall_ms: u64, body: &[u8]) -> Bytes {
        let time = HybridTime { wall_ms, counter: 0 };
        let document = DocumentId::new("app").unwrap();
        self.writer.write(dependencies, &document, time, body).unwrap().bytes().clone()
    }
}

/// The body of an operation that sets `key` in a document.
fn body(key: &str) -> Bytes {
    let mut documents = Documents::new(documents::Config::default());
    let incarnation = Incarnation { replica: ReplicaId::default(), epoch: 1, next_sequence: 1 };
    let edit = documents::Input::Edit {
        request: RequestId::default(),
        document: DocumentId::new("app").unwrap(),
        edits: vec![Edit::set([key], "hostile")],
    };
    let mut body = None;
    for input in [documents::Input::Incarnation(incarnation), edit] {
        step(&mut documents, Timestamp::default(), Some(input), |effect| {
            if let documents::Effect::Append(operations) = effect {
                body = Some(operations[0].body.clone());
            }
        });
    }
    body.unwrap()
}

/// A frame with blocks in it.
fn frame(blocks: Vec<Bytes>) -> Bytes {
    let message = encode(&Message::Blocks { wanted: false, blocks }).unwrap();
    let mut frames = FrameWriter::default();
    frames.push(Protocol::OpLog, message.into()).unwrap();
    frames.finish().unwrap()
}

/// What is wrong with the blocks of a row, and what a correct node tells of it.
struct Row {
    name: &'static str,
    blocks: fn(&mut Author, &str) -> Vec<Bytes>,
    event: Option<&'static str>,
    /// One of these.
    shown: Vec<Value>,
    pending: u64,
}

#[tokio::test]
async fn what_a_hostile_author_signs_stays_its_own_trouble() {
    const UNKNOWN: Dot = Dot { replica: ReplicaId([9; 16]), sequence: 1 };
    const DAY_MS: u64 = 86_400_000;
    let table = [
        Row {
            name: "future",
            blocks: |author, key| vec![author.write(vec![], wall_ms() + DAY_MS, &body(key))],
            event: Some("time_ahead"),
            shown: vec!["hostile".into()],
            pending: 0,
        },
        Row {
            name: "orphan",
            blocks: |author, key| vec![author.write(vec![UNKNOWN], wall_ms(), &body(key))],
            event: None,
            shown: vec![Value::Null],
            pending: 1,
        },
        Row {
            name: "impostor",
            blocks: |author, name| {
                let impostor = Impostor { named: key(1), signs: key(2) };
                let mut author = Author::new(author.space, Arc::new(impostor));
                vec![author.write(vec![], wall_ms(), &body(name))]
            },
            event: Some("misbehaved"),
            shown: vec![Value::Null],
            pending: 0,
        },
        Row {
            name: "branches",
            blocks: |author, key| {
                let mut twin = author.twin();
                vec![
                    author.write(vec![], wall_ms(), &body(key)),
                    twin.write(vec![], wall_ms(), &body("the other branch")),
                ]
            },
            event: Some("equivocation"),
            // Whoever heard of the proof first takes neither branch.
            shown: vec!["hostile".into(), Value::Null],
            pending: 0,
        },
        Row {
            name: "nonsense",
            blocks: |author, key| {
                let body = body(key);
                vec![author.write(vec![], wall_ms(), &body[..body.len() - 1])]
            },
            event: Some("operation_invalid"),
            shown: vec![Value::Null],
            pending: 0,
        },
    ];
    for Row { name, blocks, event, shown, pending } in table {
        let correct = Correct::start();
        let mut told = correct.ada.api.events();
        let (node, session, armed) = mallory(&correct).await;
        let mut author = Author::new(node.identity().unwrap().space, Arc::new(key(3)));
        let blocks = blocks(&mut author, name);
        *armed.lock().unwrap() = Some(Arc::new(move |_| vec![frame(blocks.clone())]));
        edits(&node, 1).await;
        if let Some(event) = event {
            let event = told.next(event);
            let by_link = event["session"] == session;
            let by_author = event["author"] == author.signer.node().to_string();
            assert!(by_link || by_author && event["operation"]["sequence"] == 1, "{name}: {event}");
        }
        let deadline = Instant::now() + PATIENCE;
        while correct.ada.api.status()["pending_operations"] != pending {
            assert!(Instant::now() < deadline, "{name}: {}", correct.ada.api.status());
            // What waits goes with its link, and a busy machine may lose one.
            edits(&node, 1).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        eventually(name, || correct.ada.api.value(name), |value| shown.contains(value));
        assert!(links(correct.ada.api)().contains(&session), "{name}: one block does not cost the link");
        correct.go_on(name);

        // Whatever time the hostile one claimed, ours stays ours.
        let dot: Dot = serde_json::from_value(correct.ada.api.set("after", name, "stored")).unwrap();
        let deadline = Instant::now() + PATIENCE;
        let time = loop {
            if let Some(operation) = node.read_log(move |log| log.operation(dot)).await.unwrap() {
                break operation.time;
            }
            assert!(Instant::now() < deadline, "{name}: the edit does not arrive");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert!(time.wall_ms < wall_ms() + DAY_MS / 2, "{name}: {time:?}");
        node.close().await;
    }
}
