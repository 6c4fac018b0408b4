//! Asking for what is missing: each replica from one peer at a time, under credit.
//!
//! A peer that does not bring a replica on is given up for another, and for that replica it is from then on only asked
//! while nobody else has more of it. So whoever claims what it does not serve holds a replica up for a moment, once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use meshwork_base::{Bytes, Monotonic, ReplicaId, SessionId, Timestamp, Tip};
use meshwork_wire::{Channel, MESSAGE_BYTES_MAX};

use crate::{
    Message, OpLog,
    message::{ENTRIES_MAX, Range},
    sync::Link,
};

/// What a peer's tip means to us.
enum Need {
    /// Nothing: we hold it.
    Nothing,
    /// Nothing now: its replica is closed, and nobody depends on more of it.
    NotYet,
    /// Everything after this sequence.
    After(u64),
}

/// A peer that brings on other replicas that it was asked for may keep one waiting for so many `want_timeout`s.
const PATIENCE: u32 = 8;

/// So many claims to know more of the own replica than this node does may turn out false before none is believed any
/// more: each keeps own operations back for a moment.
const FALSE_CLAIMS_MAX: u32 = 3;

/// What a peer was asked for, and until when it is waited for.
#[derive(Default, Debug)]
pub(crate) struct Fetching {
    asked: BTreeMap<ReplicaId, Box<Asked>>,
    dues: BTreeSet<(Monotonic, ReplicaId)>,
    /// When the peer last brought on anything.
    progress: Option<Monotonic>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    /// When it was asked, or last brought this replica on.
    since: Monotonic,
    due: Monotonic,
}

impl Fetching {
    pub(crate) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    pub(crate) fn due(&self) -> Option<Monotonic> {
        self.dues.first().map(|(due, _)| *due)
    }

    pub(crate) fn replicas(&self) -> BTreeSet<ReplicaId> {
        self.asked.keys().copied().collect()
    }

    fn ask(&mut self, replica: ReplicaId, since: Monotonic, due: Monotonic) {
        if let Some(before) = self.asked.insert(replica, Box::new(Asked { since, due })) {
            self.dues.remove(&(before.due, replica));
        }
        self.dues.insert((due, replica));
    }

    fn remove(&mut self, replica: &ReplicaId) {
        if let Some(asked) = self.asked.remove(replica) {
            self.dues.remove(&(asked.due, *replica));
        }
    }

    /// The peer brought `replica` on.
    fn note_progress(&mut self, now: Timestamp, replica: &ReplicaId, timeout: Duration) {
        self.progress = Some(now.monotonic);
        if self.asked.contains_key(replica) {
            self.ask(*replica, now.monotonic, now.monotonic + timeout);
        }
    }

    /// Takes out the replicas that are waited for no longer. For `own` no other replica's progress counts.
    fn take_stalled(&mut self, now: Timestamp, timeout: Duration, own: &ReplicaId) -> BTreeSet<ReplicaId> {
        let mut stalled = BTreeSet::new();
        while let Some((due, replica)) = self.dues.first().copied().filter(|(due, _)| *due <= now.monotonic) {
            let since = self.asked.get(&replica).map_or(due, |asked| asked.since);
            let busy = self.progress.map(|progress| (progress + timeout).min(since + timeout * PATIENCE));
            match busy.filter(|later| *later > now.monotonic && replica != *own) {
                Some(later) => self.ask(replica, since, later),
                None => {
                    self.remove(&replica);
                    stalled.insert(replica);
                }
            }
        }
        stalled
    }
}

impl OpLog {
    fn need(&self, replica: &ReplicaId, tip: &Tip) -> Need {
        let end = self.history.end(replica);
        let closed = self.history.chains.get(replica).is_some_and(|chain| chain.closed);
        if *replica == self.author.replica {
            // Where another branch of our own begins is unknown, but not before what was sent from this one.
            let same = self.history.hash_at(replica, tip.sequence) == Some(tip.hash);
            if same { Need::Nothing } else { Need::After(self.author.sent.min(tip.sequence - 1)) }
        } else if closed && tip.sequence <= end {
            // What is here of it stays, whichever branch that is.
            Need::Nothing
        } else if closed {
            if self.history.buffer.needed(replica) > end { Need::After(end) } else { Need::NotYet }
        } else if tip.sequence > end {
            Need::After(end)
        } else {
            match self.history.known_hash(replica, tip.sequence) {
                // The block with the other operation is the proof.
                Some(hash) if hash != tip.hash => Need::After(tip.sequence - 1),
                _ => Need::Nothing,
            }
        }
    }

