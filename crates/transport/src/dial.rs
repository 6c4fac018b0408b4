//! Whom to connect to, when, and which of two offers stands.

use std::time::Duration;

use meshwork_base::{NodeId, SessionId, Timestamp};

use crate::{
    ConnectionAction, Event, LinkId, Signal, SignalKind, Stage, Transport,
    handshake::Role,
    link::{Link, Phase},
};

impl Transport {
    pub(crate) fn peer_found(&mut self, now: Timestamp, session: SessionId, node: NodeId) {
        if session == self.context.session {
            return;
        }
        if !self.peers.contains_key(&session) && self.peers.len() >= self.config.peers_max {
            return self.out.event(Event::LinksFull { peer: session });
        }
        let entry = self.peers.entry(session).or_default();
        entry.node = Some(node);
        entry.listed = true;
        if entry.may_start_over() {
            self.plan(now, session, Duration::ZERO);
            self.dial_if_due(now, session);
        } else if self.offers(session) {
            // One of us is new in the room, where our offer or its answer may have been lost.
            self.say_again(now, session);
        }
        self.settle(session);
    }

    /// Our offer waits for an answer.
    fn offers(&self, session: SessionId) -> bool {
        let attempt = self.peers.get(&session).and_then(|entry| entry.attempt.as_ref());
        attempt.is_some_and(|link| link.role == Role::Offerer && link.stage() == Stage::Signalling)
    }

    /// A link stays, and a connection that needs no hub any more goes on.
    pub(crate) fn peer_gone(&mut self, now: Timestamp, session: SessionId) {
        let Some(entry) = self.peers.get_mut(&session) else { return };
        entry.listed = false;
        entry.due = None;
        if entry.attempt.as_ref().is_some_and(|link| link.stage() == Stage::Signalling) {
            self.give_up(now, session, "it left the room", Duration::ZERO, None);
        }
        self.settle(session);
    }

    /// Plans our next offer, and tells when it is made: a ban is waited for, and the greater session leaves the smaller
    /// one time to offer first.
    pub(crate) fn plan(&mut self, now: Timestamp, session: SessionId, wait: Duration) -> Option<Duration> {
        let crowded = self.is_crowded();
        let entry = self.peers.get_mut(&session)?;
        if !entry.listed || entry.is_active() {
            return None;
        }
        let ban = entry.node.and_then(|node| self.conduct.banned_for(now, &node, &self.config));
        let mut wait = wait.max(ban.unwrap_or_default());
        let patience = Duration::from_millis(self.config.offer_wait_ms);
        if self.context.session > session {
            wait += patience;
        }
        if crowded {
            // Whom we choose is left to chance.
            wait += self.random.duration(Duration::ZERO, patience);
        }
        entry.due = Some(now.monotonic + wait);
        Some(wait)
    }

    fn dial_if_due(&mut self, now: Timestamp, session: SessionId) {
        if self.peers.get(&session).and_then(|entry| entry.due).is_some_and(|due| due <= now.monotonic) {
            self.dial(now, session);
        }
    }

    /// Offers a connection.
    pub(crate) fn dial(&mut self, now: Timestamp, session: SessionId) {
        let enough = self.is_crowded() && self.chosen() >= self.wanted();
        if enough && self.peers.get(&session).is_some_and(|entry| !entry.is_active()) {
            if let Some(entry) = self.peers.get_mut(&session) {
                entry.due = Some(now.monotonic + Duration::from_millis(self.config.retry_max_ms));
            }
            return;
        }
        if !self.has_room(session) {
            if let Some(entry) = self.peers.get_mut(&session) {
                entry.due = Some(now.monotonic + Duration::from_millis(self.config.retry_max_ms));
            }
            return self.crowd_out(session);
        }
        // Numbers grow with every attempt of ours and are never the peer's.
        let attempt = (self.links_made + 1) * 2 + u64::from(self.context.session > session);
        self.begin(now, session, attempt, Role::Offerer, ConnectionAction::Offer);
    }

