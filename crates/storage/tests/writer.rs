//! The writer commits together, answers in order, and loses nothing when the disk fails.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{
    sync::mpsc::{self, Receiver, Sender},
    time::Duration,
};

use common::Disk;
use meshwork_base::{Row, Table, WriteId};
use meshwork_storage::{
    Answer, CloseError, Config, MemoryStore, RedbStore, Stats, StorageError, Store, Writer,
};

/// Far longer than anything takes: a test that hangs should say so.
const PATIENCE: Duration = Duration::from_secs(60);

fn config() -> Config {
    Config { cache_bytes: 1 << 20, retry_first_ms: 1, retry_max_ms: 2, ..Config::default() }
}

fn row(write: u64, bytes: usize) -> Row {
    Row::put(Table::Blocks, write.to_be_bytes().to_vec(), vec![write as u8; bytes])
}

fn spawn(store: impl Store + 'static, config: &Config) -> (Writer, Receiver<Answer>) {
    let (tell, answers) = mpsc::channel();
    (Writer::with_config(Box::new(store), config, move |answer| _ = tell.send(answer)), answers)
}

fn persisted(write: u64) -> Answer {
    Answer::Persisted { up_to: WriteId(write) }
}

/// Shows each commit to the test, and lets it begin when the test says so, with what the test says.
struct Gate {
    arrived: Sender<usize>,
    open: Receiver<Result<(), StorageError>>,
}

impl Gate {
    fn new() -> (Self, Receiver<usize>, Sender<Result<(), StorageError>>) {
        let (arrived, arrivals) = mpsc::channel();
        let (opener, open) = mpsc::channel();
        (Self { arrived, open }, arrivals, opener)
    }
}

impl Store for Gate {
    fn visit(&self, _: &mut dyn FnMut(Row)) -> Result<(), StorageError> {
        Ok(())
    }
    fn commit(&mut self, rows: &[Row]) -> Result<(), StorageError> {
        self.arrived.send(rows.len()).unwrap();
        self.open.recv_timeout(PATIENCE).unwrap()
    }
    fn stats(&self) -> Stats {
        Stats::default()
    }
    fn durable(&self) -> bool {
        false
    }
}

fn broken() -> StorageError {
    StorageError::Io { path: "disk".into(), detail: "broken".into() }
}

fn stalled_by_broken() -> Answer {
    Answer::Stalled { reason: format!("{}; it is tried again until it works", broken()) }
}

#[test]
fn whatever_waits_is_one_commit_within_the_bound() {
    let (gate, arrivals, open) = Gate::new();
    let (writer, answers) = spawn(gate, &Config { commit_bytes_max: 1_000, ..config() });
    writer.write(WriteId(1), vec![row(1, 100)]);
    assert_eq!(arrivals.recv_timeout(PATIENCE), Ok(1));
    for write in 2..=20 {
        writer.write(WriteId(write), vec![row(write, 92)]);
    }
    assert_eq!(writer.queued_bytes(), 108 + 19 * 100);
    for (batch, up_to) in [(10, 1), (9, 11), (0, 20)] {
        open.send(Ok(())).unwrap();
        assert_eq!(answers.recv_timeout(PATIENCE), Ok(persisted(up_to)));
        if batch > 0 {
            assert_eq!(arrivals.recv_timeout(PATIENCE), Ok(batch));
        }
    }
    assert_eq!(writer.queued_bytes(), 0);
}

#[test]
fn a_failing_commit_is_tried_until_it_works_and_told_once() {
    let (gate, arrivals, open) = Gate::new();
    let (writer, answers) = spawn(gate, &config());
    writer.write(WriteId(1), vec![row(1, 1), row(2, 1)]);
    for outcome in [Err(broken()), Err(broken()), Err(broken()), Ok(())] {
        assert_eq!(arrivals.recv_timeout(PATIENCE), Ok(2));
        open.send(outcome).unwrap();
    }
    let told: Vec<_> = (0..3).map(|_| answers.recv_timeout(PATIENCE).unwrap()).collect();
    assert_eq!(told, [stalled_by_broken(), persisted(1), Answer::Recovered]);
    assert_eq!(writer.close(), Ok(()));
    assert!(answers.recv().is_err());
}

#[test]
fn another_reason_is_told_too() {
    let (gate, arrivals, open) = Gate::new();
    let (writer, answers) = spawn(gate, &config());
    writer.write(WriteId(1), vec![row(1, 1)]);
    let full = || StorageError::Full { path: "disk".into(), detail: "no space".into() };
    for outcome in [Err(full()), Err(full()), Err(broken()), Err(full()), Ok(())] {
        assert_eq!(arrivals.recv_timeout(PATIENCE), Ok(1));
        open.send(outcome).unwrap();
    }
    writer.close().unwrap();
    let told: Vec<_> = answers.iter().collect();
    let full = Answer::Stalled { reason: format!("{}; it is tried again until it works", full()) };
    assert_eq!(told, [full.clone(), stalled_by_broken(), full, persisted(1), Answer::Recovered]);
}

#[test]
fn a_disk_too_slow_is_told_and_nothing_is_refused() {
    let (gate, arrivals, open) = Gate::new();
    let (writer, answers) = spawn(gate, &Config { commit_bytes_max: 100, queue_bytes_max: 250, ..config() });
    writer.write(WriteId(1), vec![row(1, 92)]);
    arrivals.recv_timeout(PATIENCE).unwrap();
    for write in 2..=4 {
        writer.write(WriteId(write), vec![row(write, 92)]);
    }
    (0..4).for_each(|_| open.send(Ok(())).unwrap());
    writer.close().unwrap();
    let told: Vec<_> = answers.iter().collect();
    let reason = "the disk is too slow: 300 bytes wait to be written, more than 250".to_string();
    let expected = [
        persisted(1),
        Answer::Stalled { reason },
        persisted(2),
        Answer::Recovered,
        persisted(3),
        persisted(4),
    ];
    assert_eq!(told, expected);
}

