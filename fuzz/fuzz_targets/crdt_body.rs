//! Bodies of operations that are validly signed and say anything: applied or void, and two replicas that got
//! them in different causal orders hold the same.
//!
//! Every piece is an operation: its first byte says who wrote it, whether its author had seen the other's,
//! and when; the rest is its body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meshwork_base::{Bytes, Dot, Hash, HybridTime, ReplicaId};
use meshwork_crdt_state::{Config, Documents, Input};
use meshwork_fuzz::{Driven, STRANGER, log::document, pieces};
use meshwork_op_log::Operation;

fuzz_target!(|data: &[u8]| {
    let operations = operations(&pieces(data));
    let one = deliver(&operations);
    let other = deliver(&reordered(operations));
    let (one, other) = (one.machine(), other.machine());
    assert_eq!(one.state_hash(), other.state_hash());
    let json = |documents: &Documents| documents.document(&document()).map(|document| document.to_json());
    assert_eq!(json(one), json(other));
});

fn operations(pieces: &[&[u8]]) -> Vec<Operation> {
    let replicas = [ReplicaId([1; 16]), ReplicaId([2; 16])];
    let mut written = [0, 0];
    let mut operations = Vec::new();
    for piece in pieces {
        let Some((how, body)) = piece.split_first() else { continue };
        let author = usize::from(how & 1);
        written[author] += 1;
        let other = Dot::new(replicas[1 - author], written[1 - author]);
        operations.push(Operation {
            dot: Dot::new(replicas[author], written[author]),
            author: STRANGER.1,
            dependencies: (how & 2 != 0 && other.sequence > 0).then_some(other).into_iter().collect(),
            document: document(),
            time: HybridTime { wall_ms: u64::from(how >> 2), counter: 0 },
            body: Bytes::copy_from_slice(body),
            hash: Hash::of(body),
        });
    }
    operations
}

/// Another order in which a log may deliver: the second replica's operations as early as what they depend on
/// allows.
fn reordered(mut waiting: Vec<Operation>) -> Vec<Operation> {
    let mut delivered: Vec<Operation> = Vec::new();
    while !waiting.is_empty() {
        let is_here = |dot: &Dot| delivered.iter().any(|operation| operation.dot == *dot);
        let is_ready = |operation: &Operation| {
            let Dot { replica, sequence } = operation.dot;
            (sequence == 1 || is_here(&Dot::new(replica, sequence - 1)))
                && operation.dependencies.iter().all(is_here)
        };
        let ready = (0..waiting.len()).filter(|at| is_ready(&waiting[*at]));
        let next = ready.max_by_key(|at| waiting[*at].dot.replica).expect("dependencies are not circular");
        let next = waiting.remove(next);
        delivered.push(next);
    }
    delivered
}

fn deliver(operations: &[Operation]) -> Driven<Documents> {
    let mut documents = Driven::new(|| Documents::new(Config::default()));
    for operation in operations {
        documents.feed(Input::Deliver(vec![operation.clone()]));
    }
    documents
}
