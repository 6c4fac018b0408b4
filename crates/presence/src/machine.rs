//! The machine.

use std::{collections::VecDeque, time::Duration};

use meshwork_base::{Deadline, Fill, Machine, Monotonic, NodeId, SessionId, Timestamp};

use crate::{
    Capabilities, Config, Effect, Event, Input, Member, Message, NAME_BYTES_MAX, News, Profile, Rumour,
    STATUS_BYTES_MAX,
    ephemeral::Ephemeral,
    links::{Links, farewells},
    member::fit,
    message::split,
    roster::{Entry, Farewell, Heard, Roster},
};

/// What presence is told once.
#[derive(Clone, Debug)]
pub struct Context {
    /// This session.
    pub session: SessionId,
    /// Its node.
    pub node: NodeId,
    /// What it is called; cut at [`NAME_BYTES_MAX`], control characters left out.
    pub name: String,
    /// What it can do.
    pub capabilities: Capabilities,
}

/// Who is here. See the [crate](crate).
pub struct Presence {
    pub(crate) config: Config,
    pub(crate) session: SessionId,
    pub(crate) node: NodeId,
    pub(crate) profile: Profile,
    /// The number of the last own heartbeat. Starts at the wall clock: a host that starts again under the same session
    /// is not taken for older.
    pub(crate) beat: u64,
    /// None after the goodbye.
    pub(crate) next_beat: Option<Monotonic>,
    pub(crate) links: Links,
    pub(crate) roster: Roster,
    /// Goodbyes that are to be passed on, and who told us of them.
    farewells: Vec<(SessionId, Rumour)>,
    pub(crate) ephemeral: Ephemeral,
    pub(crate) effects: VecDeque<Effect>,
}

impl Presence {
    /// A session that is alone.
    pub fn new(config: Config, context: Context, now: Timestamp) -> Self {
        let Context { session, node, name, capabilities } = context;
        let name = fit(&name, NAME_BYTES_MAX);
        Self {
            session,
            node,
            profile: Profile { revision: 1, name, status: String::new(), capabilities, away: false },
            beat: now.wall_ms,
            next_beat: Some(now.monotonic + Duration::from_millis(config.heartbeat_ms)),
            links: Links::default(),
            roster: Roster::new(config.clone()),
            farewells: Vec::new(),
            ephemeral: Ephemeral::new(&config, now.wall_ms),
            config,
            effects: VecDeque::new(),
        }
    }

    /// Everybody else who is here, in order of session.
    pub fn members(&self) -> Vec<Member> {
        self.roster.alive().iter().map(|(session, entry)| self.show(*session, entry)).collect()
    }

    /// Somebody who is here, this session included.
    pub fn member(&self, session: &SessionId) -> Option<Member> {
        if *session == self.session {
            return Some(self.own());
        }
        self.roster.alive().get(session).map(|entry| self.show(*session, entry))
    }

    /// How full its buffers are.
    pub fn fills(&self) -> [Fill; 3] {
        let bound = self.config.members_max;
        [
            Fill { buffer: "members_max", held: self.roster.alive().len(), bound },
            Fill { buffer: "members_max, of those who are gone", held: self.roster.gone().len(), bound },
            self.ephemeral.fill(),
        ]
    }

    /// This session as the others see it.
    pub fn own(&self) -> Member {
        let Profile { name, status, capabilities, away, .. } = self.profile.clone();
        let (session, node) = (self.session, self.node);
        Member { session, node, name, status, capabilities, away, linked: false, hearsay: false }
    }

    fn show(&self, session: SessionId, entry: &Entry) -> Member {
        entry.member(session, self.links.contains(&session))
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.effects.push_back(Effect::Event(event));
    }

    pub(crate) fn send(&mut self, to: SessionId, message: Message) {
        self.effects.push_back(Effect::Send { to, message });
    }

    // What we hear.

    fn add_peer(&mut self, now: Timestamp, peer: SessionId, node: NodeId) {
        self.links.add(peer, node);
        if self.next_beat.is_some() {
            let farewells = farewells(&self.roster);
            self.beat_one(now, peer, farewells);
            self.ephemeral.peer_up(now.monotonic, peer);
        }
    }

    fn remove_peer(&mut self, now: Timestamp, peer: SessionId, left: bool) {
        self.links.remove(&peer);
        // Its goodbye did not reach us in words, so its last heartbeat may not have either.
        let one_more = |entry: &mut Entry| entry.beat = entry.beat.saturating_add(1);
        if left && self.roster.change(&peer, one_more).is_some() {
            self.gone(now, peer, Farewell::Said, peer);
        }
        self.unlink_values(peer);
    }

