//! What is stored here, and how much of it is confirmed.

use std::collections::{BTreeMap, VecDeque};

use meshwork_base::{ReplicaId, Tip, Version};

/// Our own side of the comparison.
///
/// Invariants: `confirmed` only grows, and no entry of it is beyond what was stored here.
#[derive(Default)]
pub(crate) struct Frontier {
    stored: Version,
    /// The last tips of each replica, oldest first: the only sequences whose hash is known here.
    tips: BTreeMap<ReplicaId, VecDeque<Tip>>,
    confirmed: BTreeMap<ReplicaId, u64>,
}

impl Frontier {
    /// Takes what is stored now, and names the replicas whose tip moved.
    pub(crate) fn store(&mut self, version: Version, tips_max: usize) -> Vec<(ReplicaId, Tip)> {
        let moved = version.iter().filter(|(replica, tip)| self.stored.tip(replica) != Some(tip));
        let moved: Vec<_> = moved.map(|(replica, tip)| (*replica, *tip)).collect();
        // A chain that did not just grow was cut off: from somewhere on, it is another one.
        if !version.covers(&self.stored) {
            self.tips.clear();
        }
        for (replica, tip) in &moved {
            let tips = self.tips.entry(*replica).or_default();
            if tips.back().is_some_and(|last| last.sequence >= tip.sequence) {
                tips.clear();
            }
            tips.push_back(*tip);
            if tips.len() > tips_max {
                tips.pop_front();
            }
        }
        self.stored = version;
        moved
    }

    pub(crate) fn stored(&self) -> &Version {
        &self.stored
    }

    /// Whether `tip` lies on our chain, if the hash at that sequence is known.
    pub(crate) fn same_chain(&self, replica: &ReplicaId, tip: &Tip) -> Option<bool> {
        let known = self.tips.get(replica)?.iter().rev().find(|known| known.sequence == tip.sequence)?;
        Some(known.hash == tip.hash)
    }

    /// Moves the confirmed frontier forward; returns the first newly confirmed sequence if it did move.
    pub(crate) fn confirm(&mut self, replica: ReplicaId, up_to: u64) -> Option<u64> {
        let before = self.confirmed.get(&replica).copied().unwrap_or(0);
        (up_to > before).then(|| {
            self.confirmed.insert(replica, up_to);
            before + 1
        })
    }

    pub(crate) fn confirmed(&self, replica: &ReplicaId) -> u64 {
        self.confirmed.get(replica).copied().unwrap_or(0)
    }

    pub(crate) fn confirmed_operations(&self) -> u64 {
        self.confirmed.values().fold(0, |total, sequence| total.saturating_add(*sequence))
    }
}
