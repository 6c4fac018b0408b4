//! The process is killed at any moment: what it acknowledged is there, nothing is there by half, and no operation id is
//! used for two operations.
//!
//! Each test runs itself again as the process that writes, tells on its standard output what it does, and is killed:
//! while it starts, while it opens, or some writes later.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use meshwork_base::{
    Bytes, DocumentId, Dot, HybridTime, Machine, Monotonic, NodeId, Random, ReplicaId, Row, Seed, SpaceId,
    Table, Timestamp, WriteId, step,
};
use meshwork_identity::KeyedHash;
use meshwork_op_log::{Config, Context, Effect, Entry, Input, NewOperation, OpLog};
use meshwork_storage::{Answer, RedbStore, StorageError, Store, Writer};

const FOLDER: &str = "MESHWORK_STORAGE_TEST_FOLDER";
const LIFE: &str = "MESHWORK_STORAGE_TEST_LIFE";
const WRITTEN_AHEAD: u64 = 16;

// The side of the one who kills.

/// What the killed process last told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Moment {
    /// It was started.
    Started,
    /// It is about to open its store.
    Opening,
    /// It has opened its store and writes.
    Writing,
    /// So many writes were acknowledged.
    Acknowledged(u64),
}

impl Moment {
    /// One in three lives ends before anything is acknowledged.
    fn random(random: &mut Random) -> Self {
        match random.below(9) {
            0 => Self::Started,
            1 => Self::Opening,
            2 => Self::Writing,
            _ => Self::Acknowledged(1 + random.below(3)),
        }
    }

    fn is_over(self, lines: &[String]) -> bool {
        let told = |word: &str| lines.iter().any(|line| line == word);
        match self {
            Self::Started => true,
            Self::Opening => told("opening"),
            Self::Writing => told("writing"),
            Self::Acknowledged(count) => {
                lines.iter().filter(|line| line.starts_with("stored ")).count() as u64 >= count
            }
        }
    }
}

/// A process that does not outlive the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).unwrap();
    }
}

/// Starts `process`, kills it at a moment and a little later, and returns all that it told.
fn run_and_kill(process: &str, life: u64, folder: &Path, moment: Moment, random: &mut Random) -> Vec<String> {
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", process, "--nocapture"])
        .env(FOLDER, folder)
        .env(LIFE, life.to_string())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = Killed(child.unwrap());
    let mut output = BufReader::new(child.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut told = Vec::new();
    while !moment.is_over(&told) {
        told.push(output.next().expect("the process ended by itself"));
    }
    if matches!(moment, Moment::Acknowledged(_)) {
        let in_use = StorageError::InUse { path: folder.join("meshwork.redb") };
        assert_eq!(RedbStore::open(folder).err(), Some(in_use));
    }
    thread::sleep(Duration::from_micros(random.below(if moment == Moment::Started { 8_000 } else { 1_000 })));
    child.0.kill().unwrap();
    told.extend(output);
    told
}

/// The rows that a killed process left. Half of the time the next one finds the file as this one left it.
fn rows_after(life: u64, folder: &Path) -> Vec<Row> {
    let copy = tempfile::tempdir().unwrap();
    let file = |folder: &Path| folder.join("meshwork.redb");
    if life.is_multiple_of(2) || !file(folder).exists() {
        return RedbStore::open(folder).unwrap().load().unwrap();
    }
    std::fs::copy(file(folder), file(copy.path())).unwrap();
    RedbStore::open(copy.path()).unwrap().load().unwrap()
}

// The side of the one who is killed.

/// The folder to write to and which life this is; as a test of its own a writer does nothing.
fn told_to_write() -> Option<(String, u64)> {
    Some((env::var(FOLDER).ok()?, env::var(LIFE).unwrap().parse().unwrap()))
}

fn tell(line: &str) {
    std::io::stdout().lock().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Opens the store. `answered` is called on the writer's thread.
fn open(folder: &str, answered: impl Fn(u64) + Send + 'static) -> (Vec<Row>, Writer) {
    tell("opening");
    let store = RedbStore::open(Path::new(folder)).unwrap();
    let rows = store.load().unwrap();
    let writer = Writer::spawn(Box::new(store), move |answer| {
        let Answer::Persisted { up_to } = answer else { panic!("{answer:?}") };
        answered(up_to.0);
    });
    tell("writing");
    (rows, writer)
}

// Rows alone: the store is exactly what whole writes leave.

/// Blocks of three replicas, so that they are put at several places of the table; a row that every write replaces; and
/// one that a later write deletes.
fn rows_of(write: u64) -> Vec<Row> {
    let mut random = Seed::from_number(write).random();
    let mut rows = vec![Row::put(Table::Meta, "last", write.to_be_bytes().to_vec())];
    for part in 0..1 + write % 4 {
        let mut value = vec![0; 8 * random.below(40) as usize];
        value.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&random.number().to_be_bytes()));
        rows.push(Row::put(Table::Blocks, key(write, part), value));
    }
    if write > 10 {
        rows.push(Row::delete(Table::Blocks, key(write - 10, 0)));
    }
    rows
}

