//! Clients that edit, each through one node's local API.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use meshwork_base::Random;
use serde_json::{Value, json};
use tokio::{sync::watch, time::sleep};

use crate::{
    ledger::{Reply, Wait},
    member::Member,
    record::Record,
};

/// At each node, so that edits go on while some wait for an answer.
pub(crate) const CLIENTS: usize = 6;
/// Registers and tags that all nodes write.
const SHARED: u64 = 16;

/// Numbers a node's edits, across its clients and lives.
pub(crate) type Counter = Arc<AtomicU64>;

/// Edits until it is told to stop. Runs on the node's host.
pub(crate) async fn client(
    node: Arc<Member>,
    record: Arc<Record>,
    numbers: Counter,
    mut random: Random,
    stop: watch::Receiver<bool>,
) {
    while !*stop.borrow() {
        sleep(random.duration(Duration::from_millis(50), Duration::from_millis(250))).await;
        let wait = match random.below(10) {
            0..3 => Wait::Visible,
            3..7 => Wait::Stored,
            _ => Wait::Confirmed,
        };
        edit(&node, &record, &numbers, &mut random, wait).await;
    }
}

/// One edit, and what the node replied.
pub(crate) async fn edit(node: &Member, record: &Record, numbers: &Counter, random: &mut Random, wait: Wait) {
    let entry = format!("{}.{}", node.number, numbers.fetch_add(1, Ordering::SeqCst));
    let life = node.life();
    let reply = node.api.edit(&edits(&entry, random), wait).await;
    let mut notes = record.lock();
    let edits = notes.edits.entry(node.number).or_default();
    match reply {
        Ok(Ok(dot)) => {
            *edits.answered.entry(wait).or_default() += 1;
            notes.ledger.replied(Reply { node: node.number, life, entry, dot, wait });
        }
        Ok(Err(refusal)) => notes.complaints.push(format!("{} refuses an edit: {refusal}", node.name)),
        Err(_) => edits.unanswered += 1,
    }
}

/// An entry that nobody else makes, counted; and something that others write too.
fn edits(entry: &str, random: &mut Random) -> Value {
    let number = random.below(SHARED);
    let shared = match random.below(4) {
        0 => json!({ "set": { "path": ["shared", number.to_string()], "value": entry } }),
        1 => json!({ "delete": { "path": ["shared", number.to_string()] } }),
        2 => json!({ "add": { "path": ["tags"], "value": number } }),
        _ => json!({ "remove": { "path": ["tags"], "value": number } }),
    };
    json!([
        { "set": { "path": ["entries", entry], "value": random.number().to_string() } },
        { "increment": { "path": ["total"], "by": 1 } },
        shared,
    ])
}

/// An edit that takes room on the disk.
pub(crate) fn bulky(node: usize, random: &mut Random) -> Value {
    let text: String =
        (0..2_048).map(|_| format!("{:016x}{:016x}", random.number(), random.number())).collect();
    json!({ "assign": { "path": ["bulk", node.to_string()], "value": text } })
}
