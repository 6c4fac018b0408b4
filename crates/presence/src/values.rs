//! Ephemeral values in the machine: they are those of members, and come and go with these.

use std::collections::BTreeMap;

use meshwork_base::{Bytes, SessionId, Timestamp};

use crate::{Datagram, Effect, Event, Presence, PresenceError, ephemeral::Change};

impl Presence {
    /// What a member shows, by key; this session included.
    pub fn values(&self, session: &SessionId) -> BTreeMap<String, Bytes> {
        if *session == self.session {
            return self.ephemeral.own();
        }
        if !self.roster.alive().contains_key(session) {
            return BTreeMap::new();
        }
        self.ephemeral.values(session)
    }

    /// Whether [`Input::SetValue`](crate::Input::SetValue) would be taken now.
    pub fn check_value(&self, key: &str, size: usize, ttl_ms: u64) -> Result<(), PresenceError> {
        self.ephemeral.check(key, size, ttl_ms)
    }

    pub(crate) fn set_value(&mut self, now: Timestamp, key: String, value: Bytes, ttl_ms: u64) {
        if self.next_beat.is_none() {
            return;
        }
        if let Err(error) = self.ephemeral.set(now.monotonic, key.clone(), value, ttl_ms) {
            self.emit(Event::ValueRefused { key, error });
        }
    }

    pub(crate) fn send_values(&mut self, now: Timestamp) {
        for (to, datagram) in self.ephemeral.send(now.monotonic) {
            self.effects.push_back(Effect::Show { to, datagram });
        }
    }

    pub(crate) fn see(&mut self, now: Timestamp, from: SessionId, datagram: Datagram) {
        if self.links.node(&from).is_none() {
            return;
        }
        let (changes, heard) = self.ephemeral.hear(now.monotonic, from, datagram);
        self.tell(from, changes);
        if let Err(error) = heard {
            self.effects.push_back(Effect::Misbehaved { peer: from, reason: error.to_string() });
        }
    }

    /// What a member showed before its first heartbeat was heard.
    pub(crate) fn show_values(&mut self, session: SessionId) {
        let shown = self.ephemeral.values(&session);
        self.tell(session, shown.into_iter().map(|(key, value)| (key, Some(value))).collect());
    }

    /// The link is gone. Values live on as long as their member does.
    pub(crate) fn unlink_values(&mut self, peer: SessionId) {
        self.ephemeral.peer_down(peer);
        if !self.roster.alive().contains_key(&peer) {
            self.ephemeral.gone(peer, false);
        }
    }

    /// The member is gone, and so is what it showed.
    pub(crate) fn drop_values(&mut self, session: SessionId) {
        let linked = self.links.contains(&session);
        for (key, _) in self.ephemeral.gone(session, linked) {
            self.emit(Event::ValueGone { session, key });
        }
    }

    pub(crate) fn expire_values(&mut self, now: Timestamp) {
        for (session, change) in self.ephemeral.handle_timeout(now.monotonic) {
            self.tell(session, vec![change]);
        }
    }

    fn tell(&mut self, session: SessionId, changes: Vec<Change>) {
        if !self.roster.alive().contains_key(&session) {
            return;
        }
        for (key, value) in changes {
            self.emit(match value {
                Some(value) => Event::ValueSet { session, key, value },
                None => Event::ValueGone { session, key },
            });
        }
    }
}