fn key(write: u64, part: u64) -> Vec<u8> {
    let replica = [(write % 3) as u8; 16];
    [&replica[..], &write.to_be_bytes(), &part.to_be_bytes()].concat()
}

type Rows = BTreeMap<(Table, Bytes), Bytes>;

fn apply(rows: &mut Rows, write: Vec<Row>) {
    for Row { table, key, value } in write {
        match value {
            Some(value) => _ = rows.insert((table, key), value),
            None => _ = rows.remove(&(table, key)),
        }
    }
}

fn last_write(rows: &[Row]) -> u64 {
    let row = rows.iter().find(|row| row.table == Table::Meta);
    row.map_or(0, |row| u64::from_be_bytes(row.value.as_ref().unwrap()[..].try_into().unwrap()))
}

#[test]
fn row_process() {
    let Some((folder, _)) = told_to_write() else { return };
    let (answer, answers) = mpsc::channel();
    let (rows, writer) = open(&folder, move |up_to| {
        tell(&format!("stored {up_to}"));
        answer.send(up_to).unwrap();
    });
    let mut acknowledged = last_write(&rows);
    for write in acknowledged + 1.. {
        writer.write(WriteId(write), rows_of(write));
        while write - acknowledged >= WRITTEN_AHEAD {
            acknowledged = answers.recv().unwrap();
        }
    }
}

#[test]
fn acknowledged_writes_survive_sigkill_and_none_is_half_there() {
    const KILLS: u64 = 100;
    let folder = tempfile::tempdir().unwrap();
    let mut random = Seed::from_number(9).random();
    let (mut stored, mut expected) = (0, Rows::new());
    for life in 0..KILLS {
        let moment = Moment::random(&mut random);
        let told = run_and_kill("row_process", life, folder.path(), moment, &mut random);
        let acknowledged = told.iter().filter_map(|line| line.strip_prefix("stored ")?.parse::<u64>().ok());
        let acknowledged = acknowledged.max().unwrap_or(stored);
        let rows = rows_after(life, folder.path());
        let last = last_write(&rows);
        assert!(last >= acknowledged.max(stored), "{acknowledged} was acknowledged, {last} is there");
        (stored + 1..=last).for_each(|write| apply(&mut expected, rows_of(write)));
        let expected = expected.iter().map(|((table, key), value)| (*table, key, Some(value)));
        let found = rows.iter().map(|row| (row.table, &row.key, row.value.as_ref()));
        assert!(found.eq(expected), "the store is not what writes 1 to {last} leave");
        stored = last;
    }
    assert!(stored > 5 * KILLS, "too little was written between the kills: {stored} writes");
}

// A log above the store: laws 2 and 3.

fn open_log(rows: Vec<Row>, life: u64) -> OpLog {
    let key = Arc::new(KeyedHash { node: NodeId([1; 32]), world: [2; 32] });
    let context = Context { space: SpaceId([3; 16]), signer: key.clone(), verifier: key };
    // Signs whatever it is given at once.
    let config = Config { flush_interval_ms: 0, ..Config::default() };
    OpLog::open(config, context, now(), Seed::from_number(life), rows).unwrap()
}

/// The clocks stand still: no life is told apart by its time.
fn now() -> Timestamp {
    Timestamp { monotonic: Monotonic(0), wall_ms: 1_700_000_000_000 }
}

/// The next operation; it depends on the last one of an earlier life and says in which it was made.
fn operation(dot: Dot, earlier: Option<Dot>, life: u64) -> NewOperation {
    let mut random = Seed::from_number(life * 1_000_003 + dot.sequence).random();
    let mut body = life.to_be_bytes().to_vec();
    body.resize(8 + random.below(600) as usize, 7);
    NewOperation {
        dot,
        dependencies: earlier.into_iter().filter(|_| dot.sequence % 5 == 1).collect(),
        document: DocumentId::new("d").unwrap(),
        time: HybridTime::default(),
        body: body.into(),
    }
}

/// The word, the dot and the header hash of every operation in `blocks`.
fn tell_of(word: &str, blocks: &[Bytes]) {
    for block in blocks {
        for operation in Entry::read(SpaceId([3; 16]), block.clone()).unwrap().operations() {
            tell(&format!("{word} {}", line_of(operation)));
        }
    }
}

