//! The links, what was told over each, and by whom.
//!
//! In a mesh in which not everybody is linked with everybody, most sessions have many neighbours in common. Were each of
//! these to pass on what it hears, a session would be told of every heartbeat dozens of times, so only [`RELAYS`] of them
//! do. Everybody knows who, since everybody says whom it hears.

use std::{collections::BTreeMap, time::Duration};

use meshwork_base::{Monotonic, NodeId, Place, RELAYS, SessionId};

use crate::{
    Message, News, Profile, Rumour,
    message::{HEARS_MAX, split},
    roster::{Entry, Farewell, Roster},
};

/// A profile that was told is told again with every so many beats: whoever was told a lie in between learns better.
const PROFILE_AGAIN: u8 = 20;

/// Every linked peer.
#[derive(Default)]
pub(crate) struct Links {
    peers: BTreeMap<SessionId, Box<Link>>,
    /// Those among them that we hear, and how often that changed.
    hears: Vec<SessionId>,
    hears_revision: u64,
}

struct Link {
    node: NodeId,
    /// It said goodbye: nothing that still comes counts.
    left: bool,
    /// Its last heartbeat.
    heard_at: Option<Monotonic>,
    /// The sessions that it hears itself, as it says.
    hears: Vec<SessionId>,
    /// The revision of our own such list that it has.
    hears_revision: u64,
    /// The profile of one for which there was no place yet: it tells it only once.
    left_out: Option<Profile>,
    /// The revision of our own profile that it has; 0 for none.
    own_revision: u64,
    /// Per session, what it has from us.
    told: BTreeMap<SessionId, Told>,
    /// The members of whom it is on us to tell it; none when that has to be found out anew.
    ours: Option<Vec<SessionId>>,
}

/// What a peer has from us of a session.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Told {
    beat: u64,
    revision: u64,
    /// How many beats it was told since the profile.
    since: u8,
}

impl Links {
    pub(crate) fn add(&mut self, peer: SessionId, node: NodeId) {
        let link = Link {
            node,
            left: false,
            heard_at: None,
            hears: Vec::new(),
            hears_revision: 0,
            left_out: None,
            own_revision: 0,
            told: BTreeMap::new(),
            ours: None,
        };
        self.peers.insert(peer, Box::new(link));
        self.stir();
    }

    pub(crate) fn remove(&mut self, peer: &SessionId) {
        self.peers.remove(peer);
        self.stir();
    }

    /// Links or members have changed: whose task is what has to be found out anew.
    pub(crate) fn stir(&mut self) {
        self.peers.values_mut().for_each(|link| link.ours = None);
    }

    pub(crate) fn contains(&self, peer: &SessionId) -> bool {
        self.peers.contains_key(peer)
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.peers.keys().copied()
    }

    /// The node of a peer that has not said goodbye.
    pub(crate) fn node(&self, peer: &SessionId) -> Option<NodeId> {
        self.peers.get(peer).filter(|link| !link.left).map(|link| link.node)
    }

    pub(crate) fn set_left(&mut self, peer: &SessionId) {
        self.peers.entry(*peer).and_modify(|link| link.left = true);
    }

    /// Keeps the profile of a peer until there is a place for it.
    pub(crate) fn leave_out(&mut self, peer: &SessionId, profile: Profile) {
        self.peers.entry(*peer).and_modify(|link| link.left_out = Some(profile));
    }

    pub(crate) fn left_out(&mut self, peer: &SessionId) -> Option<Profile> {
        self.peers.get_mut(peer)?.left_out.take()
    }

    pub(crate) fn set_heard(&mut self, now: Monotonic, peer: &SessionId) {
        self.peers.entry(*peer).and_modify(|link| link.heard_at = Some(now));
    }

    pub(crate) fn set_hears(&mut self, peer: &SessionId, hears: Vec<SessionId>) {
        let Some(link) = self.peers.get_mut(peer).filter(|link| link.hears != hears) else { return };
        link.hears = hears;
        self.stir();
    }

    /// Finds out whom we hear. Whoever has been silent for so long that those who know better may just have the time to
    /// tell us is not among them: `slack` before it is stale.
    pub(crate) fn listen(&mut self, now: Monotonic, roster: &Roster, slack: Duration) {
        let heard = self.peers.iter().filter(|(session, link)| {
            let patience = roster.alive().get(session).map(|entry| roster.allowance(&entry.profile));
            let silence = link.heard_at.filter(|_| !link.left).map(|at| now.since(at));
            patience.zip(silence).is_some_and(|(patience, silence)| silence + slack < patience)
        });
        let hears: Vec<_> = heard.map(|(session, _)| *session).take(HEARS_MAX).collect();
        if hears != self.hears {
            (self.hears, self.hears_revision) = (hears, self.hears_revision + 1);
        }
    }

