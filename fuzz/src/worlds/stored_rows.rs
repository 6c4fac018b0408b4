//! Rows of a log that were valid once: bits flip, rows are cut, lost, doubled or replaced by older ones. What opens
//! all the same holds nothing that was never written.

use std::sync::{Arc, LazyLock};

use meshwork_base::{Bytes, Dot, HybridTime, NodeId, Row, Seed};
use meshwork_identity::KeyedHash;
use meshwork_op_log::{EntryWriter, Input, Message, Operation};
use serde::{Deserialize, Serialize};

use super::session;
use crate::{
    OWN, SPACE,
    log::{Disk, Log, document, rows},
    script,
};

/// What may happen to the rows. They are chosen by their place.
#[derive(Debug, Serialize, Deserialize)]
pub enum Step {
    /// Bits of a value flip.
    Flip { row: u8, at: u8, page: u8, bits: u8 },
    /// Bits of a key flip.
    FlipKey { row: u8, at: u8, bits: u8 },
    /// A value is cut, so many bytes before its end.
    Cut { row: u8, bytes: u8 },
    /// Bytes follow a value.
    Extend { row: u8 },
    /// A row is lost.
    Lose { row: u8 },
    /// A row's value lies under another key as well.
    Double { row: u8, to: u8 },
    /// A row is as it was before the log was closed.
    Older { row: u8 },
}

impl script::Step for Step {
    const KINDS: u8 = 7;
}

/// Runs a fuzz input. Its first byte chooses whether the log had been closed, and how much was written.
pub fn run(data: &[u8]) {
    /// Made once: it takes longer than all the rest.
    static HISTORIES: LazyLock<Vec<History>> = LazyLock::new(|| (0..16).map(history).collect());
    let Some((chosen, data)) = data.split_first() else { return };
    let History { disk, older, written } = &HISTORIES[usize::from(chosen % 16)];
    let mut disk = disk.clone();
    for (step, bytes) in script::steps(data) {
        damage(&mut disk, older, step, bytes);
    }
    let mut log = match open(disk) {
        Ok(log) => log,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    for operation in log.machine().last_operations(usize::MAX) {
        assert!(written.contains(&operation), "{} was never written", operation.dot);
    }
    log.write(b"one more");
    if let Err(error) = open(log.close()) {
        panic!("after a clean close: {error}");
    }
}

fn key(node: NodeId) -> Arc<KeyedHash> {
    Arc::new(KeyedHash { node, world: [3; 32] })
}

fn open(disk: Disk) -> Result<Log, meshwork_op_log::OpenError> {
    Log::open_as(disk, 1, key(OWN), key(OWN))
}

struct History {
    disk: Disk,
    /// What it was a little earlier.
    older: Disk,
    /// All that was written.
    written: Vec<Operation>,
}

fn history(chosen: u8) -> History {
    let mut log = open(Disk::new()).expect("an empty disk opens");
    let peer = session(1);
    log.feed(Input::PeerUp { peer });
    let mut writers = [2, 3].map(|number| {
        let signer = key(NodeId([number; 32]));
        (
            EntryWriter::new(SPACE, signer.clone(), &Seed::from_number(1)),
            EntryWriter::new(SPACE, signer, &Seed::from_number(1)),
        )
    });
    let mut seen: Vec<Dot> = Vec::new();
    for number in 0..1 + chosen % 4 {
        log.write(&[number; 300]);
        for (writer, _) in &mut writers {
            let entry = writer.write(seen.clone(), &document(), HybridTime::default(), &[number; 40]);
            let entry = entry.expect("it is well-formed");
            seen = entry.operations().last().map(|last| last.dot).into_iter().collect();
            let message = Message::Blocks { wanted: false, blocks: vec![entry.bytes().clone()] };
            log.feed(Input::Received { from: peer, message });
        }
    }
    if chosen & 4 != 0 {
        // The second author contradicts itself.
        let (_, liar) = &mut writers[1];
        let entry =
            liar.write(Vec::new(), &document(), HybridTime::default(), b"a lie").expect("it is well-formed");
        let message = Message::Blocks { wanted: false, blocks: vec![entry.bytes().clone()] };
        log.feed(Input::Received { from: peer, message });
    }
    log.write(b"last");
    // A busy log signs a little later.
    log.pass(2);
    log.feed(Input::Sync);
    let written = log.machine().last_operations(usize::MAX);
    let older = log.disk.clone();
    let disk = if chosen & 8 == 0 { older.clone() } else { log.close() };
    History { disk, older, written }
}

fn damage(disk: &mut Disk, older: &Disk, step: Step, bytes: &[u8]) {
    let all: Vec<Row> = rows(disk).collect();
    let row = |place: u8| all.get(usize::from(place) % all.len().max(1)).cloned();
    let flipped = |bytes: &Bytes, at: usize, bits: u8| {
        let mut bytes = bytes.to_vec();
        let at = at % bytes.len().max(1);
        bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= bits);
        Bytes::from(bytes)
    };
    let (Step::Flip { row: place, .. }
    | Step::FlipKey { row: place, .. }
    | Step::Cut { row: place, .. }
    | Step::Extend { row: place }
    | Step::Lose { row: place }
    | Step::Double { row: place, .. }
    | Step::Older { row: place }) = step;
    let Some(Row { table, key, value: Some(value) }) = row(place) else { return };
    let name = (table, key.clone());
    match step {
        Step::Flip { at, page, bits, .. } => {
            disk.insert(name, flipped(&value, usize::from(page) * 256 + usize::from(at), bits));
        }
        Step::FlipKey { at, bits, .. } => {
            disk.remove(&name);
            disk.insert((table, flipped(&key, at.into(), bits)), value);
        }
        Step::Cut { bytes, .. } => {
            disk.insert(name, value.slice(..value.len().saturating_sub(bytes.into())));
        }
        Step::Extend { .. } => drop(disk.insert(name, [&value[..], bytes].concat().into())),
        Step::Lose { .. } => drop(disk.remove(&name)),
        Step::Double { to, .. } => {
            if let Some(other) = row(to) {
                disk.insert((other.table, other.key), value);
            }
        }
        Step::Older { .. } => match older.get(&name) {
            Some(value) => drop(disk.insert(name, value.clone())),
            None => drop(disk.remove(&name)),
        },
    }
}
