//! Ephemeral values: what sessions show each other for a while, such as cursors, without keeping or confirming it.
//!
//! Every datagram says which of its sender's values live, by their counters, and carries some of them: those that the
//! receiver was not sent yet, and what else there is room for. What is lost is made up for by the next datagram, at the
//! latest by the refresh.

mod own;
mod seen;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use meshwork_base::{Bytes, Deadline, Fill, Monotonic, SessionId};
use meshwork_wire::DATAGRAM_MESSAGE_BYTES_MAX;

use crate::{Config, Datagram, PresenceError, datagram::bare_weight};
use own::Own;
use seen::Seen;

pub(crate) use seen::Change;

/// Up to this many bytes a datagram is filled with living values that its receiver was sent before, in case it missed
/// them.
const REPEAT_BYTES: usize = 400;

/// Over this time the datagrams of a peer are counted.
const COUNTED: Duration = Duration::from_secs(1);

/// The values of this session and of the others.
pub(crate) struct Ephemeral {
    config: Config,
    own: Own,
    seen: Seen,
    links: BTreeMap<SessionId, Box<Link>>,
    /// Somebody among these is to be sent something.
    is_due: bool,
    /// The next datagrams leave no sooner.
    next_send: Monotonic,
    /// When everything is shown again; none while there is nothing to show.
    next_refresh: Option<Monotonic>,
}

/// One linked peer.
struct Link {
    /// The living values that it is to be sent, by counter: those that waited longest come first.
    due: BTreeSet<u64>,
    /// It is to be told at least which values live.
    told_due: bool,
    /// Since when datagrams from it are counted, and how many came.
    counted: (Monotonic, usize),
}

impl Link {
    fn is_due(&self) -> bool {
        self.told_due || !self.due.is_empty()
    }
}

impl Ephemeral {
    /// `version` is where the counting of own values begins.
    pub(crate) fn new(config: &Config, version: u64) -> Self {
        Self {
            own: Own::new(version),
            seen: Seen::new(config.seen_values_bytes_max),
            config: config.clone(),
            links: BTreeMap::new(),
            is_due: false,
            next_send: Monotonic(0),
            next_refresh: None,
        }
    }

    /// Our values.
    pub(crate) fn fill(&self) -> Fill {
        let (held, bound) = (self.seen.bytes(), self.config.seen_values_bytes_max);
        Fill { buffer: "seen_values_bytes_max", held, bound }
    }

    pub(crate) fn own(&self) -> BTreeMap<String, Bytes> {
        self.own.iter().map(|(key, value)| (key.to_owned(), value.clone())).collect()
    }

    /// The values of another session.
    pub(crate) fn values(&self, session: &SessionId) -> BTreeMap<String, Bytes> {
        self.seen.values(session)
    }

    /// Whether a value could be set now.
    pub(crate) fn check(&self, key: &str, size: usize, ttl_ms: u64) -> Result<(), PresenceError> {
        self.own.check(&self.config, key, size, ttl_ms)
    }

    // What we show.

    pub(crate) fn set(
        &mut self,
        now: Monotonic,
        key: String,
        value: Bytes,
        ttl_ms: u64,
    ) -> Result<(), PresenceError> {
        self.own.expire(now);
        self.check(&key, value.len(), ttl_ms)?;
        let (counter, replaced) = self.own.set(now, key, value, ttl_ms);
        for link in self.links.values_mut() {
            replaced.map(|replaced| link.due.remove(&replaced));
            link.due.insert(counter);
        }
        self.note_due();
        self.plan_refresh(now);
        Ok(())
    }

    pub(crate) fn clear(&mut self, now: Monotonic, key: &str) {
        self.own.expire(now);
        let Some(counter) = self.own.clear(key) else { return };
        for link in self.links.values_mut() {
            link.due.remove(&counter);
            link.told_due = true;
        }
        self.note_due();
        self.plan_refresh(now);
    }

    /// Shows nothing more. (Whoever hears our goodbye drops what we showed.)
    pub(crate) fn leave(&mut self) {
        self.own = Own::new(self.own.version());
        self.links.clear();
        self.note_due();
        self.next_refresh = None;
    }

    pub(crate) fn peer_up(&mut self, now: Monotonic, peer: SessionId) {
        self.own.expire(now);
        let told_due = self.own.is_worth_telling();
        let due = self.own.counters().into_iter().collect();
        self.links.insert(peer, Box::new(Link { due, told_due, counted: (now, 0) }));
        self.note_due();
    }

