//! Local operations: chained at once, signed once a flush, sent when others could do with them.

use std::collections::{BTreeSet, VecDeque};

use meshwork_base::{Bytes, Deadline, Dot, Hash, Monotonic, NodeId, ReplicaId, Row, SpaceId, Timestamp, Tip};

use crate::{
    Incarnation, NewOperation, OpLog,
    builder::{self, Builder},
    heir::Heir,
    recovery::Record,
    sync::Link,
};

/// The current incarnation and what it has open.
pub(crate) struct Author {
    pub(crate) replica: ReplicaId,
    pub(crate) nonce: [u8; 16],
    pub(crate) epoch: u64,
    /// The highest of its operations that may have left this node.
    pub(crate) sent: u64,
    /// How many claims that others know more of it turned out false.
    pub(crate) false_claims: u32,
    /// The replicas that this node authored under since it opened, and no longer does.
    pub(crate) retired: BTreeSet<ReplicaId>,
    /// The replica under which operations of retired ones are issued again.
    pub(crate) heir: Option<Heir>,
    open: Option<Builder>,
    /// The next operation's number.
    pub(crate) next: u64,
    /// The others' operations on which the open block depends.
    needs: Vec<Dot>,
    /// Rows of sealed blocks that no write asks for yet.
    pub(crate) sealed: Vec<Row>,
    /// Sealed blocks that wait for what they depend on to be durable.
    pub(crate) unreleased: VecDeque<Unreleased>,
    last_flush: Option<Monotonic>,
    flush_due: Option<Monotonic>,
}

/// A block of this node that has not been sent.
pub(crate) struct Unreleased {
    pub(crate) replica: ReplicaId,
    pub(crate) bytes: Bytes,
    pub(crate) first: u64,
    pub(crate) tip: Tip,
    pub(crate) needs: Vec<Dot>,
}

impl Author {
    pub(crate) fn new(node: &NodeId, space: &SpaceId, record: &Record, next: u64) -> Self {
        Self {
            replica: ReplicaId::derive(node, space, &record.nonce),
            nonce: record.nonce,
            epoch: record.epoch,
            sent: record.sent,
            false_claims: 0,
            retired: BTreeSet::new(),
            heir: None,
            open: None,
            next,
            needs: Vec::new(),
            sealed: Vec::new(),
            unreleased: VecDeque::new(),
            last_flush: None,
            flush_due: None,
        }
    }

    pub(crate) fn incarnation(&self) -> Incarnation {
        Incarnation { replica: self.replica, epoch: self.epoch, next_sequence: self.next }
    }

    pub(crate) fn record(&self) -> Record {
        Record { nonce: self.nonce, epoch: self.epoch, sent: self.sent }
    }

    pub(crate) fn flush_due(&self) -> Option<Deadline> {
        self.flush_due.map(|at| Deadline { at, why: "sign and store what is open" })
    }
}

impl OpLog {
    /// Takes local operations. One that cannot be taken as it is (a bug of whoever made it, or it was made for an
    /// incarnation that is retired by now) is issued again under another replica.
    pub(crate) fn append(&mut self, now: Timestamp, operations: Vec<NewOperation>) {
        let mut late = Vec::new();
        for operation in operations {
            if operation.dot.replica != self.author.replica {
                late.push(operation);
            } else if let Err(reason) = self.chain(now, &operation) {
                let reason = format!("operation {} does not fit: {reason}", operation.dot);
                self.retire(now, self.author.next, reason, Vec::new());
                late.push(operation);
            }
        }
        late.retain(|operation| self.author.retired.contains(&operation.dot.replica));
        if !late.is_empty() {
            self.issue_late(now, late);
        }
        if self.is_closing() {
            self.flush(now);
            self.close_on();
        } else {
            self.flush_or_wait(now);
        }
    }

    /// Puts one operation into the open block.
    fn chain(&mut self, now: Timestamp, operation: &NewOperation) -> Result<(), String> {
        if operation.dot.sequence != self.author.next {
            return Err(format!("operation {} was due", self.author.next));
        }
        if let Some(unknown) = operation.dependencies.iter().find(|dot| !self.history.version.contains(**dot))
        {
            return Err(format!("it depends on {unknown}, which is not here"));
        }
        let meta = builder::check(operation)?;
        if self.author.open.as_ref().is_some_and(|open| !open.fits(meta.len() + operation.body.len())) {
            self.seal(now);
        }
        let open = match &mut self.author.open {
            Some(open) => open,
            None => {
                let tip = self.history.version.tip(&self.author.replica);
                let previous = tip.map_or(Hash::ZERO, |tip| tip.hash);
                let (space, node) = (&self.context.space, &self.context.signer.node());
                let open = Builder::new(space, node, &self.author.nonce, self.author.next, previous);
                self.author.open.insert(open)
            }
        };
        open.push(&self.history.format, &meta, &operation.body);
        let full = open.is_full();
        self.author.next += 1;
        self.author.needs.extend_from_slice(&operation.dependencies);
        if full {
            self.seal(now);
        }
        Ok(())
    }

