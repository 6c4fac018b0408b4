//! The machine: all documents of a space.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use meshwork_base::{Deadline, DocumentId, Dot, Hash, HybridClock, Machine, Timestamp};
use meshwork_op_log::{Incarnation, NewOperation, Operation};

use crate::{
    AppliedVersion, Config, Document, Edit, EditError, Effect, Input, Stamp,
    apply::Applier,
    causality::Causality,
    digest::digest,
    message::{Body, Refusal, empty_body},
    transaction::transact,
};

/// All documents of a space; see the [crate](crate).
#[derive(Debug)]
pub struct Documents {
    config: Config,
    clock: HybridClock,
    incarnation: Option<Incarnation>,
    causality: Causality,
    documents: BTreeMap<DocumentId, Document>,
    closing: bool,
    effects: VecDeque<Effect>,
}

impl Documents {
    /// No documents yet, and nobody to author as.
    pub fn new(config: Config) -> Self {
        Self {
            clock: HybridClock::new(Duration::from_millis(config.clock_ahead_max_ms)),
            config,
            incarnation: None,
            causality: Causality::default(),
            documents: BTreeMap::new(),
            closing: false,
            effects: VecDeque::new(),
        }
    }

    /// The documents that an operation has named, by name.
    pub fn documents(&self) -> impl ExactSizeIterator<Item = &DocumentId> {
        self.documents.keys()
    }

    /// One document.
    pub fn document(&self, id: &DocumentId) -> Option<&Document> {
        self.documents.get(id)
    }

    /// What has been applied, including operations that are pending or invalid.
    pub fn applied_version(&self) -> AppliedVersion {
        self.causality.version()
    }

    /// One hash for all documents, conflicts and bookkeeping included: equal sets of operations, equal hashes.
    /// Visits everything.
    pub fn state_hash(&self) -> Hash {
        digest(self.documents.iter())
    }

    /// Whether edits are taken: an incarnation is known, and all that it wrote before is applied.
    pub fn is_ready(&self) -> bool {
        self.next_dot().is_some()
    }

    fn next_dot(&self) -> Option<Dot> {
        let Incarnation { replica, next_sequence, .. } = self.incarnation?;
        let replayed = self.causality.applied(&replica).checked_add(1) == Some(next_sequence);
        replayed.then_some(Dot::new(replica, next_sequence))
    }

    /// The operations that a transaction becomes: itself, the last one, behind empty ones that carry dependencies
    /// when there are more than one operation can name (a new incarnation in a space of very many replicas).
    fn edit(
        &mut self,
        now: Timestamp,
        id: DocumentId,
        edits: Vec<Edit>,
    ) -> Result<(Vec<NewOperation>, Dot), EditError> {
        if self.closing {
            return Err(EditError::Closing);
        }
        let Dot { replica, sequence: first } = self.next_dot().ok_or(EditError::NotReady)?;
        if edits.len() > self.config.edits_max {
            return Err(EditError::TooManyEdits { count: edits.len(), max: self.config.edits_max });
        }
        let last = first.saturating_add(self.causality.operations_before());
        let time = self.clock.tick(now);
        let dot = Dot::new(replica, last);
        let mut new = None;
        let document = match self.documents.get_mut(&id) {
            Some(document) => document,
            None => new.insert(Document::default()),
        };
        let body = transact(&mut document.root, &self.config, Stamp { time, dot }, edits)?;
        if let Some(document) = new {
            self.documents.insert(id.clone(), document);
        }
        let bodies = (first..last).map(|_| empty_body()).chain([body]);
        let operation = |(sequence, body)| {
            let dot = Dot::new(replica, sequence);
            let dependencies = self.causality.dependencies();
            self.causality.advance(dot, &dependencies);
            NewOperation { dot, dependencies, document: id.clone(), time, body }
        };
        let operations = (first..).zip(bodies).map(operation).collect();
        if let Some(incarnation) = &mut self.incarnation {
            incarnation.next_sequence = last.saturating_add(1);
        }
        Ok((operations, dot))
    }

    fn deliver(&mut self, now: Timestamp, operations: Vec<Operation>) {
        let mut changed: BTreeMap<DocumentId, Vec<Dot>> = BTreeMap::new();
        for operation in operations {
            let dot = operation.dot;
            let applied = self.causality.applied(&dot.replica);
            if dot.sequence <= applied {
                continue;
            }
            if dot.sequence - applied > 1 {
                tracing::error!(%dot, applied, "the log delivered an operation before its predecessor; ignored");
                continue;
            }
            self.causality.advance(dot, &operation.dependencies);
            if !self.clock.observe(now, operation.time) {
                let ahead_ms = operation.time.wall_ms.saturating_sub(now.wall_ms);
                self.effects.push_back(Effect::TimeAhead { dot, author: operation.author, ahead_ms });
            }
            match self.apply(&operation) {
                Ok(()) => match changed.get_mut(&operation.document) {
                    Some(dots) => dots.push(dot),
                    None => drop(changed.insert(operation.document, vec![dot])),
                },
                Err(Refusal::Newer) => self.effects.push_back(Effect::Pending { dot }),
                Err(Refusal::Nonsense(reason)) => {
                    self.effects.push_back(Effect::Invalid { dot, author: operation.author, reason });
                }
            }
        }
        let changes = changed.into_iter().map(|(document, dots)| Effect::Changed { document, dots });
        self.effects.extend(changes);
    }

    fn apply(&mut self, operation: &Operation) -> Result<(), Refusal> {
        let Operation { dot, time, .. } = *operation;
        let known = |other: &_| self.causality.known(&dot.replica, other);
        let body = Body::read(&operation.body, dot.replica, dot.sequence, known)?;
        let document = match self.documents.get_mut(&operation.document) {
            Some(document) => document,
            None => self.documents.entry(operation.document.clone()).or_default(),
        };
        Applier::new(Stamp { time, dot }).apply(&mut document.root, body.steps, &body.names);
        Ok(())
    }
}

impl Machine for Documents {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Incarnation(incarnation) => {
                self.causality.author_as(incarnation.replica);
                self.incarnation = Some(incarnation);
            }
            Input::Rebuild => {
                self.documents.clear();
                self.causality.clear();
            }
            Input::Edit { request, document, edits } => {
                let result = self.edit(now, document, edits);
                let result = result.map(|(operations, dot)| {
                    self.effects.push_back(Effect::Append(operations));
                    dot
                });
                self.effects.push_back(Effect::Edited { request, result });
            }
            Input::EditMany { request, document, transactions } => {
                let mut operations = Vec::with_capacity(transactions.len());
                let transactions = transactions.into_iter();
                let results = transactions.map(|edits| {
                    let (new, dot) = self.edit(now, document.clone(), edits)?;
                    operations.extend(new);
                    Ok(dot)
                });
                let results = results.collect();
                if !operations.is_empty() {
                    self.effects.push_back(Effect::Append(operations));
                }
                self.effects.push_back(Effect::EditedMany { request, results });
            }
            Input::Deliver(operations) => self.deliver(now, operations),
            Input::Close => {
                self.closing = true;
                self.effects.push_back(Effect::Close);
            }
        }
    }

    fn handle_timeout(&mut self, _now: Timestamp) {}

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        None
    }
}
