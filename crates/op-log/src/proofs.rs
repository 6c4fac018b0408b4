//! The proofs of equivocation that are kept.
//!
//! An insider makes replicas and contradicts itself under them as often as it likes. So an author is proved a liar only
//! so often, and then all that it writes counts as closed; and all proofs together are bounded in bytes.

use std::collections::{BTreeMap, BTreeSet};

use meshwork_base::{Bytes, NodeId, ReplicaId};

/// After so many proofs against one author, all of its replicas are closed and no further proof is kept. A constant of
/// the protocol: nodes that drew the line elsewhere would leave different replicas out of what they compare.
pub(crate) const PROOFS_PER_AUTHOR_MAX: usize = 16;

/// Two blocks without bodies, signed by one author, that contradict each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Proof {
    pub(crate) author: NodeId,
    pub(crate) first: Bytes,
    pub(crate) second: Bytes,
}

impl Proof {
    pub(crate) fn bytes(&self) -> usize {
        self.first.len() + self.second.len()
    }
}

/// One proof for each replica that is proved against.
#[derive(Default, Debug)]
pub(crate) struct Proofs {
    of: BTreeMap<ReplicaId, Box<Proof>>,
    authors: BTreeMap<NodeId, usize>,
    bytes: usize,
    /// The authors for whom nothing waits any more where they contradict themselves. Each has a proof.
    lost_patience: BTreeSet<NodeId>,
}

impl Proofs {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    pub(crate) fn contains(&self, replica: &ReplicaId) -> bool {
        self.of.contains_key(replica)
    }

    pub(crate) fn get(&self, replica: &ReplicaId) -> Option<&Proof> {
        self.of.get(replica).map(Box::as_ref)
    }

    pub(crate) fn replicas(&self) -> impl Iterator<Item = ReplicaId> {
        self.of.keys().copied()
    }

    /// The authors that are closed.
    pub(crate) fn liars(&self) -> impl Iterator<Item = NodeId> {
        self.authors.keys().filter(|author| self.is_liar(author)).copied()
    }

    /// Whether all that this author writes counts as closed.
    pub(crate) fn is_liar(&self, author: &NodeId) -> bool {
        self.authors.get(author).is_some_and(|count| *count >= PROOFS_PER_AUTHOR_MAX)
    }

    pub(crate) fn lose_patience(&mut self, author: NodeId) {
        self.lost_patience.insert(author);
    }

    /// Whether something may wait for what this author wrote where it contradicts itself.
    pub(crate) fn has_patience(&self, author: &NodeId) -> bool {
        !self.lost_patience.contains(author)
    }

    /// The replicas under which this author is proved to contradict itself.
    pub(crate) fn against(&self, author: &NodeId) -> impl Iterator<Item = ReplicaId> {
        self.of.iter().filter(move |(_, proof)| proof.author == *author).map(|(replica, _)| *replica)
    }

    /// Whether there is room for a proof against another replica of its author.
    pub(crate) fn has_room(&self, proof: &Proof, bytes_max: usize) -> bool {
        !self.is_liar(&proof.author) && self.bytes.saturating_add(proof.bytes()) <= bytes_max
    }

    pub(crate) fn insert(&mut self, replica: ReplicaId, proof: Proof) {
        self.bytes += proof.bytes();
        *self.authors.entry(proof.author).or_default() += 1;
        if let Some(before) = self.of.insert(replica, Box::new(proof)) {
            self.bytes -= before.bytes();
            if let Some(count) = self.authors.get_mut(&before.author) {
                *count -= 1;
            }
        }
    }
}
