//! A replica in a test: its documents, and what it has applied in order.

#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a failing helper fails the test")]

use meshwork_base::{Bytes, DocumentId, Dot, Hash, HybridTime, Machine, NodeId, ReplicaId, Timestamp};
use meshwork_crdt_state::{Config, Documents, Edit, EditError, Effect, Input, Path, RequestId, Value};
use meshwork_op_log::{Incarnation, NewOperation, Operation};

pub fn id() -> DocumentId {
    DocumentId::new("test").unwrap()
}

pub fn replica(number: u8) -> ReplicaId {
    ReplicaId([number; 16])
}

pub fn at(wall_ms: u64) -> Timestamp {
    Timestamp { wall_ms, ..Timestamp::default() }
}

pub fn incarnation(replica: ReplicaId, next_sequence: u64) -> Input {
    Input::Incarnation(Incarnation { replica, epoch: 1, next_sequence })
}

/// An operation as the log would deliver it.
pub fn signed(new: NewOperation) -> Operation {
    let NewOperation { dot, dependencies, document, time, body } = new;
    let author = NodeId([dot.replica.0[0]; 32]);
    Operation { dot, author, dependencies, document, time, hash: Hash::of(&body), body }
}

/// An operation with a body of its maker's choice.
pub fn forged(author: u8, sequence: u64, dependencies: Vec<Dot>, body: Vec<u8>) -> Operation {
    let dot = Dot::new(replica(author), sequence);
    let time = HybridTime { wall_ms: 1, counter: 0 };
    signed(NewOperation { dot, dependencies, document: id(), time, body: Bytes::from(body) })
}

pub fn effects(documents: &mut Documents) -> Vec<Effect> {
    std::iter::from_fn(|| documents.poll_effect()).collect()
}

pub struct Peer {
    pub documents: Documents,
    pub replica: ReplicaId,
    pub wall_ms: u64,
    /// All applied operations, in the order in which they were.
    pub log: Vec<Operation>,
}

impl Peer {
    pub fn new(number: u8) -> Self {
        let mut documents = Documents::new(Config::default());
        documents.handle(at(0), incarnation(replica(number), 1));
        Self { documents, replica: replica(number), wall_ms: 1_000, log: Vec::new() }
    }

    pub fn try_edit(&mut self, edits: Vec<Edit>) -> Result<Operation, EditError> {
        let input = Input::Edit { request: RequestId(1), document: id(), edits };
        self.documents.handle(at(self.wall_ms), input);
        let mut effects = effects(&mut self.documents);
        let Some(Effect::Edited { request: RequestId(1), result }) = effects.pop() else {
            panic!("no answer")
        };
        let dot = result?;
        let Some(Effect::Append(mut appended)) = effects.pop() else { panic!("nothing to append") };
        let operation = signed(appended.pop().unwrap());
        assert_eq!((operation.dot, appended.len(), effects.len()), (dot, 0, 0));
        self.log.push(operation.clone());
        Ok(operation)
    }

    pub fn edit<const N: usize>(&mut self, edits: [Edit; N]) -> Operation {
        self.try_edit(edits.into()).unwrap()
    }

    /// Delivers operations in one batch, known ones as well; tells what came of it.
    pub fn deliver(&mut self, operations: &[Operation]) -> Vec<Effect> {
        self.documents.handle(at(self.wall_ms), Input::Deliver(operations.to_vec()));
        for operation in operations {
            if !self.log.iter().any(|known| known.dot == operation.dot) {
                self.log.push(operation.clone());
            }
        }
        effects(&mut self.documents)
    }

    /// Takes over all that `other` has applied.
    pub fn pull(&mut self, other: &Self) {
        let effects = self.deliver(&other.log.clone());
        assert!(
            !effects.iter().any(|effect| matches!(effect, Effect::Invalid { .. } | Effect::Pending { .. }))
        );
    }

    pub fn json(&self) -> serde_json::Value {
        self.documents.document(&id()).map_or(serde_json::json!({}), |document| document.to_json())
    }
}

/// All pull from all, and must then agree.
pub fn exchange<const N: usize>(peers: &mut [Peer; N]) -> serde_json::Value {
    let logs: Vec<_> = peers.iter().map(|peer| peer.log.clone()).collect();
    for (number, peer) in peers.iter_mut().enumerate() {
        for log in logs.iter().cycle().skip(number).take(N) {
            peer.deliver(log);
        }
    }
    for peer in peers.iter() {
        assert_eq!(peer.json(), peers[0].json());
        assert_eq!(peer.documents.state_hash(), peers[0].documents.state_hash());
    }
    peers[0].json()
}

/// `"a/b"` as a path.
pub fn path(text: &str) -> Path {
    text.split('/').filter(|key| !key.is_empty()).map(String::from).collect()
}

pub fn set(at: &str, value: impl Into<Value>) -> Edit {
    Edit::Set { path: path(at), value: value.into() }
}

pub fn assign(at: &str, value: impl Into<Value>) -> Edit {
    Edit::Assign { path: path(at), value: value.into() }
}

pub fn make_map(at: &str) -> Edit {
    Edit::MakeMap { path: path(at) }
}

pub fn delete(at: &str) -> Edit {
    Edit::Delete { path: path(at) }
}

pub fn increment(at: &str, by: i64) -> Edit {
    Edit::Increment { path: path(at), by }
}

pub fn add(at: &str, value: impl Into<Value>) -> Edit {
    Edit::Add { path: path(at), value: value.into() }
}

pub fn remove(at: &str, value: impl Into<Value>) -> Edit {
    Edit::Remove { path: path(at), value: value.into() }
}
