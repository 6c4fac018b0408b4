//! Who is here, who was, and when each was last heard.

use std::{collections::BTreeMap, time::Duration};

use meshwork_base::{Monotonic, NodeId, SessionId};

use crate::{Config, Member, Profile};

/// A session that is here.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) node: NodeId,
    /// Its own link has proved the node.
    pub(crate) proven: bool,
    pub(crate) profile: Profile,
    /// The profile was told by others.
    pub(crate) hearsay: bool,
    pub(crate) beat: u64,
    pub(crate) heard: Heard,
    /// Who brought the beat; the session itself when its own link did.
    pub(crate) teller: SessionId,
}

/// When a beat was made: `age` before `at`. (A clock that started later than that cannot name the moment itself.)
#[derive(Clone, Copy)]
pub(crate) struct Heard {
    pub(crate) at: Monotonic,
    pub(crate) age: Duration,
}

impl Heard {
    pub(crate) fn silence(&self, now: Monotonic) -> Duration {
        self.age.saturating_add(now.since(self.at))
    }
}

impl Gone {
    /// Takes note of a goodbye that was heard of afterwards.
    pub(crate) fn said(&mut self, how: Farewell, beat: u64) {
        self.how = self.how.max(how);
        self.entry.beat = self.entry.beat.max(beat);
    }

    /// Whether a rumour of a beat proves that it is back.
    pub(crate) fn is_refuted_by(&self, now: Monotonic, beat: u64, heard: Heard, margin: Duration) -> bool {
        match self.how {
            Farewell::Said => false,
            Farewell::Told if beat > self.entry.beat => true,
            // A goodbye that was made up has any beat, but nobody was heard after a true one.
            Farewell::Told => heard.silence(now) + margin < now.since(self.since),
            Farewell::Silent => self.entry.is_older_than(now, beat, heard, margin),
        }
    }
}

impl Entry {
    /// Whether a rumour of a beat is a sign of life since the last one. A later moment is, under a higher beat; under a
    /// lower one it has to be later by `margin`, more than rumours are on their way: somebody may have made up the beat
    /// that is known, and can do so with any number, but with no moment that is still to come. The same beat never is, so
    /// that a rumour that goes in circles keeps nobody alive.
    pub(crate) fn is_older_than(&self, now: Monotonic, beat: u64, heard: Heard, margin: Duration) -> bool {
        let margin = if beat > self.beat { Duration::ZERO } else { margin };
        beat != self.beat && heard.silence(now).saturating_add(margin) < self.heard.silence(now)
    }

    /// Takes what is said about it; whether people see a difference.
    pub(crate) fn take_profile(&mut self, profile: Profile, hearsay: bool) -> bool {
        let changed = !profile.looks_like(&self.profile);
        (self.profile, self.hearsay) = (profile, hearsay);
        changed
    }

    pub(crate) fn member(&self, session: SessionId, linked: bool) -> Member {
        let Profile { name, status, capabilities, away, .. } = self.profile.clone();
        Member { session, node: self.node, name, status, capabilities, away, linked, hearsay: self.hearsay }
    }
}

/// A session that was here.
pub(crate) struct Gone {
    pub(crate) entry: Entry,
    since: Monotonic,
    /// How it went.
    pub(crate) how: Farewell,
}

/// How a session went; the later ones weigh more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Farewell {
    /// Nobody heard of it for too long.
    Silent,
    /// Others heard its goodbye: a higher beat proves them wrong.
    Told,
    /// It said goodbye to us: only a new link brings it back.
    Said,
}

/// Invariant: no session is in both maps, and neither is longer than `members_max`.
pub(crate) struct Roster {
    config: Config,
    alive: BTreeMap<SessionId, Box<Entry>>,
    gone: BTreeMap<SessionId, Box<Gone>>,
    /// Nobody is stale before this.
    grace: Monotonic,
    /// Nor before this, as far as it was looked: most members are heard again long before they could be.
    looked: Monotonic,
}

impl Roster {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            alive: BTreeMap::new(),
            gone: BTreeMap::new(),
            grace: Monotonic(0),
            looked: Monotonic(0),
        }
    }

    pub(crate) fn alive(&self) -> &BTreeMap<SessionId, Box<Entry>> {
        &self.alive
    }

    /// Changes the entry of somebody who is here.
    pub(crate) fn change<T>(
        &mut self,
        session: &SessionId,
        change: impl FnOnce(&mut Entry) -> T,
    ) -> Option<T> {
        let entry = self.alive.get_mut(session)?;
        let changed = change(entry);
        self.looked = self.looked.min(self.config.stale_at(entry));
        Some(changed)
    }

    pub(crate) fn gone(&self) -> &BTreeMap<SessionId, Box<Gone>> {
        &self.gone
    }

    pub(crate) fn gone_mut(&mut self, session: &SessionId) -> Option<&mut Gone> {
        self.gone.get_mut(session).map(Box::as_mut)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.alive.len() >= self.config.members_max
    }

    pub(crate) fn insert(&mut self, session: SessionId, entry: Entry) {
        self.gone.remove(&session);
        self.looked = self.looked.min(self.config.stale_at(&entry));
        self.alive.insert(session, Box::new(entry));
    }

    /// Moves a session to those who are gone.
    pub(crate) fn remove(&mut self, now: Monotonic, session: &SessionId, how: Farewell) -> Option<&Entry> {
        let entry = self.alive.remove(session)?;
        if self.gone.len() >= self.config.members_max {
            let oldest = self.gone.iter().min_by_key(|(_, gone)| gone.since).map(|(session, _)| *session);
            oldest.map(|session| self.gone.remove(&session));
        }
        let gone = Box::new(Gone { entry: *entry, since: now, how });
        Some(&self.gone.entry(*session).insert_entry(gone).into_mut().entry)
    }

    /// Forgets those who went long ago.
    pub(crate) fn forget(&mut self, now: Monotonic) {
        let remembered = Duration::from_millis(self.config.gone_ms);
        self.gone.retain(|_, gone| now.since(gone.since) < remembered);
    }

    /// Lets nobody become stale before `until`.
    pub(crate) fn spare(&mut self, until: Monotonic) {
        self.grace = until;
    }

    pub(crate) fn allowance(&self, profile: &Profile) -> Duration {
        self.config.allowance(profile)
    }

    /// When to look for somebody who is stale.
    pub(crate) fn next_look(&self) -> Option<Monotonic> {
        (!self.alive.is_empty()).then(|| self.looked.max(self.grace))
    }

    /// Looks who is stale.
    pub(crate) fn stale(&mut self, now: Monotonic) -> Vec<SessionId> {
        let mut stale = Vec::new();
        self.looked = Monotonic(u64::MAX);
        for (session, entry) in &self.alive {
            let at = self.config.stale_at(entry);
            if at.max(self.grace) <= now {
                stale.push(*session);
            } else {
                self.looked = self.looked.min(at);
            }
        }
        stale
    }
}

impl Config {
    fn allowance(&self, profile: &Profile) -> Duration {
        Duration::from_millis(if profile.away { self.away_stale_ms } else { self.stale_ms })
    }

    fn stale_at(&self, entry: &Entry) -> Monotonic {
        entry.heard.at + self.allowance(&entry.profile).saturating_sub(entry.heard.age)
    }
}
