//! Anti-entropy: finding out, link by link, who lacks what.
//!
//! 1. A digest of the version. Equal: both agree.
//! 2. Else the tips that changed since this link last agreed, both ways.
//! 3. Whoever lacks something wants it ([`fetch`](crate::fetch)) and is served ([`serve`](crate::serve)).
//!
//! News of operations received from one peer reach the others as tips, too, gathered for a moment: in a full mesh they
//! hold the blocks already, in a partial one they ask for them.

use std::collections::{BTreeMap, BTreeSet};

use meshwork_base::{Deadline, Hash, Monotonic, ReplicaId, SessionId, Timestamp, Tip};
use meshwork_wire::Channel;

use crate::{
    Event, Message, OpLog,
    config::CREDIT_BYTES_MAX,
    fetch::Fetching,
    message::ENTRIES_MAX,
    pace::{DIGEST_SPAN, DIGESTS_MAX, Window},
    tell::Telling,
};

/// After so many comparisons without agreement all tips are told, not only the changed ones.
pub(crate) const MISMATCHES_MAX: u32 = 3;

/// What is known of one linked peer.
#[derive(Default)]
pub(crate) struct Link {
    /// Versions were equal at some time; `changed` counts from the last.
    pub(crate) agreed: bool,
    /// The replicas that changed here since; empty while in agreement.
    pub(crate) changed: BTreeSet<ReplicaId>,
    /// Comparisons since that found a difference.
    pub(crate) mismatches: u32,
    /// The changes were told, or are being told, and nothing changed since.
    pub(crate) told: bool,
    /// All tips may be told again.
    pub(crate) tell_all_due: Option<Monotonic>,
    pub(crate) telling: Option<Telling>,
    pub(crate) digest_window: Window,
    /// The last digest that was not looked at yet, and whether nothing but answers were among those.
    pub(crate) late_digest: Option<(Hash, bool)>,
    sync_due: Option<Monotonic>,
    /// Received from others, to be told to this peer.
    pub(crate) unannounced: BTreeSet<ReplicaId>,
    pub(crate) announce_due: Option<Monotonic>,
    pub(crate) congested: bool,
    /// The replicas whose proofs it was not told of.
    pub(crate) proofs: BTreeSet<ReplicaId>,
    pub(crate) proof_window: Window,
    /// When more of what waits for it may leave.
    pub(crate) pump_due: Option<Monotonic>,

    /// What the peer has and we lack.
    pub(crate) remote: BTreeMap<ReplicaId, Tip>,
    /// What it was asked for.
    pub(crate) fetching: Fetching,
    /// The replicas that it was given up for.
    pub(crate) failed: BTreeSet<ReplicaId>,
    /// Bytes that it was granted and has not sent.
    pub(crate) granted: u64,
    /// The same with those that may have been lost on the way. Below zero by what it overdrew.
    pub(crate) allowed: i64,
    /// It claimed, without proof, to know more of our own replica than we do. Believed once.
    pub(crate) claimed: bool,

    /// What it asked for and from where on, and in which order that is sent.
    pub(crate) serving: BTreeMap<ReplicaId, u64>,
    pub(crate) order: BTreeSet<(u64, ReplicaId)>,
    /// Bytes that it granted.
    pub(crate) credit: u64,
    pub(crate) serve_window: Window,
    /// How much of our current replica it has or was sent; unknown on a new link.
    has_of_ours: Option<u64>,
}

