//! A disk that forgets what was not yet synced.

use std::collections::{BTreeMap, VecDeque};

use meshwork::{Bytes, Monotonic, ReplicaId, Row, Table, WriteId};

use crate::fault::AfterCrash;

/// One node's disk.
#[derive(Default)]
pub(crate) struct Disk {
    synced: BTreeMap<(Table, Bytes), Bytes>,
    unsynced: VecDeque<(WriteId, Vec<Row>)>,
    /// What the last sync replaced.
    replaced: Vec<Row>,
    /// Syncs since it was last opened.
    syncs: u64,
    /// When it has done what it was asked.
    pub(crate) free_at: Monotonic,
    /// How many reasons there are why it takes no writes.
    pub(crate) full: u32,
    /// How many reasons there are why it cannot be read.
    pub(crate) unreadable: u32,
    /// Every sync takes so many times as long.
    pub(crate) slowness: u32,
    /// Syncs that found it full.
    stalled: usize,
}

impl Disk {
    /// Takes rows that will be lost in a crash before they are synced.
    pub(crate) fn write(&mut self, write: WriteId, rows: Vec<Row>) {
        self.unsynced.push_back((write, rows));
    }

    /// Makes the oldest write durable, and names it; a full disk does so later.
    pub(crate) fn sync_one(&mut self) -> Option<WriteId> {
        if self.full > 0 {
            self.stalled += 1;
            return None;
        }
        let (write, rows) = self.unsynced.pop_front()?;
        self.keep(rows);
        Some(write)
    }

    fn keep(&mut self, rows: Vec<Row>) {
        self.syncs += 1;
        self.replaced = rows.into_iter().map(|row| self.replace(row)).collect();
    }

    fn replace(&mut self, Row { table, key, value }: Row) -> Row {
        let old = match value {
            Some(value) => self.synced.insert((table, key.clone()), value),
            None => self.synced.remove(&(table, key.clone())),
        };
        Row { table, key, value: old }
    }

    /// Whether the next sync is the tenth, the twentieth, …
    pub(crate) fn is_tenth(&self) -> bool {
        self.syncs % 10 == 9
    }

    /// Forgets the oldest write that waits, and says nothing.
    pub(crate) fn forget_one(&mut self) -> Option<WriteId> {
        self.syncs += 1;
        self.unsynced.pop_front().map(|(write, _)| write)
    }

    /// It is as fast as ever again: so many syncs are due.
    pub(crate) fn catch_up(&mut self, now: Monotonic) -> usize {
        self.free_at = now;
        self.unsynced.len()
    }

    /// There is space again: so many syncs are due.
    pub(crate) fn resume(&mut self) -> usize {
        std::mem::take(&mut self.stalled)
    }

    /// The power fails. True if something is lost that was said to be durable.
    pub(crate) fn crash(&mut self, after: AfterCrash) -> bool {
        let under_way = self.unsynced.pop_front();
        self.unsynced.clear();
        self.stalled = 0;
        match (after, under_way) {
            (AfterCrash::Gone, _) => {
                let lost = !self.synced.is_empty();
                *self = Self {
                    full: self.full,
                    unreadable: self.unreadable,
                    slowness: self.slowness,
                    ..Self::default()
                };
                lost
            }
            (AfterCrash::Ahead, Some((_, rows))) if self.full == 0 => {
                self.keep(rows);
                false
            }
            // The first write after a start is the mark by which an unclean end is noticed: a disk that loses even
            // that is a restored backup, which is noticed only once a peer tells of what it lacks.
            (AfterCrash::Torn, _) if self.syncs > 1 => {
                for row in std::mem::take(&mut self.replaced).into_iter().rev() {
                    self.replace(row);
                }
                true
            }
            (AfterCrash::Synced | AfterCrash::Unreadable | AfterCrash::Torn | AfterCrash::Ahead, _) => false,
        }
    }

    /// The replicas against which it keeps proofs of equivocation.
    pub(crate) fn proofs(&self) -> impl Iterator<Item = ReplicaId> {
        let proofs = self.synced.keys().filter(|(table, _)| *table == Table::Proofs);
        proofs.filter_map(|(_, key)| key.first_chunk().copied().map(ReplicaId))
    }

    /// What is found after a restart.
    pub(crate) fn open(&mut self) -> Vec<Row> {
        (self.syncs, self.replaced) = (0, Vec::new());
        let row =
            |((table, key), value): (&(Table, Bytes), &Bytes)| Row::put(*table, key.clone(), value.clone());
        self.synced.iter().map(row).collect()
    }
}
