//! A register: the values that no later write has taken away.
//!
//! Also the losers of last-writer-wins assignments stay until somebody overwrites them. Dropping them at once would
//! not converge: a replica that saw the loser only after the winner was deleted would show it, the others not.

use crate::{
    Value,
    observed::{Names, Observed},
    stamp::Stamp,
};

/// One value of a register.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Entry {
    pub(crate) stamp: Stamp,
    /// Never listed as a conflict.
    pub(crate) assigned: bool,
    pub(crate) value: Value,
}

/// The values by stamp, one per operation; the last one wins.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct Register(Vec<Entry>);

impl Register {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn winner(&self) -> Option<&Entry> {
        self.0.last()
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// A second write by one operation takes the place of its first.
    pub(crate) fn insert(&mut self, entry: Entry) {
        match self.0.binary_search_by_key(&entry.stamp, |old| old.stamp) {
            Ok(at) => self.0[at] = entry,
            Err(0) if self.0.is_empty() => {
                self.0.reserve_exact(1);
                self.0.push(entry);
            }
            Err(at) => self.0.insert(at, entry),
        }
    }

    /// Removes what any of `named` names. Returns how many values were looked at.
    pub(crate) fn remove(&mut self, named: &[&Observed], names: &Names) -> usize {
        let looked_at = self.0.len();
        self.0.retain(|entry| !Observed::any_contains(named, names, entry.stamp.dot));
        looked_at
    }

    /// Removes the value of one write.
    pub(crate) fn remove_write(&mut self, stamp: Stamp) {
        if let Ok(at) = self.0.binary_search_by_key(&stamp, |entry| entry.stamp) {
            self.0.remove(at);
        }
    }
}
