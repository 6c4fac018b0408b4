//! The bytes of blocks, messages and rows are pinned: whoever changes them raises `FORMAT` or the frames' version.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod common;

use std::{path::PathBuf, sync::Arc};

use common::SPACE;
use meshwork_base::{
    Bytes, DocumentId, Dot, Hash, HybridTime, Machine, Monotonic, ReplicaId, Row, Seed, SessionId, Table,
    Timestamp, Tip, Version,
};
use meshwork_identity::{Ed25519, NodeKey};
use meshwork_op_log::{
    Config, Context, Effect, Entry, EntryWriter, Input, Message, NewOperation, OpLog, Range,
};
use meshwork_wire::{OPERATION_BYTES_MAX, encode};

fn assert_golden(name: &str, bytes: &[u8]) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("hex");
    let found = base16ct::lower::encode_string(bytes);
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected.trim(), "{} differs", path.display());
}

fn key() -> NodeKey {
    NodeKey::from_seed(&Seed::from_number(1))
}

fn open(rows: Vec<Row>) -> OpLog {
    let context = Context { space: SPACE, signer: Arc::new(key()), verifier: Arc::new(Ed25519) };
    let now = Timestamp { monotonic: Monotonic(0), wall_ms: 1_700_000_000_000 };
    OpLog::open(Config::default(), context, now, Seed::from_number(2), rows).unwrap()
}

fn effects(log: &mut OpLog) -> Vec<Effect> {
    std::iter::from_fn(|| log.poll_effect()).collect()
}

fn new_operation(log: &OpLog, sequence: u64, body: &[u8]) -> NewOperation {
    NewOperation {
        dot: Dot::new(log.incarnation().replica, sequence),
        dependencies: vec![],
        document: DocumentId::new("users").unwrap(),
        time: HybridTime { wall_ms: 1_700_000_000_000, counter: 3 },
        body: Bytes::copy_from_slice(body),
    }
}

fn rows_of(effects: &[Effect]) -> Vec<Row> {
    let rows = effects.iter().filter_map(|effect| match effect {
        Effect::Persist { rows, .. } => Some(rows.clone()),
        _ => None,
    });
    rows.flatten().collect()
}

fn row_bytes(rows: &[Row]) -> Vec<u8> {
    let parts = rows.iter().map(|row| encode(&(row.table, &row.key, &row.value)).unwrap());
    parts.collect::<Vec<_>>().concat()
}

#[test]
fn golden_rows() {
    let mut log = open(vec![]);
    assert_golden("rows_opening", &row_bytes(&rows_of(&effects(&mut log))));
    let operations = vec![new_operation(&log, 1, b"one"), new_operation(&log, 2, &[7; 64])];
    log.handle(Timestamp::default(), Input::Append(operations));
    assert_golden("rows_block", &row_bytes(&rows_of(&effects(&mut log))));
    log.handle(Timestamp::default(), Input::Close);
    for write in 1..3 {
        log.handle(Timestamp::default(), Input::Persisted { write: meshwork_base::WriteId(write) });
    }
    assert_golden("rows_closing", &row_bytes(&rows_of(&effects(&mut log))));
}

/// The row by which a store remembers that an author contradicts itself.
#[test]
fn golden_proof_row() {
    let liar = |body: &[u8]| {
        let mut writer = EntryWriter::new(SPACE, Arc::new(key()), &Seed::from_number(3));
        let document = DocumentId::new("users").unwrap();
        writer.write(vec![], &document, HybridTime::default(), body).unwrap().bytes().clone()
    };
    let mut log = open(vec![]);
    effects(&mut log);
    let blocks = vec![liar(b"one"), liar(&[7; 64])];
    let from = SessionId([8; 16]);
    log.handle(Timestamp::default(), Input::PeerUp { peer: from });
    let message = Message::Blocks { wanted: false, blocks };
    log.handle(Timestamp::default(), Input::Received { from, message });
    let mut rows = rows_of(&effects(&mut log));
    rows.retain(|row| row.table == Table::Proofs);
    assert_golden("rows_proof", &row_bytes(&rows));
}

/// What peers compare.
#[test]
fn golden_digest() {
    let tip = |sequence| Tip { sequence, hash: Hash::of(b"tip") };
    let tips = [(ReplicaId([3; 16]), tip(300)), (ReplicaId([4; 16]), tip(1))];
    let version: Version = tips.into_iter().collect();
    assert_golden("version_digest", &version.digest().0);
}

