//! The process is killed at any moment: what it acknowledged is there, and nothing is there by half.
//!
//! The test runs itself as the process that writes, acknowledges on its standard output, and is killed.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use meshwork_base::{Bytes, Row, Seed, Table, WriteId};
use meshwork_storage::{Answer, RedbStore, StorageError, Store, Writer};

const KILLS: u64 = 200;
const WRITTEN_AHEAD: u64 = 16;
const FOLDER: &str = "MESHWORK_STORAGE_TEST_FOLDER";

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

/// The process that is killed; as a test of its own it does nothing.
#[test]
fn writer_process() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let store = RedbStore::open(Path::new(&folder)).unwrap();
    let mut acknowledged = last_write(&store.load().unwrap());
    let (tell, answers) = mpsc::channel();
    let writer = Writer::spawn(Box::new(store), move |answer| {
        let Answer::Persisted { up_to } = answer else { panic!("{answer:?}") };
        std::io::stdout().lock().write_all(format!("stored {}\n", up_to.0).as_bytes()).unwrap();
        tell.send(up_to.0).unwrap();
    });
    for write in acknowledged + 1.. {
        writer.write(WriteId(write), rows_of(write));
        while write - acknowledged >= WRITTEN_AHEAD {
            acknowledged = answers.recv().unwrap();
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

/// Starts the writer, kills it after some acknowledgements and a moment, and returns the last acknowledgement.
fn write_and_kill(folder: &Path, acknowledgements: u64, moment: Duration) -> u64 {
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "writer_process", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn();
    let mut child = Killed(child.unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut next = || {
        let stored = |line: String| line.strip_prefix("stored ").map(|write| write.parse::<u64>().unwrap());
        lines.by_ref().map_while(Result::ok).find_map(stored)
    };
    let mut last = 0;
    for _ in 0..acknowledgements {
        last = next().expect("the writer process ended by itself");
    }
    assert_eq!(
        RedbStore::open(folder).err(),
        Some(StorageError::InUse { path: folder.join("meshwork.redb") })
    );
    thread::sleep(moment);
    child.0.kill().unwrap();
    while let Some(write) = next() {
        last = write;
    }
    last
}

#[test]
fn acknowledged_writes_survive_sigkill_and_none_is_half_there() {
    let folder = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let mut random = Seed::from_number(9).random();
    let (mut stored, mut expected) = (0, Rows::new());
    for kill in 0..KILLS {
        let moment = Duration::from_micros(random.below(1_000));
        let acknowledged = write_and_kill(folder.path(), 1 + random.below(3), moment);
        // Half of the time the next writer finds the file as the killed one left it.
        let looked_at = if kill % 2 == 0 { folder.path() } else { copy.path() };
        if kill % 2 == 1 {
            let file = |folder: &Path| folder.join("meshwork.redb");
            std::fs::copy(file(folder.path()), file(copy.path())).unwrap();
        }
        let rows = RedbStore::open(looked_at).unwrap().load().unwrap();
        let last = last_write(&rows);
        assert!(last >= acknowledged && last > stored, "{acknowledged} was acknowledged, {last} is there");
        (stored + 1..=last).for_each(|write| apply(&mut expected, rows_of(write)));
        let expected = expected.iter().map(|((table, key), value)| (*table, key, Some(value)));
        let found = rows.iter().map(|row| (row.table, &row.key, row.value.as_ref()));
        assert!(found.eq(expected), "the store is not what writes 1 to {last} leave");
        stored = last;
    }
    assert!(stored > 5 * KILLS, "too little was written between the kills: {stored} writes");
}
