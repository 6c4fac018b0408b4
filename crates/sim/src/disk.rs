//! A disk that forgets what was not yet synced.

use std::collections::{BTreeMap, VecDeque};

use meshwork::{Bytes, Row, Table, WriteId};

/// One node's disk.
#[derive(Default)]
pub(crate) struct Disk {
    synced: BTreeMap<(Table, Bytes), Bytes>,
    unsynced: VecDeque<(WriteId, Vec<Row>)>,
}

impl Disk {
    /// Takes rows that will be lost in a crash before they are synced.
    pub(crate) fn write(&mut self, write: WriteId, rows: Vec<Row>) {
        self.unsynced.push_back((write, rows));
    }

    /// Makes the oldest write durable, and names it.
    pub(crate) fn sync_one(&mut self) -> Option<WriteId> {
        let (write, rows) = self.unsynced.pop_front()?;
        for Row { table, key, value } in rows {
            match value {
                Some(value) => self.synced.insert((table, key), value),
                None => self.synced.remove(&(table, key)),
            };
        }
        Some(write)
    }

    /// The power fails.
    pub(crate) fn crash(&mut self) {
        self.unsynced.clear();
    }

    /// What is found after a restart.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let row =
            |((table, key), value): (&(Table, Bytes), &Bytes)| Row::put(*table, key.clone(), value.clone());
        self.synced.iter().map(row).collect()
    }
}
