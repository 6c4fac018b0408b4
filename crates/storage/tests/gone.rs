//! A store that is gone when it has to be opened again stalls the writer; it is never replaced by an empty one.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fs, io,
    ops::Bound,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver},
    },
    time::Duration,
};

use meshwork_base::{Row, Table, WriteId};
use meshwork_storage::{Answer, Config, Folder, Medium, RedbStore, StorageError, Store as _, Writer};
use redb::{BackendError, StorageBackend, backends::FileBackend};

/// Far longer than anything takes: a test that hangs should say so.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder that can be told to fail.
#[derive(Clone, Debug)]
struct Unreliable {
    folder: Folder,
    failing: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Opened {
    file: FileBackend,
    failing: Arc<AtomicBool>,
}

impl Unreliable {
    fn wrap(&self, file: FileBackend) -> Opened {
        Opened { file, failing: self.failing.clone() }
    }
}

impl Medium for Unreliable {
    type Backend = Opened;

    fn create(&self) -> io::Result<Opened> {
        self.folder.create().map(|file| self.wrap(file))
    }
    fn open(&self) -> io::Result<Opened> {
        self.folder.open().map(|file| self.wrap(file))
    }
    fn place(&self) -> io::Result<(u64, u64)> {
        self.folder.place()
    }
    fn path(&self) -> &Path {
        self.folder.path()
    }
    fn bytes(&self) -> io::Result<u64> {
        self.folder.bytes()
    }
    fn created(&self) -> io::Result<()> {
        self.folder.created()
    }
}

impl StorageBackend for Opened {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.failing.load(Ordering::Relaxed) {
            return Err(io::Error::other("as the test wants it"));
        }
        self.file.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }
    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

fn row(number: u8) -> Row {
    Row::put(Table::Blocks, vec![number], vec![number; 9_000])
}

fn stalled(answers: &Receiver<Answer>, part: &str) {
    loop {
        match answers.recv_timeout(PATIENCE).unwrap() {
            Answer::Stalled { reason } if reason.contains(part) => return,
            Answer::Stalled { .. } => {}
            other => panic!("nothing is acknowledged while the store is gone: {other:?}"),
        }
    }
}

#[test]
fn a_store_that_is_gone_stalls_until_the_right_one_is_back() {
    let elsewhere = tempfile::tempdir().unwrap();
    drop(RedbStore::open(elsewhere.path()).unwrap());
    let other_store = fs::read(elsewhere.path().join("meshwork.redb")).unwrap();
    let in_its_place: [Option<&[u8]>; 4] = [None, Some(b""), Some(b"a diary"), Some(&other_store)];

    let parent = tempfile::tempdir().unwrap();
    let (folder, away) = (parent.path().join("data"), parent.path().join("away"));
    let file = folder.join("meshwork.redb");
    let failing = Arc::new(AtomicBool::new(false));
    let medium = Unreliable { folder: Folder::new(&folder), failing: failing.clone() };
    let config = Config { cache_bytes: 1 << 20, retry_first_ms: 1, retry_max_ms: 2, ..Config::default() };
    let (tell, answers) = mpsc::channel();
    let store = RedbStore::on(medium, &config).unwrap();
    let writer = Writer::with_config(Box::new(store), &config, move |answer| _ = tell.send(answer));
    writer.write(WriteId(1), vec![row(1)]);
    assert_eq!(answers.recv_timeout(PATIENCE), Ok(Answer::Persisted { up_to: WriteId(1) }));

    for (number, bytes) in (2..).zip(in_its_place) {
        failing.store(true, Ordering::Relaxed);
        writer.write(WriteId(number.into()), vec![row(number)]);
        stalled(&answers, "as the test wants it");
        fs::rename(&folder, &away).unwrap();
        if let Some(bytes) = bytes {
            fs::create_dir(&folder).unwrap();
            fs::write(&file, bytes).unwrap();
        }
        failing.store(false, Ordering::Relaxed);
        stalled(&answers, "put it back");
        // Whatever lies there is not ours to touch.
        assert_eq!(fs::read(&file).ok().as_deref(), bytes);
        if bytes.is_some() {
            fs::remove_file(&file).unwrap();
            fs::remove_dir(&folder).unwrap();
        }
        assert!(!folder.exists());
        fs::rename(&away, &folder).unwrap();
        assert_eq!(answers.recv_timeout(PATIENCE), Ok(Answer::Persisted { up_to: WriteId(number.into()) }));
        assert_eq!(answers.recv_timeout(PATIENCE), Ok(Answer::Recovered));
    }
    writer.close().unwrap();
    assert_eq!(RedbStore::open(&folder).unwrap().load().unwrap(), (1..=5).map(row).collect::<Vec<_>>());
}

/// Writes to it would go on, and be found by nobody.
#[test]
fn a_store_that_is_moved_away_while_it_is_open_is_asked_for() {
    let parent = tempfile::tempdir().unwrap();
    let (folder, away) = (parent.path().join("data"), parent.path().join("away"));
    let config = Config { cache_bytes: 1 << 20, retry_first_ms: 1, retry_max_ms: 2, ..Config::default() };
    let (tell, answers) = mpsc::channel();
    let store = RedbStore::with_config(&folder, &config).unwrap();
    let writer = Writer::with_config(Box::new(store), &config, move |answer| _ = tell.send(answer));
    for number in 1..=2 {
        fs::rename(&folder, &away).unwrap();
        writer.write(WriteId(number.into()), vec![row(number)]);
        stalled(&answers, "put it back");
        assert!(!folder.exists());
        fs::rename(&away, &folder).unwrap();
        assert_eq!(answers.recv_timeout(PATIENCE), Ok(Answer::Persisted { up_to: WriteId(number.into()) }));
        assert_eq!(answers.recv_timeout(PATIENCE), Ok(Answer::Recovered));
    }
    writer.close().unwrap();
    assert_eq!(RedbStore::open(&folder).unwrap().load().unwrap(), (1..=2).map(row).collect::<Vec<_>>());
}

#[test]
fn a_store_is_opened_again_as_the_one_that_it_was_or_not_at_all() {
    let [folder, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let config = Config::default();
    let id = |folder: &Path| RedbStore::open(folder).unwrap().id().unwrap();
    let (ours, theirs) = (id(folder.path()), id(other.path()));
    assert_ne!(ours, theirs);
    assert_eq!(id(folder.path()), ours);
    assert_eq!(RedbStore::reopen(folder.path(), &config, ours).unwrap().id(), Some(ours));
    let path = folder.path().join("meshwork.redb");
    let gone = StorageError::Gone { path: path.clone() };
    assert_eq!(RedbStore::reopen(folder.path(), &config, theirs).unwrap_err(), gone);
    fs::remove_file(&path).unwrap();
    assert_eq!(RedbStore::reopen(folder.path(), &config, ours).unwrap_err(), gone);
    assert!(!path.exists());
}
