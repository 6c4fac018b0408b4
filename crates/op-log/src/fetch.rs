//! Asking for what is missing: each replica from one peer at a time, under credit.

use std::collections::BTreeSet;

use meshwork_base::{Bytes, ReplicaId, SessionId, Timestamp, Tip};
use meshwork_wire::{Channel, MESSAGE_BYTES_MAX};

use crate::{
    Message, OpLog,
    message::{ENTRIES_MAX, Range},
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

impl OpLog {
    fn need(&self, replica: &ReplicaId, tip: &Tip) -> Need {
        let end = self.history.end(replica);
        let closed = self.history.chains.get(replica).is_some_and(|chain| chain.closed);
        if *replica == self.author.replica {
            // Where another branch of our own begins is unknown, but not before what was sent from this one.
            let same = self.history.hash_at(replica, tip.sequence) == Some(tip.hash);
            if same { Need::Nothing } else { Need::After(self.author.sent.min(tip.sequence - 1)) }
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

    /// Asks `peer` for everything that it has, we lack and nobody was asked for.
    pub(crate) fn fetch_from(&mut self, now: Timestamp, peer: SessionId) {
        let Some(link) = self.links.get(&peer) else { return };
        let open = link.remote.iter().filter(|(replica, _)| !self.fetches.contains_key(*replica));
        let needs: Vec<_> = open.map(|(replica, tip)| (*replica, *tip, self.need(replica, tip))).collect();
        let mut ranges = Vec::new();
        let Some(link) = self.links.get_mut(&peer) else { return };
        for (replica, tip, need) in needs {
            match need {
                Need::Nothing => {
                    link.remote.remove(&replica);
                }
                Need::NotYet => {}
                Need::After(after) => {
                    self.fetches.insert(replica, peer);
                    link.fetching.insert(replica);
                    ranges.push(Range { replica, after, tip });
                }
            }
        }
        if ranges.is_empty() {
            return;
        }
        link.stalled_due.get_or_insert(now.monotonic + self.config.want_timeout());
        let mut credit_bytes = self.config.credit_bytes.saturating_sub(link.granted);
        link.granted += credit_bytes;
        for chunk in ranges.chunks(ENTRIES_MAX) {
            let message =
                Message::Want { ranges: chunk.to_vec(), credit_bytes: std::mem::take(&mut credit_bytes) };
            self.send(peer, Channel::Control, message);
        }
    }

    /// Asks others for what one peer did not send.
    pub(crate) fn give_up(&mut self, now: Timestamp, replicas: BTreeSet<ReplicaId>) {
        if replicas.is_empty() {
            return;
        }
        for replica in &replicas {
            self.fetches.remove(replica);
        }
        for peer in self.links.keys().copied().collect::<Vec<_>>() {
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

    /// Takes wanted blocks off what was granted; false when they are far beyond it.
    fn charge(&mut self, from: SessionId, blocks: &[Bytes]) -> bool {
        let bytes: u64 = blocks.iter().map(|block| block.len() as u64).sum();
        let Some(link) = self.links.get_mut(&from) else { return false };
        // The last message under a credit may overdraw it.
        let within = bytes <= link.granted + MESSAGE_BYTES_MAX as u64;
        link.granted = link.granted.saturating_sub(bytes);
        within
    }

    /// Grants more once half of the credit is used: what came is linked, buffered within its bound, or dropped.
    fn grant(&mut self, to: SessionId) {
        let full = self.config.credit_bytes;
        let Some(link) = self.links.get_mut(&to) else { return };
        if link.granted < full / 2 {
            let bytes = full - link.granted;
            link.granted = full;
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
        if let Some(link) = from.and_then(|from| self.links.get_mut(&from))
            && link.stalled_due.is_some()
        {
            link.stalled_due = Some(now.monotonic + self.config.want_timeout());
        }
        for replica in changed {
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
            if link.fetching.is_empty() {
                link.stalled_due = None;
            }
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
        if done {
            link.stalled_due = None;
        }
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
