//! What is learnt on the way, by everybody who watches.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;

use crate::{
    ledger::{Ledger, Wait},
    plan::Kind,
};

/// How often a kind of fault was injected, and for how long together.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Injected {
    pub(crate) times: u64,
    pub(crate) seconds: f64,
}

/// The edits of one node's clients, by how they were answered.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Edits {
    pub(crate) answered: BTreeMap<Wait, u64>,
    /// No answer, in time or at all: they may stand or not.
    pub(crate) unanswered: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) ledger: Ledger,
    pub(crate) edits: BTreeMap<usize, Edits>,
    /// Of each node, the events by name.
    pub(crate) events: BTreeMap<usize, BTreeMap<String, u64>>,
    pub(crate) faults: BTreeMap<Kind, Injected>,
    /// What must not happen, and did.
    pub(crate) complaints: Vec<String>,
}

/// The notes, shared.
#[derive(Debug, Default)]
pub(crate) struct Record(Mutex<Notes>);

impl Record {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn complain(&self, complaint: String) {
        self.lock().complaints.push(complaint);
    }

    pub(crate) fn injected(&self, kind: Kind, lasted: Duration) {
        let mut notes = self.lock();
        let fault = notes.faults.entry(kind).or_default();
        fault.times += 1;
        fault.seconds += lasted.as_secs_f64();
    }
}