    pub(crate) fn peer_down(&mut self, peer: SessionId) {
        self.links.remove(&peer);
        self.note_due();
    }

    /// Call it when it has changed what links are to be sent.
    fn note_due(&mut self) {
        self.is_due = self.links.values().any(|link| link.is_due());
    }

    fn plan_refresh(&mut self, now: Monotonic) {
        let refresh = Duration::from_millis(self.config.values_refresh_ms);
        self.next_refresh.get_or_insert(now + refresh);
    }

    /// The datagrams that leave now. Call it after every input and every timeout.
    pub(crate) fn send(&mut self, now: Monotonic) -> Vec<(SessionId, Datagram)> {
        if self.next_send > now || !self.is_due {
            return Vec::new();
        }
        self.next_send = now + Duration::from_millis(self.config.values_send_ms);
        self.own.expire(now);
        let counters = self.own.counters();
        let mut datagrams = Vec::new();
        for (peer, link) in &mut self.links {
            link.due.retain(|counter| counters.contains(counter));
            for _ in 0..self.config.values_batch_max {
                if !link.is_due() {
                    break;
                }
                datagrams.push((*peer, fill(&self.own, now, &counters, &mut link.due)));
                link.told_due = false;
            }
        }
        self.note_due();
        datagrams
    }

    // What we see.

    /// What changes by a datagram, and whether a correct peer can have sent it.
    pub(crate) fn hear(
        &mut self,
        now: Monotonic,
        from: SessionId,
        datagram: Datagram,
    ) -> (Vec<Change>, Result<(), PresenceError>) {
        let Some(link) = self.links.get_mut(&from) else { return (Vec::new(), Ok(())) };
        if now.since(link.counted.0) >= COUNTED {
            link.counted = (now, 0);
        }
        link.counted.1 += 1;
        if link.counted.1 > self.config.values_received_max {
            // As if it had been lost. The network may bring a few seconds' worth at once, so it is nobody's fault.
            return (Vec::new(), Ok(()));
        }
        match datagram.read() {
            Ok(snapshot) => self.seen.hear(now, from, snapshot),
            Err(error) => (Vec::new(), Err(error)),
        }
    }

    /// A session is gone; `linked` says whether something may still come from it. The values that it showed.
    pub(crate) fn gone(&mut self, session: SessionId, linked: bool) -> Vec<Change> {
        if linked { self.seen.mute(session) } else { self.seen.forget(session) }
    }

    // Time.

    /// Does what is due but for sending; the values of others that have had their time.
    pub(crate) fn handle_timeout(&mut self, now: Monotonic) -> Vec<(SessionId, Change)> {
        self.own.expire(now);
        if self.next_refresh.is_some_and(|at| at <= now) {
            self.next_refresh = None;
            if self.own.is_worth_telling() {
                let counters = self.own.counters();
                for link in self.links.values_mut() {
                    link.due.extend(&counters);
                    link.told_due = true;
                }
                self.note_due();
                self.plan_refresh(now);
            }
        }
        self.seen.expire(now)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let send = self.is_due.then_some(Deadline { at: self.next_send, why: "show values" });
        let refresh = self.next_refresh.map(|at| Deadline { at, why: "show values again" });
        let own = self.own.next_expiry().map(|at| Deadline { at, why: "an own value has had its time" });
        let seen = self.seen.next_expiry().map(|at| Deadline { at, why: "a value has had its time" });
        [send, refresh, own, seen].into_iter().fold(None, Deadline::earliest)
    }
}

/// A datagram with as many of the `due` values as it holds, which are taken from it, and a few of the others.
fn fill(own: &Own, now: Monotonic, counters: &[u64], due: &mut BTreeSet<u64>) -> Datagram {
    let mut weight = bare_weight(counters.len());
    let mut shown = vec![None; counters.len()];
    let mut add = |counter: u64, limit: usize| {
        let place = counters.iter().position(|living| *living == counter);
        let value = place.and_then(|place| Some((place, own.show(now, counter, place)?)));
        let Some((place, value)) = value else { return true };
        let fits = weight + value.weight() <= limit;
        if let Some(space) = shown.get_mut(place).filter(|space| fits && space.is_none()) {
            weight += value.weight();
            *space = Some(value);
        }
        fits
    };
    while let Some(counter) = due.first().copied().filter(|counter| add(*counter, DATAGRAM_MESSAGE_BYTES_MAX))
    {
        due.remove(&counter);
    }
    for counter in counters {
        add(*counter, REPEAT_BYTES);
    }
    Datagram::new(own.version(), counters, shown.into_iter().flatten().collect())
}
