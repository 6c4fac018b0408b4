//! A store in memory that outlives its node, and stops or panics when a test says so.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::sync::{
    Arc, Condvar, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

use meshwork::{Node, NodeBuilder, Row};
use meshwork_storage::{MemoryStore, Stats, StorageError, Store};

/// Clones are the same store.
#[derive(Clone, Default)]
pub struct TestStore {
    rows: Arc<Mutex<MemoryStore>>,
    held: Arc<(Mutex<bool>, Condvar)>,
    panics: Arc<AtomicBool>,
}

impl TestStore {
    pub fn node(&self) -> NodeBuilder {
        let store = self.clone();
        Node::builder().without_presence().store(move || Ok(store.clone()))
    }

    /// Lets no commit begin, or lets them go on.
    pub fn hold(&self, held: bool) {
        *self.held.0.lock().unwrap() = held;
        self.held.1.notify_all();
    }

    /// Lets the next commit panic.
    pub fn panic_once(&self) {
        self.panics.store(true, Ordering::Relaxed);
    }

    fn rows(&self) -> MutexGuard<'_, MemoryStore> {
        self.rows.lock().unwrap()
    }
}

impl Store for TestStore {
    fn visit(&self, row: &mut dyn FnMut(Row)) -> Result<(), StorageError> {
        self.rows().visit(row)
    }

    fn commit(&mut self, rows: &[Row]) -> Result<(), StorageError> {
        drop(self.held.1.wait_while(self.held.0.lock().unwrap(), |held| *held).unwrap());
        assert!(!self.panics.swap(false, Ordering::Relaxed), "on purpose");
        self.rows().commit(rows)
    }

    fn stats(&self) -> Stats {
        self.rows().stats()
    }

    fn durable(&self) -> bool {
        true
    }
}
