//! Which operation wrote something, and when.

use meshwork_base::{Dot, HybridTime};

use crate::observed::{Names, Observed};

/// The identity of a write, ordered by hybrid time first: the greatest of concurrent writes wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Stamp {
    /// The writer's clock.
    pub time: HybridTime,
    /// The operation.
    pub dot: Dot,
}

/// Stamps in ascending order: the presence of a map, or of an element of a set.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Stamps(Vec<Stamp>);

impl Stamps {
    pub(crate) const EMPTY: Self = Self(Vec::new());

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn latest(&self) -> Option<Stamp> {
        self.0.last().copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Stamp> {
        self.0.iter()
    }

    pub(crate) fn insert(&mut self, stamp: Stamp) {
        if let Err(at) = self.0.binary_search(&stamp) {
            self.0.insert(at, stamp);
        }
    }

    /// Removes what any of `named` names. Returns how many were looked at.
    pub(crate) fn remove(&mut self, named: &[&Observed], names: &Names) -> usize {
        let looked_at = self.0.len();
        self.0.retain(|stamp| !Observed::any_contains(named, names, stamp.dot));
        looked_at
    }

    pub(crate) fn remove_one(&mut self, stamp: Stamp) {
        if let Ok(at) = self.0.binary_search(&stamp) {
            self.0.remove(at);
        }
    }
}
