//! What has been applied, and what the next local operation therefore depends on.

use std::collections::BTreeMap;

use meshwork_base::{Dot, ReplicaId};
use meshwork_op_log::DEPENDENCIES_MAX;

/// For each replica the last of its operations that is applied.
///
/// Convertible to the vocabulary of the `crdts` crate:
///
/// ```
/// use crdts::VClock;
/// use meshwork_base::ReplicaId;
/// use meshwork_crdt_state::{Config, Documents};
/// let documents = Documents::new(Config::default());
/// assert_eq!(VClock::from(&documents.applied_version()), VClock::<ReplicaId>::new());
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AppliedVersion(BTreeMap<ReplicaId, u64>);

impl AppliedVersion {
    /// The last applied operation of `replica`; 0 when there is none.
    pub fn sequence(&self, replica: &ReplicaId) -> u64 {
        self.0.get(replica).copied().unwrap_or(0)
    }

    /// The replicas and their last applied operations, in order of replica.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&ReplicaId, u64)> {
        self.0.iter().map(|(replica, sequence)| (replica, *sequence))
    }
}

impl From<&AppliedVersion> for crdts::VClock<ReplicaId> {
    fn from(version: &AppliedVersion) -> Self {
        Self { dots: version.0.clone() }
    }
}

/// What one replica has written and seen.
#[derive(Default, Debug)]
struct Seen {
    applied: u64,
    /// How far it declared to have seen others, over all of its applied operations.
    known: BTreeMap<ReplicaId, u64>,
}

/// The causal bookkeeping of all replicas.
#[derive(Default, Debug)]
pub(crate) struct Causality {
    own: Option<ReplicaId>,
    replicas: BTreeMap<ReplicaId, Seen>,
    /// The newest operations of others that our own last one does not depend on.
    fresh: BTreeMap<ReplicaId, u64>,
}

impl Causality {
    /// Authors as `replica` from now on. What that replica already depends on is taken from its own operations.
    pub(crate) fn author_as(&mut self, replica: ReplicaId) {
        self.own = Some(replica);
        let known = self.replicas.get(&replica).map(|seen| &seen.known);
        let is_fresh = |other: &ReplicaId, applied: u64| {
            *other != replica && known.and_then(|known| known.get(other)).is_none_or(|known| *known < applied)
        };
        let applied = self.replicas.iter().map(|(other, seen)| (*other, seen.applied));
        self.fresh = applied.filter(|(other, applied)| is_fresh(other, *applied)).collect();
    }

    /// Forgets what was applied, not who we are.
    pub(crate) fn clear(&mut self) {
        *self = Self { own: self.own, ..Self::default() };
    }

    /// The last applied operation of `replica`; 0 when there is none.
    pub(crate) fn applied(&self, replica: &ReplicaId) -> u64 {
        self.replicas.get(replica).map_or(0, |seen| seen.applied)
    }

    /// How far `replica` declared to have seen `other`.
    pub(crate) fn known(&self, replica: &ReplicaId, other: &ReplicaId) -> u64 {
        self.replicas.get(replica).and_then(|seen| seen.known.get(other)).copied().unwrap_or(0)
    }

    /// Notes that an operation is applied.
    pub(crate) fn advance(&mut self, dot: Dot, dependencies: &[Dot]) {
        let seen = self.replicas.entry(dot.replica).or_default();
        seen.applied = dot.sequence;
        for dependency in dependencies {
            let known = seen.known.entry(dependency.replica).or_default();
            *known = dependency.sequence.max(*known);
        }
        if self.own != Some(dot.replica) {
            self.fresh.insert(dot.replica, dot.sequence);
            return;
        }
        for dependency in dependencies {
            if self.fresh.get(&dependency.replica).is_some_and(|fresh| *fresh <= dependency.sequence) {
                self.fresh.remove(&dependency.replica);
            }
        }
    }

    /// What an operation depends on that is written now, strictly ascending, at most [`DEPENDENCIES_MAX`] of it.
    pub(crate) fn dependencies(&self) -> Vec<Dot> {
        let fresh = self.fresh.iter().take(DEPENDENCIES_MAX);
        fresh.map(|(replica, sequence)| Dot::new(*replica, *sequence)).collect()
    }

    /// How many operations it takes before one that can name all the rest it depends on.
    pub(crate) fn operations_before(&self) -> u64 {
        (self.fresh.len().saturating_sub(1) / DEPENDENCIES_MAX) as u64
    }

    pub(crate) fn version(&self) -> AppliedVersion {
        AppliedVersion(self.replicas.iter().map(|(replica, seen)| (*replica, seen.applied)).collect())
    }
}
