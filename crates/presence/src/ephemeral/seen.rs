//! What other sessions show.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::Duration,
};

use meshwork_base::{Bytes, Monotonic, SessionId};

use crate::{PresenceError, SESSION_VALUES_BYTES_MAX, Shown, datagram::Snapshot};

/// What keeping a value takes beside its key and its bytes, roughly.
const OVERHEAD_BYTES: usize = 128;

/// A key whose value is another one now, or none.
pub(crate) type Change = (String, Option<Bytes>);

/// The values of all sessions.
///
/// Of each session the newest version that was heard of decides which values live; of those, some are here. So no value
/// comes back once a newer version without it was seen, and no more is kept of a session than it may show.
pub(super) struct Seen {
    bytes_max: usize,
    bytes: usize,
    sessions: BTreeMap<SessionId, Box<Session>>,
    /// When which value has had its time.
    expiries: BTreeSet<(Monotonic, SessionId, u64)>,
}

#[derive(Default)]
struct Session {
    version: u64,
    /// All values that live in that version, by counter.
    living: BTreeMap<u64, State>,
}

enum State {
    /// Nobody has shown it to us yet.
    Missing,
    Here(Box<Value>),
    /// It had its time here.
    Over,
}

struct Value {
    key: String,
    value: Bytes,
    until: Monotonic,
}

impl Value {
    fn bytes(&self) -> usize {
        self.key.len() + self.value.len() + OVERHEAD_BYTES
    }
}

impl Session {
    fn here(&self) -> impl Iterator<Item = (u64, &Value)> {
        self.living.iter().filter_map(|(counter, state)| match state {
            State::Here(value) => Some((*counter, &**value)),
            State::Missing | State::Over => None,
        })
    }

    fn values(&self) -> BTreeMap<String, Bytes> {
        self.here().map(|(_, value)| (value.key.clone(), value.value.clone())).collect()
    }

    /// Whether a session may show `value` beside the others.
    fn check(&self, counter: u64, shown: &Shown) -> Result<(), PresenceError> {
        let others = || self.here().filter(|(other, _)| *other != counter).map(|(_, value)| value);
        if others().any(|value| value.key == shown.key) {
            return Err(PresenceError::TwoValues(shown.key.clone()));
        }
        let others: usize = others().map(|value| value.key.len() + value.value.len()).sum();
        let (size, limit) = (others + shown.key.len() + shown.value.len(), SESSION_VALUES_BYTES_MAX);
        if size > limit { Err(PresenceError::SessionBytes { size, limit }) } else { Ok(()) }
    }
}

impl Seen {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, sessions: BTreeMap::new(), expiries: BTreeSet::new() }
    }

    /// The values of a session that are here.
    pub(super) fn values(&self, session: &SessionId) -> BTreeMap<String, Bytes> {
        self.sessions.get(session).map(|session| session.values()).unwrap_or_default()
    }

    /// Takes note of what a session says that it shows. What was in order of it stands, even when something was not.
    pub(super) fn hear(
        &mut self,
        now: Monotonic,
        from: SessionId,
        snapshot: Snapshot,
    ) -> (Vec<Change>, Result<(), PresenceError>) {
        let before = self.values(&from);
        let heard = self.adopt(from, snapshot.version, snapshot.living);
        let heard = heard.and_then(|()| {
            snapshot.shown.into_iter().try_for_each(|(counter, shown)| self.take(now, from, counter, shown))
        });
        (changes(before, self.values(&from)), heard)
    }

    /// Goes on to a newer version of a session's values, in which only `living` ones are left.
    fn adopt(&mut self, from: SessionId, version: u64, living: BTreeSet<u64>) -> Result<(), PresenceError> {
        let session = self.sessions.entry(from).or_default();
        if version == session.version && !living.iter().eq(session.living.keys()) {
            return Err(PresenceError::TwoVersions(version));
        }
        if version <= session.version {
            return Ok(());
        }
        session.version = version;
        let mut before = mem::take(&mut session.living);
        session.living = living
            .into_iter()
            .map(|counter| (counter, before.remove(&counter).unwrap_or(State::Missing)))
            .collect();
        self.drop_values(from, before);
        Ok(())
    }

    /// Takes a value, if it lives in the newest version that was heard of.
    fn take(
        &mut self,
        now: Monotonic,
        from: SessionId,
        counter: u64,
        shown: Shown,
    ) -> Result<(), PresenceError> {
        let until = now + Duration::from_millis(shown.ttl_ms.into());
        let Some(session) = self.sessions.get_mut(&from) else { return Ok(()) };
        match session.living.get_mut(&counter) {
            // A datagram that was long on its way makes no value live longer.
            Some(State::Here(value)) if until < value.until => {
                self.expiries.remove(&(value.until, from, counter));
                self.expiries.insert((until, from, counter));
                value.until = until;
                return Ok(());
            }
            Some(State::Missing) => {}
            Some(State::Here(_) | State::Over) | None => return Ok(()),
        }
        session.check(counter, &shown)?;
        let value = Box::new(Value { key: shown.key, value: shown.value, until });
        let bytes = value.bytes();
        if self.bytes + bytes > self.bytes_max {
            tracing::debug!(session = %from, "a value is left out: `seen_values_bytes_max` is reached");
            return Ok(());
        }
        self.bytes += bytes;
        self.expiries.insert((until, from, counter));
        session.living.insert(counter, State::Here(value));
        Ok(())
    }

    /// When the next value has had its time.
    pub(super) fn next_expiry(&self) -> Option<Monotonic> {
        self.expiries.first().map(|(until, ..)| *until)
    }

    /// Drops what has had its time.
    pub(super) fn expire(&mut self, now: Monotonic) -> Vec<(SessionId, Change)> {
        let mut gone = Vec::new();
        while let Some((until, from, counter)) =
            self.expiries.first().copied().filter(|(until, ..)| *until <= now)
        {
            self.expiries.remove(&(until, from, counter));
            let state = self.sessions.get_mut(&from).and_then(|session| session.living.get_mut(&counter));
            if let Some(State::Here(value)) = state.map(|state| mem::replace(state, State::Over)) {
                self.bytes -= value.bytes();
                gone.push((from, (value.key, None)));
            }
        }
        gone
    }

    /// Drops all values of a session, but not that it has shown them: only what it says anew brings them back.
    pub(super) fn mute(&mut self, from: SessionId) -> Vec<Change> {
        let Some(session) = self.sessions.get_mut(&from) else { return Vec::new() };
        let before = session.values();
        let mut dropped = BTreeMap::new();
        for (counter, state) in &mut session.living {
            if matches!(state, State::Here(_)) {
                dropped.insert(*counter, mem::replace(state, State::Missing));
            }
        }
        self.drop_values(from, dropped);
        changes(before, BTreeMap::new())
    }

    /// Forgets a session of which nothing more can come.
    pub(super) fn forget(&mut self, from: SessionId) -> Vec<Change> {
        let changes = self.mute(from);
        self.sessions.remove(&from);
        changes
    }

    fn drop_values(&mut self, from: SessionId, dropped: BTreeMap<u64, State>) {
        for (counter, state) in dropped {
            if let State::Here(value) = state {
                self.bytes -= value.bytes();
                self.expiries.remove(&(value.until, from, counter));
            }
        }
    }
}

/// What is different in `after`.
fn changes(mut before: BTreeMap<String, Bytes>, after: BTreeMap<String, Bytes>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (key, value) in after {
        if before.remove(&key).as_ref() != Some(&value) {
            changes.push((key, Some(value)));
        }
    }
    changes.extend(before.into_keys().map(|key| (key, None)));
    changes
}