    /// Should the session return, everybody is told of it as of somebody new.
    pub(crate) fn forget(&mut self, session: &SessionId) {
        for link in self.peers.values_mut() {
            link.told.remove(session);
        }
        self.stir();
    }

    /// A heartbeat for `peer`, with all that it was not told yet and `more`.
    pub(crate) fn heartbeat(
        &mut self,
        now: Monotonic,
        (own, beat, profile): (SessionId, u64, &Profile),
        peer: SessionId,
        roster: &Roster,
        mut more: Vec<Rumour>,
    ) -> Vec<Message> {
        let known = self.peers.get_mut(&peer).and_then(|link| link.ours.take());
        let ours = known.unwrap_or_else(|| self.tasks(own, peer, roster));
        let Some(link) = self.peers.get_mut(&peer) else { return Vec::new() };
        let members = ours.iter().filter_map(|session| Some((*session, roster.alive().get(session)?)));
        more.extend(members.filter_map(|(session, entry)| link.rumour(now, session, peer, entry, roster)));
        link.ours = Some(ours);
        let unknown = std::mem::replace(&mut link.own_revision, profile.revision) != profile.revision;
        let mut parts = split(more).into_iter();
        let first = Message::Heartbeat {
            session: own,
            beat,
            profile: unknown.then(|| profile.clone()),
            rumours: parts.next().unwrap_or_default(),
        };
        let outdated =
            std::mem::replace(&mut link.hears_revision, self.hears_revision) != self.hears_revision;
        let hears = outdated.then(|| Message::Hears(self.hears.clone()));
        std::iter::once(first).chain(parts.map(Message::Rumours)).chain(hears).collect()
    }

    /// The members of whom it is on us to tell `peer`.
    fn tasks(&self, own: SessionId, peer: SessionId, roster: &Roster) -> Vec<SessionId> {
        let Some(link) = self.peers.get(&peer) else { return Vec::new() };
        let members = roster.alive().keys().filter(|session| **session != peer && !link.hears(session));
        members.filter(|session| self.others_who_tell(own, **session, peer, link) < RELAYS).copied().collect()
    }

    /// How many others tell `peer` of a session, if it is not many.
    fn others_who_tell(&self, own: SessionId, session: SessionId, peer: SessionId, link: &Link) -> usize {
        let tells = |link: &Link| link.hears(&session) && link.hears(&peer);
        let Some(subject) = self.peers.get(&session) else {
            return self.peers.values().filter(|link| tells(link)).take(RELAYS).count();
        };
        let place = Place::between(&session.0, &peer.0);
        let before_us = |other: &&SessionId| place.is_nearer(&other.0, &own.0);
        let still_does = |other: &&SessionId| self.peers.get(other).is_none_or(|link| tells(link));
        let both = subject.hears.iter().filter(|other| before_us(other) && link.hears(other));
        both.filter(still_does).take(RELAYS).count()
    }
}

impl Link {
    fn hears(&self, session: &SessionId) -> bool {
        self.hears.binary_search(session).is_ok()
    }

    /// What `peer` lacks about a session, if anything.
    fn rumour(
        &mut self,
        now: Monotonic,
        session: SessionId,
        peer: SessionId,
        entry: &Entry,
        roster: &Roster,
    ) -> Option<Rumour> {
        let silence = entry.heard.silence(now);
        // Whoever told us of the beat has it, and the profile that goes with it.
        if entry.teller == peer || silence >= roster.allowance(&entry.profile) {
            return None;
        }
        let (beat, revision) = (entry.beat, entry.profile.revision);
        let told = self.told.get(&session).copied();
        if told.is_some_and(|told| (told.beat, told.revision) == (beat, revision)) {
            return None;
        }
        let known = told.filter(|told| told.revision == revision && told.since < PROFILE_AGAIN);
        let since = known.map_or(0, |told| told.since + 1);
        self.told.insert(session, Told { beat, revision, since });
        let profile = known.is_none().then(|| (entry.node, entry.profile.clone()));
        let age_ms = u64::try_from(silence.as_millis()).unwrap_or(u64::MAX);
        Some(Rumour { session, beat, news: News::Alive { age_ms, profile } })
    }
}

/// The goodbyes that were heard, for a peer that may have missed them.
pub(crate) fn farewells(roster: &Roster) -> Vec<Rumour> {
    let farewells = roster.gone().iter().filter(|(_, gone)| gone.how != Farewell::Silent);
    farewells
        .map(|(session, gone)| Rumour { session: *session, beat: gone.entry.beat, news: News::Left })
        .collect()
}
