//! Our own replica, met from outside: a copy of this store (a restored backup, a cloned disk) has written under it too.
//!
//! The replica is retired and a new incarnation begins. What only this node knows of the old one is cut off and issued
//! again under an *heir*, a replica that only the log writes to, so its numbers never collide with what the documents
//! number meanwhile. All of that becomes durable in one write. Documents start again from the log: `Rebuild`,
//! `Incarnation`, and every operation once more.
//!
//! An operation that is issued again was made by somebody who had seen what the retired replica had named as its
//! dependencies, so the heir names that first (see [`heir`](crate::heir)). It has a new dot: bodies are opaque here, so
//! one that names an earlier operation of the cut branch by its dot (the removal of a value written there) no longer
//! finds it.
//!
//! Nothing of others rests on what is cut: it never left, so whoever depends on its numbers means another branch, and
//! waits for that ([`History::own`](crate::history::History::own)).
//!
//! All this is about a replica that this node still writes to. One that was left behind by a crash (the durable mark was
//! set when the store was opened) is not cut: what it had not sent is served as it is, under its old dots. If the store
//! was also a copy, others see two branches: they prove and contain them, and keep the one that they met first.

use meshwork_base::{Hash, ReplicaId, Row, SessionId, Timestamp, Tip};

use crate::{
    Effect, Event, NewOperation, OpLog, Operation,
    block::Block,
    builder,
    chain::{Held, delete_row},
    history::Accepted,
    recovery::Record,
};

impl OpLog {
    /// A validly signed block of the current replica came from outside. Returns what it brought.
    pub(crate) fn meet_own(
        &mut self,
        now: Timestamp,
        from: Option<SessionId>,
        block: Block,
    ) -> Vec<Operation> {
        let replica = block.outline.replica;
        if replica != self.author.replica {
            return self.take_verified(now, from, block);
        }
        self.seal(now);
        let hashes: Vec<Hash> = block.operations.iter().map(|operation| operation.hash).collect();
        let before = block.outline.first - 1;
        let shared = self.history.shares(&block.outline, &hashes);
        let tip = Tip { sequence: block.outline.last, hash: block.tip };
        if shared.is_none() && before > self.author.sent {
            // Where the branches part is not in this block: ask for what lies before it. Own sends wait for the answer.
            if let Some(peer) = from
                && let Some(link) = self.links.get_mut(&peer)
            {
                link.remote.insert(replica, tip);
                self.fetch_from(now, peer);
            }
            self.commit(now);
            return Vec::new();
        }
        let fork = shared.map_or(before, |shared| shared + 1);
        self.retire(
            now,
            fork,
            format!("another copy of this store wrote operation {fork} of it"),
            Vec::new(),
        );
        let operations = self.take_verified(now, from, block);
        if let Some(peer) = from
            && let Some(link) = self.links.get_mut(&peer)
        {
            // There may be more of the other branch than this block.
            link.remote.insert(replica, tip);
            self.fetch_from(now, peer);
        }
        operations
    }

    fn take_verified(&mut self, now: Timestamp, from: Option<SessionId>, block: Block) -> Vec<Operation> {
        let mut accepted = Accepted::default();
        self.history.insert(block, from, &mut accepted);
        self.settle(now, from, accepted)
    }

    /// Ends the current incarnation. Of its operations from `fork` on, those that never left are issued again. `rows` are
    /// stored in the same write.
    pub(crate) fn retire(&mut self, now: Timestamp, fork: u64, reason: String, mut rows: Vec<Row>) {
        self.seal(now);
        rows.append(&mut self.author.sealed);
        let old = self.author.replica;
        let cut = self.cut_off(&old, fork.max(self.author.sent + 1) - 1, &mut rows);
        let left = self.history.version.tip(&old).copied();
        let record = Record::next(&mut self.random, now, self.author.epoch);
        self.begin_incarnation(&record);
        rows.push(record.row());

        let mut seen = self.history.named_by(&old);
        seen.extend(left.map(|tip| (old, tip.sequence)));
        self.heir().owe(seen);
        let (_, heir) = self.issue_again(cut.into_iter().map(renew).collect(), &mut rows);
        self.persist(rows, left.map(|tip| (old, tip)).into_iter().chain(heir));
        self.release(now);

        self.effects.push_back(Effect::Rebuild);
        self.effects.push_back(Effect::Incarnation(self.author.incarnation()));
        let all = self.history.replay();
        self.deliver(all);
        let kept = left.map_or(0, |tip| tip.sequence);
        self.emit(Event::Retired { replica: old, kept, reason });
        for link in self.links.values_mut() {
            link.start_over(now);
        }
        let woken = self.wake_own(now);
        self.deliver(woken);
    }

    /// Cuts the chain of `replica` off after `keep`, and adds to `rows` what that changes. Returns the cut operations.
    fn cut_off(&mut self, replica: &ReplicaId, keep: u64, rows: &mut Vec<Row>) -> Vec<Operation> {
        let cut = self.history.truncate(replica, keep);
        rows.extend(cut.iter().map(|block| delete_row(replica, block)));
        if let Some(block) = cut.first().filter(|block| block.first <= keep) {
            // Both branches share the beginning of this block.
            let head = builder::head(&self.history.format, &block.bytes, keep, &*self.context.signer);
            // It is cut from what was checked before it was linked.
            if let Ok((bytes, tip)) = head {
                let (first, arrival) = (block.first, block.arrival);
                rows.push(self.history.extend(*replica, Held { bytes, first, last: keep, tip, arrival }));
            }
        }
        let left = self.history.version.tip(replica).copied();
        let end = left.map_or(0, |tip| tip.sequence);
        self.author.unreleased.retain(|block| block.replica != *replica || block.first <= end);
        for block in &mut self.author.unreleased {
            if block.replica == *replica
                && block.tip.sequence > end
                && let Some(tip) = left
            {
                block.tip = tip;
            }
        }
        self.forget_beyond(replica);
        let operations = cut.iter().flat_map(|block| self.history.decode(block));
        operations.filter(|operation| operation.dot.sequence > end).collect()
    }
}

fn renew(operation: Operation) -> NewOperation {
    let Operation { dot, dependencies, document, time, body, .. } = operation;
    NewOperation { dot, dependencies, document, time, body }
}
