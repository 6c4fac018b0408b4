//! The heir: a replica that only the log writes to, under which operations of retired replicas are issued again.
//!
//! An operation that is issued again was made by somebody who had seen all that its replica had named before as its
//! dependencies, and documents hold it to that: it takes away nothing that its author does not declare to have seen. So
//! the heir first names whatever the retired replicas had named. One operation can name only so many: the rest goes
//! before it, in operations with an empty body.

use std::collections::BTreeMap;

use meshwork_base::{Bytes, Dot, Hash, ReplicaId, Row, Timestamp, Tip};

use crate::{
    NewOperation, OpLog, Operation,
    builder::{self, Builder},
    meta::DEPENDENCIES_MAX,
    recovery::nonce,
};

/// One node's heir. It lives as long as the process: a store that is opened again gets another.
pub(crate) struct Heir {
    nonce: [u8; 16],
    replica: ReplicaId,
    next: u64,
    tip: Hash,
    /// For each replica, the newest operation that the heir's own ones name.
    named: BTreeMap<ReplicaId, u64>,
    /// What its next operation has to name beyond that.
    owed: BTreeMap<ReplicaId, u64>,
}

impl Heir {
    /// Its next operation is to name these, too.
    pub(crate) fn owe(&mut self, seen: impl IntoIterator<Item = (ReplicaId, u64)>) {
        for (replica, sequence) in seen {
            let newest = self.owed.get(&replica).max(self.named.get(&replica)).copied().unwrap_or(0);
            if replica != self.replica && sequence > newest {
                self.owed.insert(replica, sequence);
            }
        }
    }

    fn owed(&self) -> Vec<Dot> {
        self.owed.iter().map(|(replica, sequence)| Dot::new(*replica, *sequence)).collect()
    }

    fn note_named(&mut self, dependencies: &[Dot]) {
        for dot in dependencies {
            self.owed.remove(&dot.replica);
            self.named.insert(dot.replica, dot.sequence);
        }
    }
}

impl OpLog {
    pub(crate) fn heir(&mut self) -> &mut Heir {
        let Self { author, context, random, .. } = self;
        let epoch = author.epoch;
        author.heir.get_or_insert_with(|| {
            let nonce = nonce(random, epoch);
            let replica = ReplicaId::derive(&context.signer.node(), &context.space, &nonce);
            let (named, owed) = (BTreeMap::new(), BTreeMap::new());
            Heir { nonce, replica, next: 1, tip: Hash::ZERO, named, owed }
        })
    }

    /// Issues operations again that were made for replicas retired by now, and delivers them as they now are.
    pub(crate) fn issue_late(&mut self, now: Timestamp, operations: Vec<NewOperation>) {
        let mut rows = Vec::new();
        let (issued, tip) = self.issue_again(operations, &mut rows);
        self.persist(rows, tip);
        self.release(now);
        self.deliver(issued);
    }

    /// Issues operations again, in order, and adds their blocks to `rows`. Returns them as they now are, and the tip of
    /// the heir if there are any.
    pub(crate) fn issue_again(
        &mut self,
        operations: Vec<NewOperation>,
        rows: &mut Vec<Row>,
    ) -> (Vec<Operation>, Option<(ReplicaId, Tip)>) {
        let mut issued = Vec::new();
        let mut open = None;
        for operation in operations {
            let NewOperation { dependencies, document, time, body, .. } = operation;
            let here = dependencies.into_iter().filter(|dot| self.history.version.contains(*dot));
            let here: Vec<_> = here.map(|dot| (dot.replica, dot.sequence)).collect();
            let heir = self.heir();
            heir.owe(here);
            let owed = heir.owed();
            let before = owed.len().saturating_sub(1) / DEPENDENCIES_MAX;
            let bodies = (0..before).map(|_| Bytes::new()).chain([body]);
            let mut parts = owed.chunks(DEPENDENCIES_MAX);
            for body in bodies {
                let dependencies = parts.next().unwrap_or_default().to_vec();
                let dot = Dot::new(self.heir().replica, self.heir().next);
                let document = document.clone();
                let again = NewOperation { dot, dependencies, document, time, body };
                issued.extend(self.inherit(again, &mut open, rows));
            }
        }
        rows.extend(open.and_then(|(full, needs)| self.sign(full, needs)));
        let tip = issued
            .last()
            .map(|last: &Operation| (last.dot.replica, Tip { sequence: last.dot.sequence, hash: last.hash }));
        (issued, tip)
    }

    /// Adds the heir's next operation to the open block, or to a new one when that is full.
    fn inherit(
        &mut self,
        operation: NewOperation,
        open: &mut Option<(Builder, Vec<Dot>)>,
        rows: &mut Vec<Row>,
    ) -> Option<Operation> {
        let meta = match builder::check(&operation) {
            Ok(meta) => meta,
            Err(reason) => {
                let document = operation.document.as_str();
                tracing::error!(document, reason, "an edit is lost: no log would take its operation");
                return None;
            }
        };
        if let Some((full, needs)) = open.take_if(|(open, _)| !open.fits(meta.len() + operation.body.len())) {
            rows.extend(self.sign(full, needs));
        }
        let (space, author) = (self.context.space, self.context.signer.node());
        let heir = self.heir();
        let (builder, needs) = open.get_or_insert_with(|| {
            (Builder::new(&space, &author, &heir.nonce, heir.next, heir.tip), Vec::new())
        });
        needs.extend_from_slice(&operation.dependencies);
        heir.note_named(&operation.dependencies);
        heir.next += 1;
        let NewOperation { dot, dependencies, document, time, body } = operation;
        builder.push(&self.history.format, &meta, &body);
        let hash = builder.tip;
        self.heir().tip = hash;
        Some(Operation { dot, author, dependencies, document, time, body, hash })
    }
}