    /// Notes what `peer` has of what we lack, as far as there is room: what finds none is told again by the peer, since both
    /// go on comparing until they agree.
    pub(crate) fn note_remote(&mut self, peer: SessionId, told: Vec<(ReplicaId, Tip)>) {
        let max = self.config.remote_replicas_max;
        for (replica, tip) in told {
            // What may never be asked for leaves room for what will be.
            let max = match self.need(&replica, &tip) {
                Need::Nothing => continue,
                Need::NotYet => max / 2,
                Need::After(_) => max,
            };
            let Some(link) = self.links.get_mut(&peer) else { return };
            if link.remote.len() < max || link.remote.contains_key(&replica) {
                link.remote.insert(replica, tip);
            }
        }
    }

    /// Whether `replica` may be asked for at `link`: nobody is asked, or only somebody who failed before.
    fn is_open(&self, link: &Link, replica: &ReplicaId) -> bool {
        let Some(asked) = self.fetches.get(replica) else { return true };
        let failed = |link: &Link| {
            link.failed.len() >= self.config.remote_replicas_max || link.failed.contains(replica)
        };
        !failed(link) && self.links.get(asked).is_some_and(failed)
    }

    /// Asks `peer` for everything that it has, we lack and nobody better was asked for.
    pub(crate) fn fetch_from(&mut self, now: Timestamp, peer: SessionId) {
        let due = now.monotonic + self.config.want_timeout();
        let Some(link) = self.links.get(&peer) else { return };
        let open = link.remote.iter().filter(|(replica, _)| self.is_open(link, replica));
        let needs: Vec<_> = open.map(|(replica, tip)| (*replica, *tip, self.need(replica, tip))).collect();
        let mut ranges = Vec::new();
        for (replica, tip, need) in needs {
            if matches!(need, Need::After(_))
                && let Some(before) = self.fetches.insert(replica, peer)
                && let Some(link) = self.links.get_mut(&before)
            {
                link.fetching.remove(&replica);
            }
            let Some(link) = self.links.get_mut(&peer) else { return };
            match need {
                Need::Nothing => {
                    link.remote.remove(&replica);
                }
                Need::NotYet => {}
                Need::After(after) => {
                    link.fetching.ask(replica, now.monotonic, due);
                    ranges.push(Range { replica, after, tip });
                }
            }
        }
        if ranges.is_empty() {
            return;
        }
        let Some(link) = self.links.get_mut(&peer) else { return };
        let mut credit_bytes = self.config.credit_bytes.saturating_sub(link.granted);
        link.granted += credit_bytes;
        link.allow(credit_bytes);
        for chunk in ranges.chunks(ENTRIES_MAX) {
            let message =
                Message::Want { ranges: chunk.to_vec(), credit_bytes: std::mem::take(&mut credit_bytes) };
            self.send(peer, Channel::Control, message);
        }
    }

    /// Gives `peer` up for what it did not bring on.
    pub(crate) fn note_stalled(&mut self, now: Timestamp, peer: SessionId) {
        let (own, timeout) = (self.author.replica, self.config.want_timeout());
        let failed_max = self.config.remote_replicas_max;
        let Some(link) = self.links.get_mut(&peer) else { return };
        let stalled = link.fetching.take_stalled(now, timeout, &own);
        if stalled.is_empty() {
            return;
        }
        // The leave to send may have been lost with the request.
        link.granted = 0;
        link.remote.retain(|replica, _| !stalled.contains(replica));
        link.failed.extend(stalled.iter().take(failed_max.saturating_sub(link.failed.len())));
        if stalled.contains(&own) {
            self.author.false_claims = self.author.false_claims.saturating_add(1);
            if !self.believes_claims() {
                for link in self.links.values_mut() {
                    link.remote.remove(&own);
                }
            }
        }
        self.give_up(now, stalled);
    }

