//! Our own replica, met from outside: a copy of this store (a restored backup, a cloned disk) has written under it too.
//!
//! The replica is retired and a new incarnation begins. What only this node knows of the old one is cut off and issued
//! again under an *heir*, a replica that only the log writes to, so its numbers never collide with what the documents
//! number meanwhile. Documents start again from the log: `Rebuild`, `Incarnation`, and every operation once more.
//!
//! An operation issued again has a new dot. Bodies are opaque here, so one that names an earlier operation of the cut
//! branch by its dot (the removal of a value written there) no longer finds it.

use meshwork_base::{Dot, Hash, ReplicaId, SessionId, Timestamp, Tip};

use crate::{
    Effect, Event, NewOperation, OpLog, Operation,
    block::Block,
    builder::{self, Builder},
    chain::delete_row,
    flush::Heir,
    recovery::{Record, nonce},
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
        self.flush(now);
        let fork = self.history.fork_point(&block);
        let apart = block.outline.first > self.history.end(&replica) + 1 || fork < block.outline.first;
        if apart && fork > self.author.sent {
            // Where the branches part is not in this block: ask for what lies before it. Own sends wait for the answer.
            if let Some(peer) = from
                && let Some(link) = self.links.get_mut(&peer)
            {
                link.remote.insert(replica, Tip { sequence: block.outline.last, hash: block.tip });
                self.fetch_from(now, peer);
            }
            return Vec::new();
        }
        let tip = Tip { sequence: block.outline.last, hash: block.tip };
        self.retire(now, fork, format!("another copy of this store wrote operation {fork} of it"));
        let operations = self.take_verified(now, from, block);
        if let Some(peer) = from
            && let Some(link) = self.links.get_mut(&peer)
        {
            // Cutting whole blocks may have cut a little more than what differs.
            link.remote.insert(replica, tip);
            self.fetch_from(now, peer);
        }
        operations
    }

    fn take_verified(&mut self, now: Timestamp, from: Option<SessionId>, block: Block) -> Vec<Operation> {
        let mut accepted = crate::history::Accepted::default();
        self.history.insert(block, from, &mut accepted);
        self.settle(now, from, accepted)
    }

    /// Ends the current incarnation. Of its operations from `fork` on, those that never left are issued again.
    pub(crate) fn retire(&mut self, now: Timestamp, fork: u64, reason: String) {
        self.flush(now);
        let old = self.author.replica;
        let fork = fork.max(self.author.sent + 1);
        let cut = self.history.truncate(&old, fork - 1);
        let end = self.history.end(&old);
        self.author.unreleased.retain(|block| block.replica != old || block.tip.sequence <= end);
        self.forget_beyond(&old);

        let record = Record::next(&mut self.random, now, self.author.epoch);
        self.begin_incarnation(&record);
        let mut rows: Vec<_> = cut.iter().map(|block| delete_row(&old, block)).collect();
        rows.push(record.row());
        self.persist(rows, []);

        let mut again = Vec::new();
        for held in cut {
            let block = self
                .history
                .format
                .outline(&held.bytes)
                .and_then(|outline| self.history.format.decode(outline));
            let operations = block.map(|block| block.operations).unwrap_or_default();
            again
                .extend(operations.into_iter().filter(|operation| operation.dot.sequence >= fork).map(renew));
        }
        self.issue_again(now, again);
        self.effects.push_back(Effect::Rebuild);
        self.effects.push_back(Effect::Incarnation(self.author.incarnation()));
        let all = self.history.replay();
        self.deliver(all);
        self.emit(Event::Retired { replica: old, reason });
        for link in self.links.values_mut() {
            link.start_over(now);
        }
    }

    /// Issues operations of retired replicas again, in order, under the heir. Returns them as they now are.
    pub(crate) fn issue_again(&mut self, now: Timestamp, operations: Vec<NewOperation>) -> Vec<Operation> {
        let (space, node) = (self.context.space, self.context.signer.node());
        let mut heir = match self.author.heir.take() {
            Some(heir) => heir,
            None => Heir { nonce: nonce(&mut self.random, self.author.epoch), next: 1, tip: Hash::ZERO },
        };
        let mut issued = Vec::new();
        let mut rows = Vec::new();
        let mut open: Option<(Builder, Vec<Dot>)> = None;
        let replica = ReplicaId::derive(&node, &space, &heir.nonce);
        for mut operation in operations {
            self.anchor(&mut operation, &replica);
            operation.dot = Dot::new(replica, heir.next);
            let meta = match builder::check(&operation) {
                Ok(meta) => meta,
                Err(reason) => {
                    tracing::warn!(dot = %operation.dot, reason, "an operation is lost: nobody would take it");
                    continue;
                }
            };
            if let Some((full, needs)) =
                open.take_if(|(open, _)| !open.fits(meta.len() + operation.body.len()))
            {
                rows.extend(self.sign(full, needs));
            }
            let (open, needs) = open.get_or_insert_with(|| {
                (Builder::new(&space, &node, &heir.nonce, heir.next, heir.tip), Vec::new())
            });
            open.push(&self.history.format, &meta, &operation.body);
            (heir.next, heir.tip) = (open.next, open.tip);
            needs.extend_from_slice(&operation.dependencies);
            let NewOperation { dot, dependencies, document, time, body } = operation;
            issued.push(Operation { dot, author: node, dependencies, document, time, body, hash: open.tip });
        }
        if let Some((full, needs)) = open {
            rows.extend(self.sign(full, needs));
        }
        let tip = Tip { sequence: heir.next - 1, hash: heir.tip };
        self.author.heir = Some(heir);
        self.persist(rows, issued.last().map(|operation| (operation.dot.replica, tip)));
        self.release(now);
        issued
    }

    /// What implied the old replica's previous operation now names the last that is left of it.
    fn anchor(&self, operation: &mut NewOperation, heir: &ReplicaId) {
        let left = self.history.version.sequence(&operation.dot.replica);
        operation.dependencies.retain(|dot| dot.replica != *heir && self.history.version.contains(*dot));
        if left > 0 {
            operation.dependencies.push(Dot::new(operation.dot.replica, left));
            operation.dependencies.sort_unstable();
        }
    }
}

fn renew(operation: Operation) -> NewOperation {
    let Operation { dot, dependencies, document, time, body, .. } = operation;
    NewOperation { dot, dependencies, document, time, body }
}
