//! What the benchmark and its workers say to each other: one JSON object a line, over standard input and output.
//!
//! Moments are microseconds of the wall clock, which all processes of one machine share.

use std::{collections::BTreeMap, path::PathBuf};

use meshwork::{ReplicaId, RoomCode};
use serde::{Deserialize, Serialize};

/// From the benchmark to a worker.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(tag = "order", rename_all = "snake_case")]
pub(crate) enum Order {
    /// Start nodes, in memory or in a directory.
    Start { hub: String, room: RoomCode, name: String, data: Option<PathBuf>, nodes: usize },
    /// Note when operations of others become visible, from now on.
    Watch,
    /// Tell what was noted.
    Seen,
    /// Make so many edits, one at a time.
    Pace { edits: u64, every_us: u64 },
    /// Make edits as fast as they are taken: `batch` transactions a call, for so long or until there are so many.
    Flood { batch: usize, ms: Option<u64>, edits: Option<u64> },
    /// Tell when all of this is visible and durable.
    Await { up_to: BTreeMap<ReplicaId, u64> },
    /// Close the nodes.
    Stop,
    /// For a worker with a bare connection instead of nodes.
    Raw(RawOrder),
}

/// For the performer of connections, with nothing above it.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(tag = "raw", rename_all = "snake_case")]
pub(crate) enum RawOrder {
    /// Offer a connection.
    Offer,
    /// Answer an offer.
    Answer { offer: String },
    /// Take an answer.
    Accept { answer: String },
    /// Send back whatever comes.
    Echo,
    /// Send frames to one who echoes, each so long after the last came back.
    Ping { count: usize, every_us: u64 },
    /// Send full frames as fast as they leave.
    Send { bytes: usize },
    /// Tell when so much has come.
    Receive { bytes: usize },
}

/// From a worker to the benchmark.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(tag = "tell", rename_all = "snake_case")]
pub(crate) enum Tell {
    /// The nodes run, and author as these replicas.
    Started { replicas: Vec<ReplicaId>, at_us: u64 },
    /// A link is up.
    Linked { connect_us: u64, at_us: u64 },
    /// A link is gone.
    Unlinked { at_us: u64 },
    /// The worker notes what it sees.
    Watching,
    /// When operations became visible, by sequence.
    Seen { times: Vec<(u64, u64)> },
    /// When edits were begun, by sequence.
    Paced { times: Vec<(u64, u64)> },
    /// The edits are made; `up_to` is the last.
    Flooded { start_us: u64, made: u64, up_to: u64 },
    /// What was awaited is visible and durable.
    Reached { at_us: u64 },
    /// The nodes are closed.
    Stopped,
    /// A description for the other side.
    Described { sdp: String },
    /// The connection is open.
    Opened,
    /// Round trips, in nanoseconds.
    Trips { ns: Vec<u64> },
    /// The first frame leaves.
    Sending { at_us: u64 },
    /// The last byte has come.
    Received { at_us: u64 },
}