    fn receive(&mut self, now: Timestamp, from: SessionId, message: Message) {
        let Some(node) = self.links.node(&from) else { return };
        if let Err(error) = message.check(from) {
            self.effects.push_back(Effect::Misbehaved { peer: from, reason: error.to_string() });
            return;
        }
        match message {
            Message::Heartbeat { beat, profile, rumours, .. } => {
                self.hear(now, from, node, beat, profile);
                rumours.into_iter().for_each(|rumour| self.hear_of(now, from, rumour));
            }
            Message::Rumours(rumours) => {
                rumours.into_iter().for_each(|rumour| self.hear_of(now, from, rumour))
            }
            Message::Hears(sessions) => self.links.set_hears(&from, sessions),
            Message::Leave { beat } => {
                self.links.set_left(&from);
                let last = |entry: &mut Entry| entry.beat = entry.beat.max(beat);
                if self.roster.change(&from, last).is_some() {
                    self.gone(now, from, Farewell::Said, from);
                } else if let Some(gone) = self.roster.gone_mut(&from) {
                    gone.said(Farewell::Said, beat);
                }
            }
        }
    }

    /// A heartbeat over the session's own link: what it says stands over all rumours.
    fn hear(
        &mut self,
        now: Timestamp,
        from: SessionId,
        node: NodeId,
        beat: u64,
        mut profile: Option<Profile>,
    ) {
        let heard = Heard { at: now.monotonic, age: Duration::ZERO };
        self.links.set_heard(now.monotonic, &from);
        let changed = self.roster.change(&from, |entry| {
            (entry.node, entry.proven, entry.beat) = (node, true, beat);
            (entry.heard, entry.teller) = (heard, from);
            profile.take().is_some_and(|profile| entry.take_profile(profile, false))
        });
        match changed {
            Some(true) => return self.changed(from),
            Some(false) => return,
            None => {}
        }
        let known =
            self.roster.gone().get(&from).map(|gone| (gone.entry.profile.clone(), gone.entry.hearsay));
        let news = profile.is_some();
        let own = profile.or_else(|| self.links.left_out(&from));
        let Some((profile, hearsay)) = own.map(|profile| (profile, false)).or(known) else { return };
        if self.roster.is_full() && !self.displace(now) {
            self.links.leave_out(&from, profile);
            if news {
                tracing::warn!(session = %from, "a session is left out: `members_max` members are linked");
            }
            return;
        }
        self.arrived(from, Entry { node, proven: true, profile, hearsay, beat, heard, teller: from });
    }

    fn hear_of(&mut self, now: Timestamp, teller: SessionId, rumour: Rumour) {
        let Rumour { session, beat, news } = rumour;
        if session == self.session || session == teller {
            return;
        }
        match news {
            News::Left => self.hear_of_farewell(now, teller, session, beat),
            News::Alive { age_ms, profile } => {
                let heard = Heard { at: now.monotonic, age: Duration::from_millis(age_ms) };
                if self.roster.alive().contains_key(&session) {
                    self.hear_of_known(now, teller, session, (beat, heard), profile);
                } else {
                    self.hear_of_new(now, teller, session, (beat, heard), profile);
                }
            }
        }
    }

    fn hear_of_farewell(&mut self, now: Timestamp, teller: SessionId, session: SessionId, beat: u64) {
        if let Some(gone) = self.roster.gone_mut(&session) {
            gone.said(Farewell::Told, beat);
        }
        // Whoever is linked with us will say so itself.
        if self.links.node(&session).is_some() {
            return;
        }
        let last = |entry: &mut Entry| {
            let is_last = entry.beat <= beat;
            entry.beat = entry.beat.max(beat);
            is_last
        };
        if self.roster.change(&session, last) == Some(true) {
            self.gone(now, session, Farewell::Told, teller);
        }
    }

    fn hear_of_known(
        &mut self,
        now: Timestamp,
        teller: SessionId,
        session: SessionId,
        (beat, heard): (u64, Heard),
        profile: Option<(NodeId, Profile)>,
    ) {
        let (linked, margin) = (self.links.node(&session).is_some(), self.margin());
        let changed = self.roster.change(&session, |entry| {
            let lives = entry.is_older_than(now.monotonic, beat, heard, margin);
            if lives {
                (entry.beat, entry.heard, entry.teller) = (beat, heard, teller);
            }
            // A made-up revision may be the highest: what comes with a sign of life stands over it.
            let newer = |(node, profile): &(NodeId, Profile)| {
                let revision = entry.profile.revision;
                let same_node = *node == entry.node || (lives && !entry.proven);
                !linked
                    && same_node
                    && (profile.revision > revision || (lives && profile.revision != revision))
            };
            let Some((node, profile)) = profile.filter(newer) else { return false };
            entry.node = node;
            entry.take_profile(profile, true)
        });
        if changed == Some(true) {
            self.changed(session);
        }
    }

