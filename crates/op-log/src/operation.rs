//! An operation: one transaction of one replica.

use meshwork_base::{Bytes, DocumentId, Dot, Hash, HybridTime, NodeId};

/// An operation as its maker hands it in: numbered and with its dependencies, not yet chained or signed.
///
/// `crdt-state` numbers it, because only it knows what the author had seen; the log never substitutes its own,
/// possibly newer, frontier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewOperation {
    /// Its id: the replica's previous sequence plus one.
    pub dot: Dot,
    /// The newest operations of *other* replicas that the author had applied and that its own earlier operations do
    /// not already depend on; strictly ascending. The author's own previous operation is implied.
    pub dependencies: Vec<Dot>,
    /// The document it changes.
    pub document: DocumentId,
    /// Orders concurrent writes.
    pub time: HybridTime,
    /// The mutations, opaque to the log; at most [`OPERATION_BYTES_MAX`](meshwork_wire::OPERATION_BYTES_MAX) bytes.
    pub body: Bytes,
}

/// An operation that is chained and covered by a signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation {
    /// Its id.
    pub dot: Dot,
    /// The node that signed it.
    pub author: NodeId,
    /// See [`NewOperation::dependencies`].
    pub dependencies: Vec<Dot>,
    /// The document it changes.
    pub document: DocumentId,
    /// Orders concurrent writes.
    pub time: HybridTime,
    /// The mutations.
    pub body: Bytes,
    /// The hash of its header.
    pub hash: Hash,
}