    fn begin(
        &mut self,
        now: Timestamp,
        session: SessionId,
        attempt: u64,
        role: Role,
        action: ConnectionAction,
    ) -> Option<LinkId> {
        let entry = self.peers.get_mut(&session)?;
        self.links_made += 1;
        let id = LinkId(self.links_made);
        let expires = now.monotonic + Duration::from_millis(self.config.signalling_timeout_ms);
        entry.due = None;
        entry.crowded_out = false;
        if let Some(replaced) = entry.attempt.replace(Link::new(id, attempt, role, expires)) {
            self.sessions.remove(&replaced.id);
            replaced.close(None, &self.config, &mut self.out);
        }
        self.sessions.insert(id, session);
        self.out.connection(id, action);
        Some(id)
    }

    /// Whether one more connection to `session` keeps the number of links.
    fn has_room(&self, session: SessionId) -> bool {
        self.peers.get(&session).is_some_and(|entry| entry.is_active())
            || self.active() < self.config.links_max
    }

    fn active(&self) -> usize {
        self.peers.values().filter(|entry| entry.is_active()).count()
    }

    /// Links that were our choice.
    fn chosen(&self) -> usize {
        let ours = |link: &Option<Link>| link.as_ref().is_some_and(|link| link.role == Role::Offerer);
        self.peers.values().filter(|entry| ours(&entry.up) || ours(&entry.attempt)).count()
    }

    fn wanted(&self) -> usize {
        self.config.links_wanted.min(self.config.links_max)
    }

    /// Whether there are more sessions than anybody can be linked with. Then each chooses a few at random, so that
    /// there is room for newcomers, and the choices of all hold the mesh together (a random graph in which everybody has
    /// a few links is connected; Bollobás, "Random Graphs", chapter 7).
    fn is_crowded(&self) -> bool {
        self.peers.values().filter(|entry| entry.listed).count() > self.config.links_max
    }

    /// Gives up a link for a newcomer that may know nobody else; whether there was one to spare. The oldest links are
    /// never among these: whoever comes under many names takes no more than the others.
    fn make_way(&mut self, now: Timestamp) -> bool {
        if !self.is_crowded() {
            return false;
        }
        let up = self.peers.iter().filter_map(|(session, entry)| Some((entry.up.as_ref()?.id, *session)));
        let mut up: Vec<(LinkId, SessionId)> = up.collect();
        up.sort_unstable();
        let spare = up.get(self.wanted()..).unwrap_or_default();
        let Some((_, session)) = spare.get(self.random.below(spare.len().max(1) as u64) as usize).copied()
        else {
            return false;
        };
        self.end(now, session, false, "it made way for another session", None);
        self.settle(session);
        true
    }

    fn crowd_out(&mut self, session: SessionId) {
        let told = self.peers.get_mut(&session).map(|entry| std::mem::replace(&mut entry.crowded_out, true));
        if told != Some(true) {
            self.out.event(Event::LinksFull { peer: session });
        }
    }

    /// A link's place is free: the first session that found none has another try.
    pub(crate) fn make_room(&mut self, now: Timestamp) {
        let waits =
            self.peers.iter_mut().find(|(_, entry)| entry.crowded_out && entry.listed && !entry.is_active());
        if let Some((session, entry)) = waits {
            entry.due = Some(now.monotonic);
            let session = *session;
            self.settle(session);
        }
    }

    pub(crate) fn signal(&mut self, now: Timestamp, from: SessionId, signal: Signal) {
        if from == self.context.session {
            return;
        }
        if signal.kind.bytes() > self.config.signal_bytes_max {
            // The hub may have made it up, so it is nobody's fault.
            tracing::debug!(peer = %from, bytes = signal.kind.bytes(), "a signal over `signal_bytes_max` is left out");
            return;
        }
        match signal.kind {
            SignalKind::Offer(offer) => self.offered(now, from, signal.attempt, offer),
            SignalKind::Answer(answer) => self.answered(now, from, signal.attempt, answer),
            SignalKind::Candidate(candidate) => self.candidate_told(now, from, signal.attempt, candidate),
        }
        self.settle(from);
    }