impl Link {
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let at = |at: Option<Monotonic>, why| at.map(|at| Deadline { at, why });
        let sync = at(self.sync_due, "compare versions with a peer");
        let announce = at(self.announce_due, "tell a peer of new operations");
        let stalled = at(self.fetching.due(), "give up a peer that sends nothing");
        let pump = at(self.pump_due, "send a peer more of what waits for it");
        Deadline::earliest(Deadline::earliest(sync, announce), Deadline::earliest(stalled, pump))
    }

    /// Whether new blocks of our own `replica` may be pushed to it: it has everything `before`, and keeps up.
    pub(crate) fn keeps_up(&self, replica: &ReplicaId, before: u64) -> bool {
        !self.congested && self.has_of_ours == Some(before) && !self.serving.contains_key(replica)
    }

    /// Notes that it was granted so many bytes. Its side forgets what it overdrew, so this one does.
    pub(crate) fn allow(&mut self, bytes: u64) {
        let allowed = self.allowed.max(0).saturating_add_unsigned(bytes);
        self.allowed = allowed.min(CREDIT_BYTES_MAX as i64);
    }

    pub(crate) fn may_tell_all(&self, now: Timestamp) -> bool {
        self.tell_all_due.is_none_or(|due| due <= now.monotonic)
    }

    /// It was sent all of our replica up to `last`.
    pub(crate) fn note_sent(&mut self, last: u64) {
        self.has_of_ours = self.has_of_ours.max(Some(last));
    }

    /// The same, by a push: it needs no telling.
    pub(crate) fn note_sent_live(&mut self, replica: &ReplicaId, last: u64) {
        self.note_sent(last);
        self.unannounced.remove(replica);
        if self.unannounced.is_empty() {
            self.announce_due = None;
        }
    }

    /// Our log was cut, or we write under a new replica: compare everything again.
    pub(crate) fn start_over(&mut self, now: Timestamp) {
        (self.agreed, self.told, self.tell_all_due) = (false, false, None);
        self.has_of_ours = self.has_of_ours.map(|_| 0);
        self.sync_due = Some(now.monotonic);
    }
}

impl OpLog {
    pub(crate) fn peer_up(&mut self, now: Timestamp, peer: SessionId) {
        self.peer_down(now, peer);
        let sync_due = Some(now.monotonic + self.config.sync_interval());
        let proofs = self.proofs.replicas().collect();
        self.links.insert(peer, Link { sync_due, proofs, ..Link::default() });
        self.compare(peer);
        self.pump(now, peer);
    }

    pub(crate) fn peer_down(&mut self, now: Timestamp, peer: SessionId) {
        let Some(link) = self.links.remove(&peer) else { return };
        self.history.buffer.forget(&peer);
        self.give_up(now, link.fetching.replicas());
    }

    pub(crate) fn congested(&mut self, peer: SessionId) {
        if let Some(link) = self.links.get_mut(&peer) {
            link.congested = true;
        }
    }