    fn hear_of_new(
        &mut self,
        now: Timestamp,
        teller: SessionId,
        session: SessionId,
        (beat, heard): (u64, Heard),
        profile: Option<(NodeId, Profile)>,
    ) {
        let entry = match (self.roster.gone().get(&session), profile) {
            (Some(gone), _) if !gone.is_refuted_by(now.monotonic, beat, heard, self.margin()) => return,
            (Some(gone), profile) => {
                let newer = profile.filter(|(node, profile)| {
                    *node == gone.entry.node && profile.revision > gone.entry.profile.revision
                });
                let mut entry = Entry { beat, heard, teller, ..gone.entry.clone() };
                newer.into_iter().for_each(|(_, profile)| (entry.profile, entry.hearsay) = (profile, true));
                entry
            }
            (None, None) => return,
            (None, Some((node, profile))) => {
                Entry { node, proven: false, profile, hearsay: true, beat, heard, teller }
            }
        };
        if heard.age >= self.roster.allowance(&entry.profile) {
            return;
        }
        if self.roster.is_full() {
            tracing::warn!(%session, "a session known from rumours is left out: `members_max` members are here");
            return;
        }
        self.arrived(session, entry);
    }

    /// More than it takes a rumour on its way, which is not part of the age that it names.
    fn margin(&self) -> Duration {
        Duration::from_millis(self.config.heartbeat_ms / 2)
    }

    // What becomes of the members.

    fn arrived(&mut self, session: SessionId, entry: Entry) {
        let member = self.show(session, &entry);
        let returned = self.roster.gone().contains_key(&session);
        self.roster.insert(session, entry);
        self.links.stir();
        self.emit(if returned { Event::Returned(member) } else { Event::Joined(member) });
        self.show_values(session);
    }

    fn changed(&mut self, session: SessionId) {
        let member = self.member(&session);
        member.into_iter().for_each(|member| self.emit(Event::Changed(member)));
    }

    /// Takes a session out. Its goodbye will be passed on to all but itself and `teller`.
    fn gone(&mut self, now: Timestamp, session: SessionId, how: Farewell, teller: SessionId) {
        let linked = self.links.contains(&session);
        let Some(entry) = self.roster.remove(now.monotonic, &session, how) else { return };
        let (member, beat) = (entry.member(session, linked), entry.beat);
        self.links.forget(&session);
        let gracefully = how != Farewell::Silent;
        self.drop_values(session);
        self.emit(Event::Left { member, gracefully });
        if gracefully && self.next_beat.is_some() {
            self.farewells.push((teller, Rumour { session, beat, news: News::Left }));
        }
    }

    /// Passes on what one input brought.
    fn pass_on_farewells(&mut self) {
        let farewells = std::mem::take(&mut self.farewells);
        if farewells.is_empty() {
            return;
        }
        for peer in self.links.sessions().collect::<Vec<_>>() {
            let untold =
                farewells.iter().filter(|(teller, rumour)| *teller != peer && rumour.session != peer);
            let parts = split(untold.map(|(_, rumour)| rumour.clone()).collect());
            let parts = parts.into_iter().filter(|part| !part.is_empty());
            parts.for_each(|part| self.send(peer, Message::Rumours(part)));
        }
    }

    /// Gives up the unlinked member heard longest ago.
    fn displace(&mut self, now: Timestamp) -> bool {
        let unlinked = self.roster.alive().iter().filter(|(session, _)| !self.links.contains(session));
        let longest = unlinked.max_by_key(|(_, entry)| entry.heard.silence(now.monotonic));
        let Some(session) = longest.map(|(session, _)| *session) else { return false };
        self.gone(now, session, Farewell::Silent, session);
        true
    }
}

impl Machine for Presence {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Timestamp, input: Input) {
        self.notice_pause(now);
        match input {
            Input::PeerUp { peer, node } => self.add_peer(now, peer, node),
            Input::PeerDown { peer, left } => self.remove_peer(now, peer, left),
            Input::Received { from, message } => self.receive(now, from, message),
            Input::SetStatus(status) => {
                self.set_profile(now, |profile| profile.status = fit(&status, STATUS_BYTES_MAX));
            }
            Input::SetAway(away) => self.set_profile(now, |profile| profile.away = away),
            Input::SetValue { key, value, ttl_ms } => self.set_value(now, key, value, ttl_ms),
            Input::ClearValue { key } => self.ephemeral.clear(now.monotonic, &key),
            Input::Seen { from, datagram } => self.see(now, from, datagram),
            Input::Leave => self.leave(),
        }
        self.pass_on_farewells();
        self.send_values(now);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.notice_pause(now);
        for session in self.roster.stale(now.monotonic) {
            self.gone(now, session, Farewell::Silent, session);
        }
        if self.next_beat.is_some_and(|at| Deadline { at, why: "heartbeat" }.is_due(now)) {
            self.roster.forget(now.monotonic);
            self.beat_all(now);
        }
        self.expire_values(now);
        self.send_values(now);
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        let beat = self.next_beat.map(|at| Deadline { at, why: "heartbeat" });
        let stale = self.roster.next_look().map(|at| Deadline { at, why: "a member may be stale" });
        Deadline::earliest(Deadline::earliest(beat, stale), self.ephemeral.poll_timeout())
    }
}