    fn offered(&mut self, now: Timestamp, from: SessionId, attempt: u64, offer: String) {
        let numbered_as_theirs = attempt % 2 == u64::from(from > self.context.session);
        if !numbered_as_theirs {
            return;
        }
        if let Some(entry) = self.peers.get_mut(&from) {
            let banned = entry.node.and_then(|node| self.conduct.banned_for(now, &node, &self.config));
            if banned.is_some() {
                return;
            }
            if entry.offer_seen(now, &self.config).is_some_and(|seen| attempt <= seen) {
                let answered = entry.attempt.as_ref().filter(|link| link.attempt == attempt);
                if answered.is_some_and(|link| link.stage() == Stage::Connecting) {
                    // It offers again: our answer may have been lost.
                    self.say_again(now, from);
                }
                return;
            }
            // Each has a connection made. An honest peer waits for longer before the next one.
            let pause = Duration::from_millis(self.config.retry_min_ms / 2);
            if entry.answered_at.is_some_and(|at| now.monotonic.since(at) < pause) {
                return;
            }
            entry.see_offer(now, attempt);
            // Offers crossed: the smaller session's stands, if it was heard. Once ours was answered, theirs says that
            // they gave it up.
            if self.context.session < from && self.offers(from) {
                return self.say_again(now, from);
            }
        }
        if !self.has_room(from) && !self.make_way(now) {
            return self.crowd_out(from);
        }
        if !self.peers.contains_key(&from) {
            // An offer may come before the hub's word of its sender.
            if self.peers.len() >= self.config.peers_max {
                return self.out.event(Event::LinksFull { peer: from });
            }
            self.peers.entry(from).or_default().see_offer(now, attempt);
        }
        let action = ConnectionAction::Answer { offer };
        if let Some(link) = self.begin(now, from, attempt, Role::Answerer, action) {
            self.add_early_candidates(from, link);
        }
        if let Some(entry) = self.peers.get_mut(&from) {
            entry.answered_at = Some(now.monotonic);
        }
    }

    fn answered(&mut self, now: Timestamp, from: SessionId, attempt: u64, answer: String) {
        let link = self.peers.get_mut(&from).and_then(|entry| entry.attempt.as_mut());
        let Some(link) = link.filter(|link| link.attempt == attempt && link.role == Role::Offerer) else {
            return;
        };
        if !matches!(link.phase, Phase::Signalling { .. }) {
            return;
        }
        link.connecting(now, &self.config);
        let id = link.id;
        self.out.connection(id, ConnectionAction::Accept { answer });
        self.add_early_candidates(from, id);
    }

    fn candidate_told(&mut self, now: Timestamp, from: SessionId, attempt: u64, candidate: String) {
        let Some(entry) = self.peers.get_mut(&from) else { return };
        let is_late = entry.offer_seen(now, &self.config).is_some_and(|seen| attempt <= seen);
        match entry.attempt.as_mut().filter(|link| link.attempt == attempt) {
            Some(link) if link.takes_candidates() => {
                link.add_candidate(candidate, &self.config, &mut self.out)
            }
            None if is_late => {}
            _ => entry.keep_early(attempt, candidate, &self.config),
        }
    }

    fn add_early_candidates(&mut self, from: SessionId, id: LinkId) {
        let Some(entry) = self.peers.get_mut(&from) else { return };
        let Some(attempt) = entry.attempt.as_ref().filter(|link| link.id == id).map(|link| link.attempt)
        else {
            return;
        };
        let early = entry.take_early(attempt);
        for candidate in early {
            if let Some(link) = &mut entry.attempt {
                link.add_candidate(candidate, &self.config, &mut self.out);
            }
        }
    }
}