    /// Whether a mere claim to know more of the own replica is believed.
    pub(crate) fn believes_claims(&self) -> bool {
        self.author.false_claims < FALSE_CLAIMS_MAX
    }

    /// Asks others for what one peer did not send.
    pub(crate) fn give_up(&mut self, now: Timestamp, replicas: BTreeSet<ReplicaId>) {
        if replicas.is_empty() {
            return;
        }
        for replica in &replicas {
            self.fetches.remove(replica);
        }
        for peer in self.links.peers() {
            self.fetch_from(now, peer);
        }
        if replicas.contains(&self.author.replica) {
            self.release(now);
        }
    }

    pub(crate) fn hear_blocks(&mut self, now: Timestamp, from: SessionId, wanted: bool, blocks: &[Bytes]) {
        if blocks.len() > ENTRIES_MAX {
            return self.misbehaved(from, "sends more blocks at once than allowed");
        }
        if wanted && !self.charge(from, blocks) {
            return self.misbehaved(from, "sends more than it was granted");
        }
        let (accepted, result) = self.receive(blocks, Some(from));
        if let Err(error) = result {
            self.misbehaved(from, error.to_string());
        }
        let operations = self.settle(now, Some(from), accepted);
        self.deliver(operations);
        if wanted {
            self.grant(from);
        }
    }

    /// Takes wanted blocks off what was granted; false when they are far beyond it. What the stalled were granted counts:
    /// they may still send it.
    fn charge(&mut self, from: SessionId, blocks: &[Bytes]) -> bool {
        let bytes: u64 = blocks.iter().map(|block| block.len() as u64).sum();
        let Some(link) = self.links.get_mut(&from) else { return false };
        link.granted = link.granted.saturating_sub(bytes);
        link.allowed = link.allowed.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
        // The last message under a credit may overdraw it.
        link.allowed >= -(MESSAGE_BYTES_MAX as i64)
    }

    /// Grants more once half of the credit is used, as long as anything is asked for: what came is linked, buffered within
    /// its bound, or dropped.
    fn grant(&mut self, to: SessionId) {
        let full = self.config.credit_bytes;
        let Some(link) = self.links.get_mut(&to) else { return };
        if link.granted < full / 2 && !link.fetching.is_empty() {
            let bytes = full - link.granted;
            link.granted = full;
            link.allow(bytes);
            self.send(to, Channel::Control, Message::Credit { bytes });
        }
    }

    /// Strikes what has come off the lists; a link that has sent all that it was asked for is compared with again.
    pub(crate) fn note_progress(
        &mut self,
        now: Timestamp,
        from: Option<SessionId>,
        changed: &BTreeSet<ReplicaId>,
    ) {
        if changed.is_empty() {
            return;
        }
        let timeout = self.config.want_timeout();
        for replica in changed {
            if let Some(link) = from.and_then(|from| self.links.get_mut(&from)) {
                link.fetching.note_progress(now, replica, timeout);
                link.failed.remove(replica);
            }
            let end = self.history.end(replica);
            for link in self.links.values_mut() {
                if link.remote.get(replica).is_some_and(|tip| tip.sequence <= end) {
                    link.remote.remove(replica);
                }
            }
            if let Some(peer) = self.fetches.get(replica).copied() {
                self.finish_fetch(now, replica, peer);
            }
        }
    }

    /// Nobody is asked for more of `replica` until somebody depends on it.
    pub(crate) fn abandon_fetch(&mut self, replica: &ReplicaId) {
        let Some(peer) = self.fetches.remove(replica) else { return };
        if let Some(link) = self.links.get_mut(&peer) {
            link.fetching.remove(replica);
        }
    }

    fn finish_fetch(&mut self, now: Timestamp, replica: &ReplicaId, peer: SessionId) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        if link.remote.contains_key(replica) {
            return;
        }
        self.fetches.remove(replica);
        link.fetching.remove(replica);
        let done = link.fetching.is_empty();
        // Somebody else may have told of more.
        let more: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| link.remote.contains_key(replica))
            .map(|(peer, _)| *peer)
            .collect();
        for other in more {
            self.fetch_from(now, other);
        }
        if done {
            self.compare(peer);
        }
    }
}
