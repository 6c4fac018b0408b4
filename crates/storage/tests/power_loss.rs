//! The power fails at any moment, and what was not flushed survives in any part: what was committed is there, and
//! nothing is there by half.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;

use common::Disk;
use meshwork_base::{Bytes, Random, Row, Seed, Table};
use meshwork_storage::{Config, RedbStore, StorageError, Store};

type Rows = BTreeMap<(Table, Bytes), Bytes>;

const HISTORIES: u64 = 250;
const CUTS_PER_HISTORY: u64 = 10;

fn contents(store: &RedbStore<Disk>) -> Rows {
    let rows = store.load().unwrap();
    rows.into_iter().map(|row| ((row.table, row.key), row.value.unwrap())).collect()
}

fn apply(rows: &mut Rows, write: &[Row]) {
    for Row { table, key, value } in write {
        match value {
            Some(value) => _ = rows.insert((*table, key.clone()), value.clone()),
            None => _ = rows.remove(&(*table, key.clone())),
        }
    }
}

fn random_write(random: &mut Random) -> Vec<Row> {
    let rows = 1 + random.below(8);
    let row = |random: &mut Random| {
        let table = [Table::Blocks, Table::Blocks, Table::Meta, Table::Proofs][random.below(4) as usize];
        let key = vec![random.below(3) as u8, random.below(20) as u8];
        let longest = [1, 200, 3_000, 60_000][random.below(4) as usize];
        let value = vec![random.number() as u8; random.below(longest) as usize];
        if random.chance(0.2) { Row::delete(table, key) } else { Row::put(table, key, value) }
    };
    (0..rows).map(|_| row(random)).collect()
}

/// One disk and what must be on it.
struct History {
    disk: Disk,
    random: Random,
    config: Config,
    committed: Rows,
    /// The write during which the power failed: whole, or absent.
    in_flight: Vec<Row>,
}

impl History {
    fn new(seed: u64) -> Self {
        let config = Config { cache_bytes: 1 << 20, ..Config::default() };
        let random = Seed::from_number(seed).random();
        Self { disk: Disk::default(), random, config, committed: Rows::new(), in_flight: vec![] }
    }

    /// Opens the store with a cut to come, before which it may or may not get anywhere.
    fn open_under_threat(&mut self) -> Option<RedbStore<Disk>> {
        let soon = [8, 30, 100, 400][self.random.below(4) as usize];
        self.disk.cut_after(self.random.below(soon), self.random.number());
        let cuts = self.disk.cuts();
        match RedbStore::on(self.disk.clone(), &self.config) {
            Ok(store) => Some(store),
            Err(StorageError::Io { .. }) if self.disk.cuts() > cuts => None,
            Err(error) => panic!("a cut made the store unreadable: {error}"),
        }
    }

    fn check(&mut self, store: &RedbStore<Disk>) {
        let found = contents(store);
        if found != self.committed {
            apply(&mut self.committed, &self.in_flight);
            assert!(found == self.committed, "a commit is lost, or half there");
        }
        self.in_flight.clear();
        assert_eq!(store.stats().rows, found.len() as u64);
    }

    /// Commits until the power fails, now and then closing the store well, or trying to.
    fn run_until_cut(&mut self) {
        let Some(mut store) = self.open_under_threat() else { return };
        self.check(&store);
        let cuts = self.disk.cuts();
        while self.disk.cuts() == cuts {
            if self.random.chance(0.1) {
                drop(store);
                store = match RedbStore::on(self.disk.clone(), &self.config) {
                    Ok(store) => store,
                    Err(_) if self.disk.cuts() > cuts => return,
                    Err(error) => panic!("a clean close made the store unreadable: {error}"),
                };
                // A cut while closing comes to light only here.
                self.check(&store);
                continue;
            }
            let write = random_write(&mut self.random);
            match store.commit(&write) {
                Ok(()) => apply(&mut self.committed, &write),
                Err(_) => self.in_flight = write,
            }
        }
    }
}

#[test]
fn commits_survive_power_cuts_and_none_is_half_there() {
    let (mut cuts, mut rows) = (0, 0);
    for seed in 0..HISTORIES {
        let mut history = History::new(seed);
        while history.disk.cuts() < CUTS_PER_HISTORY {
            history.run_until_cut();
        }
        let store = RedbStore::on(history.disk.clone(), &history.config).unwrap();
        history.check(&store);
        cuts += history.disk.cuts();
        rows += history.committed.len();
    }
    assert!(cuts >= 2_000 && rows > 2_000, "{cuts} cuts, {rows} rows");
}