    /// What was not pushed in the meantime is found by comparing.
    pub(crate) fn drained(&mut self, now: Timestamp, peer: SessionId) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        link.congested = false;
        let behind = !link.changed.is_empty();
        self.pump(now, peer);
        if behind {
            self.compare(peer);
        }
    }

    pub(crate) fn compare_all(&mut self) {
        for peer in self.links.peers() {
            self.compare(peer);
        }
    }

    pub(crate) fn compare(&mut self, peer: SessionId) {
        let digest = self.digest();
        self.send(peer, Channel::Control, Message::Digest { digest, answer: false });
    }

    pub(crate) fn hear(&mut self, now: Timestamp, from: SessionId, message: Message) {
        if !self.links.contains(&from) {
            return;
        }
        match message {
            Message::Digest { digest, answer } => self.hear_digest(now, from, digest, answer),
            Message::Have { entries, answer_wanted } => self.hear_have(now, from, &entries, answer_wanted),
            Message::Want { ranges, credit_bytes } => self.hear_want(now, from, &ranges, credit_bytes),
            Message::Credit { bytes } => self.hear_credit(now, from, bytes),
            Message::Blocks { wanted, blocks } => self.hear_blocks(now, from, wanted, &blocks),
            Message::Proof { first, second } => self.hear_proof(now, from, first, second),
        }
    }

    fn hear_digest(&mut self, now: Timestamp, from: SessionId, theirs: Hash, answer: bool) {
        let Some(link) = self.links.get_mut(&from) else { return };
        if !link.digest_window.is_open(now, DIGEST_SPAN, DIGESTS_MAX) {
            let answers = link.late_digest.is_none_or(|(_, answers)| answers);
            link.late_digest = Some((theirs, answer && answers));
            return self.pump(now, from);
        }
        link.late_digest = None;
        link.digest_window.spend(1);
        let ours = self.digest();
        if theirs == ours {
            self.agree(from);
            if !answer {
                self.send(from, Channel::Control, Message::Digest { digest: ours, answer: true });
            }
        } else if !answer {
            if let Some(link) = self.links.get_mut(&from) {
                link.mismatches = link.mismatches.saturating_add(1);
                link.told &= link.mismatches < MISMATCHES_MAX || !link.may_tell_all(now);
            }
            self.tell(now, from, true);
        }
    }

    /// Looks at a digest that came too soon after others.
    pub(crate) fn hear_late_digest(&mut self, now: Timestamp, from: SessionId) {
        if let Some(link) = self.links.get_mut(&from)
            && link.digest_window.is_open(now, DIGEST_SPAN, DIGESTS_MAX)
            && let Some((digest, answer)) = link.late_digest.take()
        {
            self.hear_digest(now, from, digest, answer);
        }
    }

    fn agree(&mut self, peer: SessionId) {
        let sequence = self.shown.sequence(&self.author.replica);
        self.author.sent = self.author.sent.max(sequence);
        let Some(link) = self.links.get_mut(&peer) else { return };
        let newly = !link.agreed || !link.changed.is_empty();
        link.agreed = true;
        link.changed.clear();
        link.mismatches = 0;
        link.told = false;
        link.telling = None;
        link.sync_due = None;
        link.unannounced.clear();
        link.announce_due = None;
        link.has_of_ours = Some(sequence);
        if newly {
            self.emit(Event::Synced { peer });
        }
    }

    fn hear_have(
        &mut self,
        now: Timestamp,
        from: SessionId,
        entries: &[(ReplicaId, Tip)],
        answer_wanted: bool,
    ) {
        let ascending = entries.is_sorted_by(|(a, _), (b, _)| a < b);
        if entries.len() > ENTRIES_MAX || !ascending || entries.iter().any(|(_, tip)| tip.sequence == 0) {
            return self.misbehaved(
                from,
                "tells of too many replicas at once, of one twice, or of an operation zero",
            );
        }
        let believes_claims = self.believes_claims();
        let Some(link) = self.links.get_mut(&from) else { return };
        link.has_of_ours.get_or_insert(0);
        let mut told = Vec::with_capacity(entries.len());
        for (replica, tip) in entries {
            if tip.sequence >= self.shown.sequence(replica) {
                link.unannounced.remove(replica);
            }
            if *replica == self.author.replica {
                if self.history.hash_at(replica, tip.sequence) == Some(tip.hash) {
                    link.note_sent(tip.sequence);
                    self.author.sent = self.author.sent.max(tip.sequence);
                    continue;
                }
                if std::mem::replace(&mut link.claimed, true) || !believes_claims {
                    continue;
                }
            }
            told.push((*replica, *tip));
        }
        self.note_remote(from, told);
        self.fetch_from(now, from);
        if answer_wanted {
            self.tell(now, from, false);
        }
    }

    /// A replica grew here, by operations from `from` or by our own.
    pub(crate) fn note_change(&mut self, now: Timestamp, replica: &ReplicaId, from: Option<SessionId>) {
        let sync_due = now.monotonic + self.config.sync_interval();
        let announce_due = now.monotonic + self.config.announce_interval();
        for (peer, link) in self.links.iter_mut() {
            link.changed.insert(*replica);
            link.told = false;
            link.sync_due.get_or_insert(sync_due);
            if Some(*peer) != from {
                link.unannounced.insert(*replica);
                link.announce_due.get_or_insert(announce_due);
            }
        }
    }

    pub(crate) fn link_timeouts(&mut self, now: Timestamp) {
        if !self.links.due().is_some_and(|due| due.is_due(now)) {
            return;
        }
        let due = |at: Option<Monotonic>| at.is_some_and(|at| at <= now.monotonic);
        for peer in self.links.peers() {
            let Some(link) = self.links.get_mut(&peer) else { continue };
            let (stalled, announce, sync) =
                (due(link.fetching.due()), due(link.announce_due), due(link.sync_due));
            if due(link.pump_due) {
                self.pump(now, peer);
            }
            if stalled {
                self.note_stalled(now, peer);
            }
            if announce {
                self.announce(peer);
            }
            if sync {
                if let Some(link) = self.links.get_mut(&peer) {
                    link.sync_due = Some(now.monotonic + self.config.sync_interval());
                    // A new round: what was told in the last one has not led to agreement.
                    link.told = false;
                }
                self.compare(peer);
                self.fetch_from(now, peer);
            }
        }
    }

    fn announce(&mut self, peer: SessionId) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        link.announce_due = None;
        let replicas = std::mem::take(&mut link.unannounced);
        if link.congested {
            return;
        }
        let tips = replicas.iter().filter_map(|replica| Some((*replica, *self.shown.tip(replica)?)));
        let entries: Vec<_> = tips.collect();
        for chunk in entries.chunks(ENTRIES_MAX) {
            self.send(
                peer,
                Channel::Control,
                Message::Have { entries: chunk.to_vec(), answer_wanted: false },
            );
        }
    }
}