fn line_of(operation: &meshwork_op_log::Operation) -> String {
    format!("{} {} {}", operation.dot.replica, operation.dot.sequence, operation.hash)
}

/// Tells of an operation as signed before it asks for it to be stored (it could be sent from then on), and as stored
/// once it is.
#[test]
fn log_process() {
    let Some((folder, life)) = told_to_write() else { return };
    let (answer, answers) = mpsc::channel();
    let (rows, writer) = open(&folder, move |up_to| _ = answer.send(up_to));
    let mut log = open_log(rows, life);
    let newest = log.version().iter().last().map(|(replica, tip)| Dot::new(*replica, tip.sequence));
    let (mut asked, mut waiting) = (0, BTreeMap::new());
    let mut input = None;
    loop {
        step(&mut log, now(), input, |effect| {
            let Effect::Persist { write, rows } = effect else { return };
            let blocks = rows.iter().filter(|row| row.table == Table::Blocks);
            // Opening stores again, merged, what was there.
            let blocks = blocks.filter(|_| asked > 0).filter_map(|row| row.value.clone());
            let blocks: Vec<Bytes> = blocks.collect();
            tell_of("signed", &blocks);
            asked = write.0;
            waiting.insert(asked, blocks);
            writer.write(write, rows);
        });
        input = Some(if waiting.len() as u64 >= WRITTEN_AHEAD {
            let up_to = answers.recv().unwrap();
            let later = waiting.split_off(&(up_to + 1));
            let stored = std::mem::replace(&mut waiting, later);
            stored.values().for_each(|blocks| tell_of("stored", blocks));
            Input::Persisted { write: WriteId(up_to) }
        } else {
            let incarnation = log.incarnation();
            let count = 1 + incarnation.next_sequence % 3;
            let sequences = incarnation.next_sequence..incarnation.next_sequence + count;
            let new = |sequence| operation(Dot::new(incarnation.replica, sequence), newest, life);
            Input::Append(sequences.map(new).collect())
        });
    }
}

/// What was told of operations by `word`: replica, sequence and hash.
fn told_of<'a>(told: &'a [String], word: &str) -> impl Iterator<Item = (Dot, &'a str)> {
    let parse = move |line: &'a String| {
        let mut parts = line.split(' ');
        if parts.next() != Some(word) {
            return None;
        }
        let replica: ReplicaId = parts.next()?.parse().ok()?;
        // The last line may be cut short.
        let (sequence, hash) = (parts.next()?.parse().ok()?, parts.next().filter(|hash| hash.len() == 64)?);
        Some((Dot::new(replica, sequence), hash))
    };
    told.iter().filter_map(parse)
}

#[test]
fn acknowledged_operations_survive_sigkill_and_no_dot_is_used_twice() {
    const KILLS: u64 = 200;
    let folder = tempfile::tempdir().unwrap();
    let mut random = Seed::from_number(10).random();
    // Every operation that was ever told of, under its dot; and those of them that were acknowledged.
    let (mut known, mut acknowledged) = (BTreeMap::<Dot, String>::new(), BTreeMap::<Dot, String>::new());
    let mut early = 0;
    for life in 0..KILLS {
        let moment = Moment::random(&mut random);
        let told = run_and_kill("log_process", life, folder.path(), moment, &mut random);
        for (dot, hash) in told_of(&told, "signed") {
            let before = known.entry(dot).or_insert_with(|| hash.to_owned());
            assert_eq!(before, hash, "{dot} is two operations (life {life})");
        }
        let before = acknowledged.len();
        acknowledged.extend(told_of(&told, "stored").map(|(dot, hash)| (dot, hash.to_owned())));
        early += u64::from(acknowledged.len() == before);
        let mut log = open_log(rows_after(life, folder.path()), u64::MAX);
        let mut found = BTreeMap::new();
        while let Some(effect) = log.poll_effect() {
            let Effect::Deliver(operations) = effect else { continue };
            found.extend(operations.into_iter().map(|operation| (operation.dot, operation.hash.to_string())));
        }
        for (dot, hash) in &acknowledged {
            assert_eq!(found.get(dot), Some(hash), "{dot} was acknowledged (life {life}, killed {moment:?})");
        }
        for (dot, hash) in &found {
            assert_eq!(known.get(dot), Some(hash), "{dot} was not told of (life {life})");
        }
    }
    assert!(early > KILLS / 6, "only {early} lives ended before anything was acknowledged");
    let count = acknowledged.len() as u64;
    assert!(count > 3 * KILLS, "too little was written between the kills: {count} operations");
}
