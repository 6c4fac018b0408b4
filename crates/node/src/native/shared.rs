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

/// The most edits that become one message for the documents: between two messages others have their turn.
const EDITS_TOGETHER_MAX: usize = 256;

/// What transactions became.
type Edited = Vec<Result<Dot, EditError>>;

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
    /// How many edits of one call wait for permits together.
    pub(crate) edits_together_max: usize,
    edits: Mutex<Edits>,
    next_request: AtomicU64,
}

/// The edits on their way.
#[derive(Default)]
struct Edits {
    /// Each with the number of its transactions.
    waiting: BTreeMap<RequestId, (usize, oneshot::Sender<Edited>)>,
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
            edits_together_max: unsaved_edits_max.min(EDITS_TOGETHER_MAX),
            edits: Mutex::default(),
            next_request: AtomicU64::new(1),
        }
    }

    /// A panic elsewhere while the lock was held leaves the edits usable: each entry is whole.
    fn edits(&self) -> MutexGuard<'_, Edits> {
        self.edits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until so many more edits may be unsaved, then registers them.
    pub(crate) async fn begin_edits(&self, count: usize) -> (RequestId, oneshot::Receiver<Edited>) {
        // The semaphore is never closed.
        if let Ok(permits) = self.unsaved.acquire_many(u32::try_from(count).unwrap_or(u32::MAX)).await {
            permits.forget();
        }
        let request = RequestId(self.next_request.fetch_add(1, Ordering::Relaxed));
        let (reply, answer) = oneshot::channel();
        self.edits().waiting.insert(request, (count, reply));
        (request, answer)
    }

    /// The documents answered.
    pub(crate) fn finish_edits(&self, request: RequestId, results: Edited) {
        let mut edits = self.edits();
        edits.unsaved.extend(results.iter().flatten().map(|dot| dot.sequence));
        self.unsaved.add_permits(results.iter().filter(|result| result.is_err()).count());
        let waiting = edits.waiting.remove(&request);
        drop(edits);
        if let Some((_, reply)) = waiting {
            // The caller may have gone; the edits stand.
            let _ = reply.send(results);
        }
    }

    /// The edits never reached the documents.
    pub(crate) fn cancel_edits(&self, request: RequestId) {
        if let Some((count, _)) = self.edits().waiting.remove(&request) {
            self.unsaved.add_permits(count);
        }
    }

    /// The actors have died: nobody will answer what waits.
    pub(crate) fn abandon_edits(&self) {
        let mut edits = self.edits();
        let waiting: usize = edits.waiting.values().map(|(count, _)| count).sum();
        let abandoned = waiting + edits.unsaved.len();
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
