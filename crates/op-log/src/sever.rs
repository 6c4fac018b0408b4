//! What depends on an author who contradicts itself waits only so long.
//!
//! Of two branches under one replica each node keeps the one that it met first, and dependencies name operations by id. So
//! an honest operation may depend on more of a branch than a node holds that holds another one, and no peer can bring it
//! there: it would wait for ever, and all that follows it. After a while such a node severs the replica: nothing waits for
//! it any more. What its author wrote is then there as far as it came, and what honest nodes wrote is there in full.
//!
//! That a replica is severed is not stored: opening finds what was accepted without all that it depends on.

use meshwork_base::{Dot, ReplicaId, Timestamp};

use crate::{
    OpLog,
    history::{Accepted, History},
    proofs::Proofs,
};

impl History {
    /// Nothing waits for `replica` from now on. Accepts what did.
    pub(crate) fn sever(&mut self, replica: ReplicaId, accepted: &mut Accepted) {
        self.severed.insert(replica);
        for waiter in self.buffer.wake(&replica, u64::MAX) {
            self.advance(waiter, accepted);
        }
    }

    /// Whether it is proved, by proofs that are kept, that the author of `replica` contradicts itself under it.
    fn is_disproved(&self, replica: &ReplicaId, proofs: &Proofs) -> bool {
        let first = || self.chains.get(replica)?.blocks.first();
        let author = || self.format.outline(&first()?.bytes).ok().map(|outline| outline.author);
        proofs.contains(replica) || author().is_some_and(|author| proofs.is_liar(&author))
    }

    /// A replica that something waits for, and whose author is proved a liar.
    fn severable(&self, proofs: &Proofs, waits: impl Fn(Dot) -> bool) -> Option<ReplicaId> {
        let replicas = self.buffer.missing().filter(|dot| waits(*dot)).map(|dot| dot.replica);
        replicas.into_iter().find(|replica| self.is_disproved(replica, proofs))
    }

    /// Accepts, while opening, what was stored when replicas were severed.
    pub(crate) fn sever_again(&mut self, proofs: &Proofs, accepted: &mut Accepted) {
        while self.buffer.first().is_some()
            && let Some(replica) = self.severable(proofs, |_| true)
        {
            self.sever(replica, accepted);
        }
    }
}

impl OpLog {
    /// Severs the replicas of liars that somebody has waited for too long.
    pub(crate) fn sever_overdue(&mut self, now: Timestamp) {
        let mut accepted = Accepted::default();
        while let Some(replica) = self.history.severable(&self.proofs, |dot| self.overdue.is_told(dot)) {
            tracing::warn!(%replica, "its author contradicts itself: what depends on it waits no longer");
            self.history.sever(replica, &mut accepted);
        }
        let operations = self.settle(now, None, accepted);
        self.deliver(operations);
    }
}
