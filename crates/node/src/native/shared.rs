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
    /// The replicas that this node authored under since it started, and no longer does.
    pub(crate) retired: watch::Sender<BTreeMap<ReplicaId, Retired>>,
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

/// What became of a former replica's operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Retired {
    /// Those after `kept` never left, and were made again under another id. What the log holds under theirs, if
    /// anything, was written by a copy of this store.
    Cut { kept: u64 },
    /// It was not closed. Those after `kept` are lost, but for what had left: that comes back from others.
    Unclosed { kept: u64 },
}

/// The edits on their way.
#[derive(Default)]
struct Edits {
    /// Each with the number of its transactions.
    waiting: BTreeMap<RequestId, (usize, oneshot::Sender<Edited>)>,
    /// Operations of this incarnation that are visible and not yet durable, in order.
    unsaved: VecDeque<Dot>,
    /// The incarnation before this one, until it is known what is durable of it.
    former: Option<ReplicaId>,
}

/// Edits that may be made and are not on their way yet. Dropped before, they never were.
pub(crate) struct Begun<'a> {
    shared: &'a Shared,
    pub(crate) request: RequestId,
    sent: bool,
}

impl Begun<'_> {
    /// They are on their way: whoever answers them gives back their places.
    pub(crate) fn sent(mut self) {
        self.sent = true;
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if !self.sent {
            self.shared.cancel_edits(self.request);
        }
    }
}

