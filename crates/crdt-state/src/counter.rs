//! A counter: for each replica how far it has counted, and how much of that was taken away again.
//!
//! A reset names, per replica, the last increment it observed and the total up to there. Totals count from the
//! replica's first increment ever, so "taken away up to here" only grows: two concurrent resets take nothing twice,
//! and increments that a reset did not observe survive it. The price is that a deleted counter leaves one small tally
//! per replica that ever counted there.

use std::collections::BTreeMap;

use meshwork_base::{Dot, HybridTime, ReplicaId};
use serde::{Deserialize, Serialize};

use crate::{observed::Names, stamp::Stamp};

/// An increment of one replica: the operation's sequence, and which of its increments of this counter, from 1.
pub(crate) type Place = (u64, u32);

/// What one replica counted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Tally {
    /// Its last increment here.
    pub(crate) last: Place,
    /// When that was.
    pub(crate) time: HybridTime,
    /// All it counted, ever.
    pub(crate) total: i128,
    /// The greatest reset: everything up to this increment, and the total up to there.
    pub(crate) taken: (Place, i128),
}

impl Tally {
    fn is_live(&self) -> bool {
        self.last > self.taken.0
    }
}

/// One replica's part of a reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Count {
    /// Index into the operation's names.
    pub(crate) replica: u32,
    pub(crate) last: Place,
    pub(crate) total: i128,
}

/// The tallies of all replicas.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Counter(BTreeMap<ReplicaId, Tally>);

impl Counter {
    pub(crate) const EMPTY: Self = Self(BTreeMap::new());

    /// Whether nothing was ever counted or reset here.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is a counter to see.
    pub(crate) fn is_live(&self) -> bool {
        self.0.values().any(Tally::is_live)
    }

    pub(crate) fn latest(&self) -> Option<Stamp> {
        let live = self.0.iter().filter(|(_, tally)| tally.is_live());
        live.map(|(replica, tally)| Stamp { time: tally.time, dot: Dot::new(*replica, tally.last.0) }).max()
    }

    pub(crate) fn tallies(&self) -> impl ExactSizeIterator<Item = (&ReplicaId, &Tally)> {
        self.0.iter()
    }

    /// The sum, kept within the range of what is shown.
    pub(crate) fn value(&self) -> i64 {
        let live = self.0.values().filter(|tally| tally.is_live());
        let sum =
            live.fold(0i128, |sum, tally| sum.saturating_add(tally.total.saturating_sub(tally.taken.1)));
        sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    pub(crate) fn increment(&mut self, stamp: Stamp, by: i64) {
        let tally = self.0.entry(stamp.dot.replica).or_default();
        let (sequence, nth) = tally.last;
        let nth = if sequence == stamp.dot.sequence { nth.saturating_add(1) } else { 1 };
        tally.last = (stamp.dot.sequence, nth);
        tally.time = stamp.time;
        tally.total = tally.total.saturating_add(by.into());
    }

    /// What a reset names that has observed this counter.
    pub(crate) fn observe(&self, names: &mut Names) -> Vec<Count> {
        let live = self.0.iter().filter(|(_, tally)| tally.is_live());
        let count = |(replica, tally): (&ReplicaId, &Tally)| Count {
            replica: names.intern(*replica),
            last: tally.last,
            total: tally.total,
        };
        live.map(count).collect()
    }

    /// Takes away what `counts` names. A maximum, so the order of concurrent resets is of no matter.
    pub(crate) fn reset(&mut self, counts: &[Count], names: &Names) {
        for count in counts {
            if let Some(replica) = names.replica(count.replica) {
                let tally = self.0.entry(replica).or_default();
                tally.taken = tally.taken.max((count.last, count.total));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ReplicaId = ReplicaId([1; 16]);
    const B: ReplicaId = ReplicaId([2; 16]);

    fn at(replica: ReplicaId, sequence: u64) -> Stamp {
        Stamp { time: HybridTime::default(), dot: Dot::new(replica, sequence) }
    }

    #[test]
    fn concurrent_resets_take_nothing_twice_and_later_increments_survive() {
        let mut names = Names::default();
        let mut counter = Counter::default();
        counter.increment(at(A, 1), 10);
        let early = counter.observe(&mut names);
        counter.increment(at(A, 2), 2);
        let late = counter.observe(&mut names);
        counter.increment(at(A, 3), 3);
        for order in [[&early, &late], [&late, &early]] {
            let mut counter = counter.clone();
            order.iter().for_each(|counts| counter.reset(counts, &names));
            assert_eq!((counter.value(), counter.is_live()), (3, true));
        }
        counter.reset(&early, &names);
        assert_eq!(counter.value(), 5);
    }

    #[test]
    fn the_sum_stays_in_range() {
        let mut counter = Counter::default();
        counter.increment(at(A, 1), i64::MAX);
        counter.increment(at(B, 1), i64::MAX);
        assert_eq!(counter.value(), i64::MAX);
        counter.increment(at(A, 2), -1);
        assert_eq!(counter.value(), i64::MAX);
    }
}
