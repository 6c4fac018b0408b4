//! What the demo and its nodes say to each other: one JSON object a line, over standard input and output.

use std::{collections::BTreeMap, path::PathBuf};

use meshwork::{Hash, NodeId, ReplicaId};
use serde::{Deserialize, Serialize};

/// From the demo to a node.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(tag = "order", rename_all = "snake_case")]
pub(crate) enum Order {
    /// Make edits.
    Work(Work),
    /// Write down what the time is, for the others to see how long that takes them.
    TellTime,
    /// Say how things stand.
    Report,
    /// Write the document to a file.
    Export { path: PathBuf },
    /// Close the node cleanly, and end.
    Stop,
}

/// What to write.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Work {
    /// A workload of users and chats.
    Generate { edits: u64, seed: u64, rate: u64 },
    /// This node's share of a JSON file: batches `index`, `index + of`, `index + 2 of`, …
    Import { file: PathBuf, index: usize, of: usize },
}

/// From a node to the demo.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(tag = "tell", rename_all = "snake_case")]
pub(crate) enum Tell {
    /// The node runs. It authors as `replica`, and holds so much from its disk.
    Ready { node: NodeId, replica: ReplicaId, version: BTreeMap<ReplicaId, u64> },
    /// Another incarnation has begun.
    Replica { replica: ReplicaId },
    /// A link is up.
    Link { connect_us: u64 },
    /// So many edits are made, of so many.
    Progress { made: u64, of: u64 },
    /// Operations up to this one are stored on enough nodes. A promise: none of them may ever be missing.
    Confirmed { replica: ReplicaId, up_to: u64 },
    /// The work is done, and durable here.
    Done,
    /// It went wrong.
    Failed { reason: String },
    /// How things stand.
    Report(Report),
    /// The document is written.
    Exported,
}

/// How things stand with a node.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Report {
    /// What is held: visible in the documents and durable.
    pub(crate) version: BTreeMap<ReplicaId, u64>,
    /// Operations that are visible in the documents, but not durable yet.
    pub(crate) unstored: u64,
    /// A hash of all documents.
    pub(crate) state_hash: Hash,
    /// Operations that are known to be confirmed.
    pub(crate) confirmed: u64,
    /// Links that are up.
    pub(crate) links: usize,
    /// Bytes sent on all links since the process started.
    pub(crate) sent_bytes: u64,
    /// From an edit on another node until it was visible here, in microseconds.
    pub(crate) propagation_us: Vec<u64>,
}

impl Report {
    /// A number that grows while the mesh comes together.
    pub(crate) fn progress(&self) -> u64 {
        self.version.values().sum::<u64>() + self.confirmed + self.links as u64
    }
}
