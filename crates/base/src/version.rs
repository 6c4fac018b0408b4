//! Everything up to where.

use serde::{Deserialize, Serialize};

use crate::{Dot, Hash, ReplicaId};

/// How far one replica's chain is held.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Tip {
    /// The highest sequence held without a gap below it.
    pub sequence: u64,
    /// The hash of that operation's header: two holders of one sequence can tell whether they hold the same.
    pub hash: Hash,
}

/// For each replica, the [`Tip`] of its chain: a causally closed set of operations.
///
/// Kept as a sorted vector, which compares an order of magnitude faster than a tree of clocks.
///
/// ```
/// use meshwork_base::{Dot, Hash, ReplicaId, Tip, Version};
/// let (a, b) = (ReplicaId([1; 16]), ReplicaId([2; 16]));
/// let mut version = Version::default();
/// version.set(a, Tip { sequence: 3, hash: Hash::of(b"third") });
/// assert!(version.contains(Dot::new(a, 2)) && !version.contains(Dot::new(b, 1)));
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Version(Vec<(ReplicaId, Tip)>);

impl Version {
    /// The tip of `replica`, if anything of it is held.
    pub fn tip(&self, replica: &ReplicaId) -> Option<&Tip> {
        self.0.binary_search_by_key(replica, |(id, _)| *id).ok().map(|at| &self.0[at].1)
    }

    /// The highest sequence of `replica`; 0 when nothing of it is held.
    pub fn sequence(&self, replica: &ReplicaId) -> u64 {
        self.tip(replica).map_or(0, |tip| tip.sequence)
    }

    /// Puts `replica` at `tip`, forwards or backwards.
    pub fn set(&mut self, replica: ReplicaId, tip: Tip) {
        match self.0.binary_search_by_key(&replica, |(id, _)| *id) {
            Ok(at) => self.0[at].1 = tip,
            Err(at) => self.0.insert(at, (replica, tip)),
        }
    }

    /// Whether the operation is in.
    pub fn contains(&self, dot: Dot) -> bool {
        dot.sequence <= self.sequence(&dot.replica)
    }

    /// Whether every operation of `other` is in, by sequence.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(replica, tip)| tip.sequence <= self.sequence(replica))
    }

    /// Takes the longer chain of each replica.
    pub fn merge(&mut self, other: &Self) {
        for (replica, tip) in &other.0 {
            if tip.sequence > self.sequence(replica) {
                self.set(*replica, *tip);
            }
        }
    }

    /// The replicas and their tips, in order of replica.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&ReplicaId, &Tip)> {
        self.0.iter().map(|(replica, tip)| (replica, tip))
    }

    /// How many replicas are named.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many operations it covers.
    pub fn operations(&self) -> u64 {
        self.0.iter().map(|(_, tip)| tip.sequence).sum()
    }

    /// One hash for the whole: equal versions, equal digests.
    pub fn digest(&self) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key("meshwork 2026 version digest");
        for (replica, tip) in &self.0 {
            hasher.update(&replica.0).update(&tip.sequence.to_le_bytes()).update(&tip.hash.0);
        }
        Hash(*hasher.finalize().as_bytes())
    }

    /// Whether the entries are strictly ascending, as every version made here is. A decoded one need not be: check
    /// before use.
    pub fn is_well_formed(&self) -> bool {
        self.0.is_sorted_by(|(a, _), (b, _)| a < b) && self.0.iter().all(|(_, tip)| tip.sequence > 0)
    }
}

impl FromIterator<(ReplicaId, Tip)> for Version {
    fn from_iter<I: IntoIterator<Item = (ReplicaId, Tip)>>(entries: I) -> Self {
        let mut version = Self::default();
        for (replica, tip) in entries {
            version.set(replica, tip);
        }
        version
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(entries: &[(u8, u64)]) -> Version {
        let tip = |sequence: u64| Tip { sequence, hash: Hash::of(&sequence.to_le_bytes()) };
        entries.iter().filter(|(_, n)| *n > 0).map(|(id, n)| (ReplicaId([*id; 16]), tip(*n))).collect()
    }

    proptest! {
        #[test]
        fn merge_is_the_least_upper_bound(
            a in prop::collection::vec((0u8..6, 0u64..9), 0..6),
            b in prop::collection::vec((0u8..6, 0u64..9), 0..6),
        ) {
            let (a, b) = (version(&a), version(&b));
            let (mut ab, mut ba) = (a.clone(), b.clone());
            ab.merge(&b);
            ba.merge(&a);
            prop_assert_eq!(&ab, &ba);
            prop_assert_eq!(ab.digest(), ba.digest());
            prop_assert!(ab.covers(&a) && ab.covers(&b) && ab.is_well_formed());
            prop_assert_eq!(a.covers(&b), ab == a);
        }
    }
}
