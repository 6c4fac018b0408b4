//! Our own heartbeat: what we say of ourselves, and when.

use std::time::Duration;

use meshwork_base::{SessionId, Timestamp};

use crate::{Message, Presence, Profile, Rumour};

impl Presence {
    fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.config.heartbeat_ms)
    }

    pub(crate) fn set_profile(&mut self, now: Timestamp, change: impl FnOnce(&mut Profile)) {
        let before = self.profile.clone();
        change(&mut self.profile);
        if self.profile != before {
            self.profile.revision += 1;
            self.beat_all(now);
        }
    }

    pub(crate) fn beat_all(&mut self, now: Timestamp) {
        if self.next_beat.is_none() {
            return;
        }
        self.beat = self.beat.saturating_add(1);
        self.next_beat = Some(now.monotonic + self.heartbeat());
        // Our word of it may take one heartbeat, theirs another, and the third is for the ways.
        self.links.listen(now.monotonic, &self.roster, 3 * self.heartbeat());
        for peer in self.links.sessions().collect::<Vec<_>>() {
            self.beat_one(now, peer, Vec::new());
        }
    }

    pub(crate) fn beat_one(&mut self, now: Timestamp, peer: SessionId, more: Vec<Rumour>) {
        let own = (self.session, self.beat, &self.profile);
        let messages = self.links.heartbeat(now.monotonic, own, peer, &self.roster, more);
        messages.into_iter().for_each(|message| self.send(peer, message));
    }

    pub(crate) fn leave(&mut self) {
        if self.next_beat.take().is_none() {
            return;
        }
        self.ephemeral.leave();
        self.beat = self.beat.saturating_add(1);
        for peer in self.links.sessions().collect::<Vec<_>>() {
            self.send(peer, Message::Leave { beat: self.beat });
        }
    }

    /// A timer that fires much too late means that this process stood still, not that everybody else fell silent:
    /// what they sent meanwhile may still wait to be read.
    pub(crate) fn notice_pause(&mut self, now: Timestamp) {
        let heartbeat = self.heartbeat();
        if self.next_beat.is_some_and(|due| now.monotonic > due + heartbeat) {
            // One heartbeat, and half of another for its way here.
            self.roster.spare(now.monotonic + heartbeat + heartbeat / 2);
        }
    }
}