    /// An idle log signs at once; a busy one waits for its interval or for a full block.
    fn flush_or_wait(&mut self, now: Timestamp) {
        let due = self.author.last_flush.map(|last| last + self.config.flush_interval());
        if due.is_none_or(|due| due <= now.monotonic) {
            self.flush(now);
        } else {
            if self.author.open.is_some() {
                self.author.flush_due = due;
            }
            self.commit(now);
        }
    }

    /// Signs what is open, and asks for all that is signed to be stored.
    pub(crate) fn flush(&mut self, now: Timestamp) {
        self.seal(now);
        self.commit(now);
    }

    /// Signs the open block.
    pub(crate) fn seal(&mut self, now: Timestamp) {
        self.author.flush_due = None;
        let Some(open) = self.author.open.take() else { return };
        self.author.last_flush = Some(now.monotonic);
        let needs = std::mem::take(&mut self.author.needs);
        let row = self.sign(open, needs);
        self.author.sealed.extend(row);
    }

    /// Signs a block and makes it part of the log. Returns its row.
    pub(crate) fn sign(&mut self, open: Builder, needs: Vec<Dot>) -> Option<Row> {
        let hash = open.tip;
        let bytes = open.seal(&*self.context.signer);
        // Reading back what was just written cannot fail; if it does, nothing has left this node.
        let outline = self.history.format.outline(&bytes).ok()?;
        let (replica, first) = (outline.replica, outline.first);
        let tip = Tip { sequence: outline.last, hash };
        self.author.unreleased.push_back(Unreleased { replica, bytes, first, tip, needs });
        Some(self.history.append(outline, hash))
    }

    /// Signs and stores what is open, if it has waited long enough.
    pub(crate) fn flush_if_due(&mut self, now: Timestamp) {
        if !self.is_closing() && self.author.flush_due().is_some_and(|due| due.is_due(now)) {
            self.flush(now);
        }
    }

    /// Asks for all that is signed to be stored.
    pub(crate) fn commit(&mut self, now: Timestamp) {
        let rows = std::mem::take(&mut self.author.sealed);
        if !rows.is_empty() {
            let replica = self.author.replica;
            let tip = self.history.version.tip(&replica).copied();
            // Peers first: the write takes longer than they do, and neither waits for the other.
            self.release(now);
            self.persist(rows, tip.map(|tip| (replica, tip)));
        }
    }

    /// Shows and sends own blocks whose time has come: the durable mark is stored, and so are the operations of others
    /// that they depend on, and nobody is suspected of knowing another branch of this replica.
    pub(crate) fn release(&mut self, now: Timestamp) {
        if !self.marked || self.is_closing() || self.fetches.contains_key(&self.author.replica) {
            return;
        }
        let stored = &self.stored;
        let ready = |block: &mut Unreleased| block.needs.iter().all(|dot| stored.contains(*dot));
        let mut released = Vec::new();
        while let Some(block) = self.author.unreleased.pop_front_if(ready) {
            self.shown.set(block.replica, block.tip);
            released.push(block);
        }
        let changed: BTreeSet<ReplicaId> = released.iter().map(|block| block.replica).collect();
        for replica in &changed {
            self.note_change(now, replica, None);
        }
        released.retain(|block| block.replica == self.author.replica);
        self.push_live(&released);
    }

    /// Sends released blocks of the current replica to every peer that holds what precedes them and keeps up.
    fn push_live(&mut self, blocks: &[Unreleased]) {
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return };
        let (replica, before, last) = (first.replica, first.first - 1, last.tip.sequence);
        let bytes: Vec<Bytes> = blocks.iter().map(|block| block.bytes.clone()).collect();
        let keeps_up = |link: &Link| link.keeps_up(&replica, before);
        let peers: Vec<_> =
            self.links.iter().filter(|(_, link)| keeps_up(link)).map(|(peer, _)| *peer).collect();
        for peer in peers {
            self.send_blocks(peer, false, bytes.clone());
            self.author.sent = self.author.sent.max(last);
            if let Some(link) = self.links.get_mut(&peer) {
                link.note_sent_live(&replica, last);
            }
        }
    }

    /// Authors under the incarnation of `record` from now on; nothing is open.
    pub(crate) fn begin_incarnation(&mut self, record: &Record) {
        self.author.retired.insert(self.author.replica);
        self.author.replica =
            ReplicaId::derive(&self.context.signer.node(), &self.context.space, &record.nonce);
        (self.author.nonce, self.author.epoch, self.author.sent) = (record.nonce, record.epoch, record.sent);
        self.author.next = 1;
        self.author.false_claims = 0;
    }
}
