//! What hostile nodes did.

use std::collections::{BTreeMap, BTreeSet};

use meshwork::{Dot, Hash, ReplicaId, SessionId};

use super::Attack;

/// What invariants have to know of attacks.
#[derive(Default)]
pub(crate) struct Ledger {
    /// How many frames of each kind were sent.
    pub(crate) frames: BTreeMap<Attack, u64>,
    /// Operations that nobody in whose name they are has signed.
    pub(crate) forged: BTreeMap<Dot, BTreeSet<Hash>>,
    /// The replicas under which operations have one id, and the first such id of each.
    pub(crate) branched: BTreeMap<ReplicaId, Dot>,
    /// The sessions about which rumours were made up.
    pub(crate) slandered: BTreeSet<SessionId>,
}

impl Ledger {
    /// Whether correct nodes may hold different operations of a replica: its author contradicts itself.
    pub(crate) fn is_branched(&self, replica: &ReplicaId) -> bool {
        self.branched.contains_key(replica)
    }
}