impl Shared {
    pub(crate) fn new(events_capacity: usize, unsaved_edits_max: usize) -> Self {
        Self {
            events: broadcast::Sender::new(events_capacity),
            stored: watch::Sender::default(),
            confirmed: watch::Sender::default(),
            incarnation: watch::Sender::default(),
            stalled: watch::Sender::default(),
            retired: watch::Sender::default(),
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
    pub(crate) async fn begin_edits(&self, count: usize) -> (Begun<'_>, oneshot::Receiver<Edited>) {
        // The semaphore is never closed.
        if let Ok(permits) = self.unsaved.acquire_many(u32::try_from(count).unwrap_or(u32::MAX)).await {
            permits.forget();
        }
        let request = RequestId(self.next_request.fetch_add(1, Ordering::Relaxed));
        let (reply, answer) = oneshot::channel();
        self.edits().waiting.insert(request, (count, reply));
        (Begun { shared: self, request, sent: false }, answer)
    }

    /// The documents answered. An edit that they made for an incarnation that has been retired meanwhile is made again
    /// under another id: nothing more is heard of this one.
    pub(crate) fn finish_edits(&self, request: RequestId, results: Edited) {
        let current = self.incarnation.borrow().map(|incarnation| incarnation.replica);
        let mut edits = self.edits();
        // Abandoned edits have given back their places.
        let Some((count, reply)) = edits.waiting.remove(&request) else { return };
        let before = edits.unsaved.len();
        edits.unsaved.extend(results.iter().flatten().filter(|dot| Some(dot.replica) == current));
        let unsaved = edits.unsaved.len() - before;
        drop(edits);
        self.unsaved.add_permits(count.saturating_sub(unsaved));
        // The caller may have gone; the edits stand.
        let _ = reply.send(results);
    }

    /// The edits never reached the documents.
    fn cancel_edits(&self, request: RequestId) {
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

    /// What the old incarnation had in flight no longer counts.
    pub(crate) fn set_incarnation(&self, incarnation: Incarnation) {
        let mut edits = self.edits();
        let former = self.incarnation.borrow().map(|former| former.replica);
        edits.former = former.filter(|former| *former != incarnation.replica);
        self.unsaved.add_permits(edits.unsaved.len());
        edits.unsaved.clear();
        self.incarnation.send_replace(Some(incarnation));
    }

    /// More is durable.
    pub(crate) fn set_stored(&self, version: Version) {
        let mut edits = self.edits();
        let saved = edits.unsaved.partition_point(|dot| version.contains(*dot));
        edits.unsaved.drain(..saved);
        let former = edits.former.take();
        drop(edits);
        self.unsaved.add_permits(saved);
        let retired = former.map(|former| (former, Retired::Unclosed { kept: version.sequence(&former) }));
        self.stored.send_replace(version);
        if let Some((former, unclosed)) = retired {
            self.retired.send_modify(|retired| _ = retired.entry(former).or_insert(unclosed));
        }
    }

    /// Tells the application; without listeners nothing is lost, because nobody asked.
    pub(crate) fn emit(&self, event: Event) {
        if let Event::Confirmed { up_to, .. } = &event {
            self.confirmed.send_modify(|confirmed| {
                confirmed.insert(up_to.replica, up_to.sequence);
            });
        }
        if let Event::ReplicaRetired { replica, kept, .. } = &event {
            self.retired.send_modify(|retired| _ = retired.insert(*replica, Retired::Cut { kept: *kept }));
        }
        let _ = self.events.send(Arc::new(event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use meshwork_base::{Hash, Tip};

    fn replica(number: u8) -> ReplicaId {
        ReplicaId([number; 16])
    }

    fn incarnation(number: u8) -> Incarnation {
        Incarnation { replica: replica(number), epoch: number.into(), next_sequence: 1 }
    }

    fn version(tips: &[(u8, u64)]) -> Version {
        tips.iter()
            .map(|(number, sequence)| (replica(*number), Tip { sequence: *sequence, hash: Hash::ZERO }))
            .collect()
    }

    /// Begins an edit, if one more may be unsaved, and lets the documents make `dot` of it.
    fn edit(shared: &Shared, dot: Dot) -> bool {
        let Some((begun, answer)) = shared.begin_edits(1).now_or_never() else { return false };
        let request = begun.request;
        begun.sent();
        shared.finish_edits(request, vec![Ok(dot)]);
        assert_eq!(answer.now_or_never().unwrap().unwrap(), [Ok(dot)]);
        true
    }

    #[test]
    fn an_edit_that_is_given_up_before_it_was_sent_gives_back_its_place() {
        let shared = Shared::new(16, 1);
        shared.set_incarnation(incarnation(1));
        let (begun, _) = shared.begin_edits(1).now_or_never().unwrap();
        assert!(shared.begin_edits(1).now_or_never().is_none());
        drop(begun);
        assert!(edit(&shared, Dot::new(replica(1), 1)));
        // One that was sent keeps its place until it is durable, and abandoned ones are counted once.
        assert!(!edit(&shared, Dot::new(replica(1), 2)));
        shared.set_stored(version(&[(1, 1)]));
        let (begun, _) = shared.begin_edits(1).now_or_never().unwrap();
        shared.abandon_edits();
        drop(begun);
        assert!(edit(&shared, Dot::new(replica(1), 2)));
        assert!(!edit(&shared, Dot::new(replica(1), 3)));
    }

    #[test]
    fn edits_made_for_a_retired_incarnation_hold_no_places() {
        let shared = Shared::new(16, 2);
        shared.set_incarnation(incarnation(1));
        assert!(edit(&shared, Dot::new(replica(1), 9)));
        shared.set_incarnation(incarnation(2));
        // The documents had answered before they heard of it.
        for sequence in 10..20 {
            assert!(edit(&shared, Dot::new(replica(1), sequence)));
        }
        for sequence in 1..3 {
            assert!(edit(&shared, Dot::new(replica(2), sequence)));
        }
        assert!(!edit(&shared, Dot::new(replica(2), 3)));
        shared.set_stored(version(&[(1, 9), (2, 1)]));
        assert!(edit(&shared, Dot::new(replica(2), 3)));
        assert!(!edit(&shared, Dot::new(replica(2), 4)));
        shared.set_stored(version(&[(1, 9), (2, 3)]));
        assert!((4..6).all(|sequence| edit(&shared, Dot::new(replica(2), sequence))));
    }
}