#[test]
fn golden_messages() {
    let tip = Tip { sequence: 300, hash: Hash::of(b"tip") };
    let replica = ReplicaId([3; 16]);
    let block = Bytes::from_static(b"block");
    let messages = [
        ("digest", Message::Digest { digest: Hash::of(b"version"), answer: true }),
        ("have", Message::Have { entries: vec![(replica, tip)], answer_wanted: true }),
        ("want", Message::Want { ranges: vec![Range { replica, after: 4, tip }], credit_bytes: 524_288 }),
        ("credit", Message::Credit { bytes: 262_144 }),
        ("blocks", Message::Blocks { wanted: true, blocks: vec![block.clone(), Bytes::new()] }),
        ("proof", Message::Proof { first: block.clone(), second: block }),
    ];
    for (name, message) in messages {
        assert_golden(&format!("message_{name}"), &encode(&message).unwrap());
    }
}

#[test]
fn an_operation_of_64_bytes_takes_less_than_110_on_the_wire() {
    let mut log = open(vec![]);
    effects(&mut log);
    let operations = (1..=500).map(|sequence| new_operation(&log, sequence, &[7; 64])).collect();
    log.handle(Timestamp::default(), Input::Append(operations));
    let rows = rows_of(&effects(&mut log));
    let block = rows[0].value.clone().unwrap();
    assert!(block.len() < 500 * 110, "{}", block.len());
    assert_eq!(Entry::read(SPACE, block).unwrap().operations().len(), 500);
}

#[test]
fn blocks_end_at_their_bounds() {
    let sizes = |bodies: Vec<usize>| {
        let mut log = open(vec![]);
        effects(&mut log);
        let number = (1..).zip(&bodies);
        let operations =
            number.map(|(sequence, size)| new_operation(&log, sequence, &vec![7; *size])).collect();
        log.handle(Timestamp::default(), Input::Append(operations));
        // The full ones are signed at once, the rest with the next flush.
        log.handle_timeout(Timestamp { monotonic: Monotonic(2_000), wall_ms: 0 });
        let rows = rows_of(&effects(&mut log));
        let entries = rows.into_iter().map(|row| Entry::read(SPACE, row.value.unwrap()).unwrap());
        entries.map(|entry| entry.operations().len()).collect::<Vec<_>>()
    };
    assert_eq!(sizes(vec![0; 2050]), [1024, 1024, 2]);
    assert_eq!(sizes(vec![30_000; 5]), [2, 2, 1]);
    assert_eq!(sizes(vec![10, OPERATION_BYTES_MAX, 10, 10]), [1, 1, 2]);
}

/// An idle log signs at once; a busy one once an interval, however many operations came.
#[test]
fn one_signature_a_flush() {
    let mut log = open(vec![]);
    effects(&mut log);
    let at = |us: u64| Timestamp { monotonic: Monotonic(us), wall_ms: 0 };
    let mut blocks = Vec::new();
    for sequence in 1..=11 {
        let operation = new_operation(&log, sequence, b"x");
        log.handle(at(sequence * 100), Input::Append(vec![operation]));
        blocks.push(rows_of(&effects(&mut log)).len());
    }
    assert_eq!(blocks, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(log.pending(), 11);
    assert_eq!(log.poll_timeout().unwrap().at, Monotonic(2_100));
    log.handle_timeout(at(2_099));
    assert!(effects(&mut log).is_empty());
    log.handle_timeout(at(2_100));
    let rows = rows_of(&effects(&mut log));
    assert_eq!(Entry::read(SPACE, rows[0].value.clone().unwrap()).unwrap().operations().len(), 10);
    assert_eq!(log.poll_timeout(), None);
}

/// The timers of a hidden tab fire once a minute, but messages reach it.
#[test]
fn whatever_comes_signs_what_is_due() {
    let mut log = open(vec![]);
    effects(&mut log);
    let at = |us: u64| Timestamp { monotonic: Monotonic(us), wall_ms: 0 };
    for sequence in 1..=2 {
        let operation = new_operation(&log, sequence, b"x");
        log.handle(at(sequence * 100), Input::Append(vec![operation]));
    }
    effects(&mut log);
    for (us, signed) in [(2_099, 0), (2_100, 1), (2_200, 0)] {
        log.handle(at(us), Input::Sync);
        assert_eq!(rows_of(&effects(&mut log)).len(), signed, "{us}");
    }
}
