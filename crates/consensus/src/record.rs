//! What one node said that it holds, and the receipts that prove it.

use std::collections::BTreeMap;

use meshwork_base::{ReplicaId, SessionId, Tip};

use crate::{Receipt, SignedReceipt};

/// Roughly what a kept receipt costs beyond its bytes.
const KEPT_OVERHEAD_BYTES: usize = 192;

/// The receipts of one incarnation of one node.
///
/// Invariant: `claims` does not depend on the order in which receipts came, or on how often. Per replica the greatest
/// `(sequence, counter)` wins.
pub(crate) struct Record {
    incarnation: (u64, ReplicaId),
    claims: BTreeMap<ReplicaId, Claim>,
    /// The living receipts, by counter.
    kept: BTreeMap<u64, Box<Kept>>,
    kept_bytes: usize,
    /// When the last receipt was taken, as a number that grows with every receipt of any node.
    pub(crate) heard: u64,
}

/// "Holds everything up to `tip`."
#[derive(Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) tip: Tip,
    counter: u64,
    /// Its chain is known to differ from ours.
    pub(crate) forked: bool,
}

/// A living receipt.
pub(crate) struct Kept {
    pub(crate) signed: SignedReceipt,
    /// See [`Record::heard`].
    pub(crate) heard: u64,
    /// Whose link brought it.
    pub(crate) from: SessionId,
    /// For how many replicas it is the newest.
    live: usize,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.signed.bytes.len() + KEPT_OVERHEAD_BYTES
    }
}

/// How much of one node's receipts is kept.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) replicas_max: usize,
    pub(crate) bytes_max: usize,
}

/// What a receipt is to what is known already.
pub(crate) enum News {
    /// It comes from an incarnation that replaces the known one.
    Replaces,
    /// It adds to what the incarnation said.
    Adds,
    /// Late, or known: of no use.
    Nothing,
}

impl Record {
    pub(crate) fn new(epoch: u64, replica: ReplicaId) -> Self {
        Self {
            incarnation: (epoch, replica),
            claims: BTreeMap::new(),
            kept: BTreeMap::new(),
            kept_bytes: 0,
            heard: 0,
        }
    }

    pub(crate) fn news(&self, receipt: &Receipt) -> News {
        match (receipt.epoch, receipt.replica).cmp(&self.incarnation) {
            std::cmp::Ordering::Greater => News::Replaces,
            std::cmp::Ordering::Less => News::Nothing,
            std::cmp::Ordering::Equal
                if receipt.holds.iter().any(|(id, tip)| self.is_newer(id, tip, receipt)) =>
            {
                News::Adds
            }
            std::cmp::Ordering::Equal => News::Nothing,
        }
    }

    fn is_newer(&self, replica: &ReplicaId, tip: &Tip, receipt: &Receipt) -> bool {
        let newer = |claim: &Claim| (tip.sequence, receipt.counter) > (claim.tip.sequence, claim.counter);
        self.claims.get(replica).is_none_or(newer)
    }

    /// Takes a receipt of this incarnation. `same_chain` compares a tip with our own chain, where that is known.
    pub(crate) fn take(
        &mut self,
        limits: Limits,
        receipt: &Receipt,
        (signed, from, heard): (SignedReceipt, SessionId, u64),
        same_chain: impl Fn(&ReplicaId, &Tip) -> Option<bool>,
    ) {
        let first = self.kept.is_empty();
        let mut live = 0;
        for (replica, tip) in receipt.holds.iter() {
            if !self.is_newer(replica, tip, receipt) {
                continue;
            }
            let before = self.claims.get(replica).copied();
            if before.is_none() && self.claims.len() >= limits.replicas_max {
                tracing::warn!(node = %receipt.node, "a receipt names more replicas than `replicas_max`");
                continue;
            }
            let forked =
                same_chain(replica, tip).map_or(before.is_some_and(|claim| claim.forked), |same| !same);
            self.claims.insert(*replica, Claim { tip: *tip, counter: receipt.counter, forked });
            live += 1;
            if let Some(kept) = before.and_then(|claim| self.kept.get_mut(&claim.counter)) {
                kept.live = kept.live.saturating_sub(1);
            }
        }
        // What is kept without adding anything would be relayed in circles.
        if live > 0 || first {
            self.heard = heard;
            self.keep(limits, receipt.counter, Box::new(Kept { signed, heard, from, live }));
        }
    }

    fn keep(&mut self, limits: Limits, counter: u64, kept: Box<Kept>) {
        self.kept.retain(|_, kept| kept.live > 0);
        self.kept.insert(counter, kept);
        self.kept_bytes = self.kept.values().map(|kept| kept.bytes()).sum();
        while self.kept_bytes > limits.bytes_max && self.kept.len() > 1 {
            self.kept_bytes -= self.kept.pop_first().map_or(0, |(_, kept)| kept.bytes());
        }
    }

    pub(crate) fn replicas(&self) -> usize {
        self.claims.len()
    }

    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    pub(crate) fn claim(&self, replica: &ReplicaId) -> Option<&Claim> {
        self.claims.get(replica)
    }

    pub(crate) fn claim_mut(&mut self, replica: &ReplicaId) -> Option<&mut Claim> {
        self.claims.get_mut(replica)
    }

    /// The living receipts, oldest first. Together they say all that the node said.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &Kept> {
        self.kept.values().map(Box::as_ref)
    }

    /// Whether the next receipt should repeat what others say, so that fewer stay alive.
    pub(crate) fn is_crowded(&self, kept_max: usize, bytes_max: usize) -> bool {
        self.kept.len() >= kept_max || self.kept_bytes > bytes_max
    }

    /// Gives up the receipt that is the newest for the fewest replicas, and names these: the next receipt must.
    pub(crate) fn dissolve_smallest(&mut self) -> Vec<ReplicaId> {
        let Some(counter) = self.kept.iter().min_by_key(|(_, kept)| kept.live).map(|(counter, _)| *counter)
        else {
            return Vec::new();
        };
        self.kept_bytes -= self.kept.remove(&counter).map_or(0, |kept| kept.bytes());
        let named = self.claims.iter().filter(|(_, claim)| claim.counter == counter);
        named.map(|(replica, _)| *replica).collect()
    }
}
