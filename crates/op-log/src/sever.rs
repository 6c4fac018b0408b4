//! What depends on an author who contradicts itself waits only so long.
//!
//! Of two branches under one replica each node keeps the one that it met first, and dependencies name operations by id. So
//! an honest operation may depend on more of a branch than a node holds that holds another one, and no peer can bring it
//! there: it would wait for ever, and all that follows it. After a while such a node severs the replica, and the others
//! under which that author contradicts itself: nothing waits for them any more. What the author wrote is then there as
//! far as it came, and what honest nodes wrote is there in full.
//!
//! That a replica is severed is not stored: to open a log severs whatever something in it waits for and is a liar's.

use meshwork_base::{Dot, NodeId, ReplicaId, Timestamp};

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

    /// The author of `replica`, if it is proved, by proofs that are kept, to contradict itself under it.
    fn disproved_author(&self, replica: &ReplicaId, proofs: &Proofs) -> Option<NodeId> {
        proofs.get(replica).map(|proof| proof.author).or_else(|| {
            let first = self.chains.get(replica)?.blocks.first()?;
            let author = self.format.outline(&first.bytes).ok()?.author;
            proofs.is_liar(&author).then_some(author)
        })
    }

    /// Accepts, while opening, what was stored when replicas were severed. (What waited still is not told from it.)
    pub(crate) fn sever_again(&mut self, proofs: &Proofs, accepted: &mut Accepted) {
        let disproved = |history: &Self| {
            let mut missing = history.buffer.missing().map(|dot| dot.replica);
            missing.find(|replica| history.disproved_author(replica, proofs).is_some())
        };
        while let Some(replica) = disproved(self) {
            self.sever(replica, accepted);
        }
    }
}

impl OpLog {
    /// Somebody has waited too long: patience with the authors of what is overdue ends, if they are liars.
    pub(crate) fn lose_patience(&mut self) {
        let overdue = self.history.buffer.missing().filter(|dot| self.overdue.is_told(*dot));
        let liars = overdue.filter_map(|Dot { replica, .. }| {
            Some((replica, self.history.disproved_author(&replica, &self.proofs)?))
        });
        for (replica, author) in liars.collect::<Vec<_>>() {
            tracing::warn!(%author, "it contradicts itself: what depends on that waits no longer");
            self.proofs.lose_patience(author);
            self.to_sever.extend(self.proofs.against(&author));
            self.to_sever.insert(replica);
        }
    }

    /// Severs what is to be severed. Not while other operations are on their way to the documents: those come first.
    pub(crate) fn sever(&mut self, now: Timestamp) {
        if self.to_sever.is_empty() {
            return;
        }
        let mut accepted = Accepted::default();
        while let Some(replica) = self.to_sever.pop_first() {
            self.history.sever(replica, &mut accepted);
        }
        let operations = self.settle(now, None, accepted);
        self.deliver(operations);
    }
}