#[test]
fn close_and_drop_write_what_is_queued() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, answers) = spawn(RedbStore::open(folder.path()).unwrap(), &config());
    (1..=50).for_each(|write| writer.write(WriteId(write), vec![row(write, 500)]));
    writer.close().unwrap();
    assert_eq!(answers.iter().last(), Some(persisted(50)));

    let (writer, answers) = spawn(RedbStore::open(folder.path()).unwrap(), &config());
    (51..=99).for_each(|write| writer.write(WriteId(write), vec![row(write, 500)]));
    drop(writer);
    assert_eq!(answers.iter().last(), Some(persisted(99)));

    let rows = RedbStore::open(folder.path()).unwrap().load().unwrap();
    assert_eq!(rows, (1..=99).map(|write| row(write, 500)).collect::<Vec<_>>());
}

#[test]
fn closing_on_a_dead_disk_ends_and_says_what_was_not_written() {
    let (gate, arrivals, open) = Gate::new();
    let (writer, answers) = spawn(gate, &config());
    writer.write(WriteId(1), vec![row(1, 1)]);
    arrivals.recv_timeout(PATIENCE).unwrap();
    writer.write(WriteId(2), vec![row(2, 1)]);
    let failing =
        std::thread::spawn(move || while open.send(Err(broken())).is_ok() && arrivals.recv().is_ok() {});
    let closing = std::thread::spawn(move || writer.close());
    failing.join().unwrap();
    assert_eq!(closing.join().unwrap(), Err(CloseError::Unwritten { writes: 2, reason: broken() }));
    assert_eq!(answers.iter().collect::<Vec<_>>(), [stalled_by_broken()]);
}

#[test]
fn a_panicking_store_is_told_not_waited_for() {
    let (gate, arrivals, open) = Gate::new();
    drop(open);
    let (writer, answers) = spawn(gate, &config());
    writer.write(WriteId(1), vec![row(1, 1)]);
    arrivals.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        answers.recv_timeout(PATIENCE),
        Ok(Answer::Failed { reason: CloseError::Panicked.to_string() })
    );
    assert_eq!(writer.close(), Err(CloseError::Panicked));
}

#[test]
fn memory_answers_too() {
    let (writer, answers) = spawn(MemoryStore::new(), &config());
    writer.write(WriteId(7), vec![]);
    assert_eq!(answers.recv_timeout(PATIENCE), Ok(persisted(7)));
}

/// Reads answers up to the one wanted, checking that acknowledgements only grow.
fn read_until(answers: &Receiver<Answer>, last: &mut u64, wanted: impl Fn(&Answer) -> bool) -> Answer {
    loop {
        let answer = answers.recv_timeout(PATIENCE).unwrap();
        if let Answer::Persisted { up_to } = &answer {
            assert!(up_to.0 > *last);
            *last = up_to.0;
        }
        if wanted(&answer) {
            return answer;
        }
    }
}

#[test]
fn a_full_disk_stalls_and_all_is_there_once_room_is_made() {
    let disk = Disk::default();
    let (writer, answers) = spawn(RedbStore::on(disk.clone(), &config()).unwrap(), &config());
    let (mut write, mut acknowledged) = (0, 0);
    let mut write_more = |writer: &Writer| {
        for _ in 0..20 {
            write += 1;
            writer.write(WriteId(write), vec![row(write, 9_000)]);
        }
        write
    };
    for round in 0..5 {
        disk.limit_blocks(Some(disk.used_blocks() + 10 + 7 * round));
        write_more(&writer);
        let stalled =
            read_until(&answers, &mut acknowledged, |answer| matches!(answer, Answer::Stalled { .. }));
        assert!(format!("{stalled:?}").contains("the disk is full"), "{stalled:?}");
        let last = write_more(&writer);
        assert!(acknowledged < last && writer.queued_bytes() > 20 * 9_000);
        disk.limit_blocks(None);
        read_until(&answers, &mut acknowledged, |answer| *answer == Answer::Recovered);
        while acknowledged < last {
            read_until(&answers, &mut acknowledged, |answer| matches!(answer, Answer::Persisted { .. }));
        }
    }
    // What was acknowledged needs no clean close.
    disk.cut(1);
    let rows = RedbStore::on(disk, &config()).unwrap().load().unwrap();
    assert_eq!(rows, (1..=200).map(|write| row(write, 9_000)).collect::<Vec<_>>());
}

/// Every operation on the disk fails once, in its turn: reads while opening, writes, flushes.
#[test]
fn one_failure_anywhere_loses_nothing() {
    let mut failures = 0;
    for at in 0..40 {
        let disk = Disk::default();
        let mut store = RedbStore::on(disk.clone(), &config()).unwrap();
        store.commit(&[row(1, 30_000), row(2, 10)]).unwrap();
        disk.fail_after(at);
        let (writer, answers) = spawn(store, &config());
        writer.write(WriteId(1), vec![row(1, 100), Row::delete(Table::Blocks, row(2, 0).key)]);
        writer.write(WriteId(2), vec![row(3, 40_000)]);
        let mut acknowledged = 0;
        while acknowledged < 2 {
            read_until(&answers, &mut acknowledged, |_| true);
        }
        failures += u64::from(disk.stop_failing());
        disk.cut(at);
        drop(writer);
        let rows = RedbStore::on(disk, &config()).unwrap().load().unwrap();
        assert_eq!(rows, [row(1, 100), row(3, 40_000)]);
    }
    assert!(failures >= 6, "only {failures} operations");
}
