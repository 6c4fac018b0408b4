//! What the handle, the actors' thread and the performers share.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use meshwork_base::{Dot, ReplicaId, Version};
use meshwork_crdt_state::{EditError, RequestId};
use meshwork_op_log::Incarnation;
use tokio::sync::{Semaphore, broadcast, oneshot, watch};

use crate::Event;

type Reply = oneshot::Sender<Result<Dot, EditError>>;

/// Shared by all clones of a node's handle.
pub(crate) struct Shared {
    pub(crate) events: broadcast::Sender<Arc<Event>>,
    /// What is durable here.
    pub(crate) stored: watch::Sender<Version>,
    /// Up to where each replica's operations meet the policy.
    pub(crate) confirmed: watch::Sender<BTreeMap<ReplicaId, u64>>,
    pub(crate) incarnation: watch::Sender<Option<Incarnation>>,
    /// Why storage does not take writes, while it does not.
    pub(crate) stalled: watch::Sender<Option<String>>,
    pub(crate) closed: watch::Sender<bool>,
    /// How often the actors have died.
    pub(crate) deaths: watch::Sender<u64>,
    /// One permit for each edit that may be visible without being durable.
    unsaved: Semaphore,
    edits: Mutex<Edits>,
    next_request: AtomicU64,
}

/// The edits on their way.
#[derive(Default)]
struct Edits {
    waiting: BTreeMap<RequestId, Reply>,
    /// Sequences of this incarnation that are visible and not yet durable.
    unsaved: VecDeque<u64>,
}

impl Shared {
    pub(crate) fn new(events_capacity: usize, unsaved_edits_max: usize) -> Self {
        Self {
            events: broadcast::Sender::new(events_capacity),
            stored: watch::Sender::default(),
            confirmed: watch::Sender::default(),
            incarnation: watch::Sender::default(),
            stalled: watch::Sender::default(),
            closed: watch::Sender::default(),
            deaths: watch::Sender::default(),
            unsaved: Semaphore::new(unsaved_edits_max),
            edits: Mutex::default(),
            next_request: AtomicU64::new(1),
        }
    }

    /// A panic elsewhere while the lock was held leaves the edits usable: each entry is whole.
    fn edits(&self) -> MutexGuard<'_, Edits> {
        self.edits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one more edit may be unsaved, then registers it.
    pub(crate) async fn begin_edit(&self) -> (RequestId, oneshot::Receiver<Result<Dot, EditError>>) {
        // The semaphore is never closed.
        if let Ok(permit) = self.unsaved.acquire().await {
            permit.forget();
        }
        let request = RequestId(self.next_request.fetch_add(1, Ordering::Relaxed));
        let (reply, answer) = oneshot::channel();
        self.edits().waiting.insert(request, reply);
        (request, answer)
    }

    /// The documents answered.
    pub(crate) fn finish_edit(&self, request: RequestId, result: Result<Dot, EditError>) {
        let mut edits = self.edits();
        match &result {
            Ok(dot) => edits.unsaved.push_back(dot.sequence),
            Err(_) => self.unsaved.add_permits(1),
        }
        if let Some(reply) = edits.waiting.remove(&request) {
            // The caller may have gone; the edit stands.
            let _ = reply.send(result);
        }
    }

    /// The edit never reached the documents.
    pub(crate) fn cancel_edit(&self, request: RequestId) {
        if self.edits().waiting.remove(&request).is_some() {
            self.unsaved.add_permits(1);
        }
    }

    /// The actors have died: nobody will answer what waits.
    pub(crate) fn abandon_edits(&self) {
        let mut edits = self.edits();
        let abandoned = edits.waiting.len() + edits.unsaved.len();
        edits.waiting.clear();
        edits.unsaved.clear();
        self.unsaved.add_permits(abandoned);
    }

    /// A new incarnation numbers from the start; what the old one had in flight no longer counts.
    pub(crate) fn set_incarnation(&self, incarnation: Incarnation) {
        let mut edits = self.edits();
        self.unsaved.add_permits(edits.unsaved.len());
        edits.unsaved.clear();
        self.incarnation.send_replace(Some(incarnation));
    }

    /// More is durable.
    pub(crate) fn set_stored(&self, version: Version) {
        if let Some(Incarnation { replica, .. }) = *self.incarnation.borrow() {
            let mut edits = self.edits();
            let saved = edits.unsaved.partition_point(|sequence| *sequence <= version.sequence(&replica));
            edits.unsaved.drain(..saved);
            self.unsaved.add_permits(saved);
        }
        self.stored.send_replace(version);
    }

    /// Tells the application; without listeners nothing is lost, because nobody asked.
    pub(crate) fn emit(&self, event: Event) {
        if let Event::Confirmed { up_to, .. } = &event {
            self.confirmed.send_modify(|confirmed| {
                confirmed.insert(up_to.replica, up_to.sequence);
            });
        }
        let _ = self.events.send(Arc::new(event));
    }
}
