//! A store in memory.

use std::collections::BTreeMap;

use meshwork_base::{Bytes, Row, Table};

use crate::{Stats, StorageError, Store};

/// Keeps rows for as long as the process lives: for tests, and for nodes without a disk.
#[derive(Clone, Default, Debug)]
pub struct MemoryStore {
    rows: BTreeMap<(Table, Bytes), Bytes>,
    bytes: usize,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for MemoryStore {
    fn visit(&self, row: &mut dyn FnMut(Row)) -> Result<(), StorageError> {
        for ((table, key), value) in &self.rows {
            row(Row::put(*table, key.clone(), value.clone()));
        }
        Ok(())
    }

    fn commit(&mut self, rows: &[Row]) -> Result<(), StorageError> {
        for Row { table, key, value } in rows {
            let place = (*table, key.clone());
            let old = match value {
                Some(value) => {
                    self.bytes += key.len() + value.len();
                    self.rows.insert(place, value.clone())
                }
                None => self.rows.remove(&place),
            };
            self.bytes -= old.map_or(0, |old| key.len() + old.len());
        }
        Ok(())
    }

    fn stats(&self) -> Stats {
        Stats { rows: self.rows.len() as u64, bytes: self.bytes as u64 }
    }

    fn durable(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_by_table_and_key_and_are_counted() {
        let mut store = MemoryStore::new();
        let rows = [
            Row::put(Table::Proofs, "p", "1"),
            Row::put(Table::Blocks, "b", "22"),
            Row::put(Table::Blocks, "a", "333"),
            Row::put(Table::Blocks, "a", "4444"),
            Row::put(Table::Meta, "m", "5"),
            Row::delete(Table::Meta, "m"),
            Row::delete(Table::Meta, "never there"),
        ];
        store.commit(&rows).unwrap();
        assert_eq!(store.load().unwrap(), [rows[3].clone(), rows[1].clone(), rows[0].clone()]);
        assert_eq!(store.stats(), Stats { rows: 3, bytes: 5 + 3 + 2 });
    }
}
