//! One session that we are, or want to be, linked to.

use std::{collections::VecDeque, time::Duration};

use meshwork_base::{Deadline, Monotonic, NodeId, Random, Timestamp};

use crate::{Config, LinkId, link::Link};

/// Which of a session's two possible connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slot {
    Up,
    Attempt,
}

#[derive(Default, Debug)]
pub(crate) struct PeerEntry {
    /// Its node, as the hub says.
    pub(crate) node: Option<NodeId>,
    /// The hub lists it: a broken link is worth another attempt.
    pub(crate) listed: bool,
    /// The connection in use.
    pub(crate) up: Option<Link>,
    /// The connection being made; beside `up` when the peer offers a new one.
    pub(crate) attempt: Option<Link>,
    /// Failures since the last success.
    failures: u32,
    /// One side refused the other in the last attempt, which does not pass by itself.
    refused: bool,
    /// When we offer.
    pub(crate) due: Option<Monotonic>,
    /// There was no room for it; told once.
    pub(crate) crowded_out: bool,
    /// The number of its last offer, and when that came.
    offer_seen: Option<(u64, Monotonic)>,
    /// When we last began to answer one.
    pub(crate) answered_at: Option<Monotonic>,
    /// Candidates that came before their description, with their attempt.
    early: VecDeque<(u64, String)>,
}

impl PeerEntry {
    pub(crate) fn slot(&self, link: LinkId) -> Option<Slot> {
        let is = |candidate: &Option<Link>| candidate.as_ref().is_some_and(|candidate| candidate.id == link);
        if is(&self.up) {
            Some(Slot::Up)
        } else if is(&self.attempt) {
            Some(Slot::Attempt)
        } else {
            None
        }
    }

    pub(crate) fn link(&mut self, slot: Slot) -> Option<&mut Link> {
        match slot {
            Slot::Up => self.up.as_mut(),
            Slot::Attempt => self.attempt.as_mut(),
        }
    }

    /// It has, or is making, a connection.
    pub(crate) fn is_active(&self) -> bool {
        self.up.is_some() || self.attempt.is_some()
    }

    pub(crate) fn deadline(&self, config: &Config) -> Option<Deadline> {
        let dial = self.due.map(|at| Deadline { at, why: "offer a connection" });
        let links = [&self.up, &self.attempt].into_iter().flatten().map(|link| link.deadline(config));
        links.chain(dial).min()
    }

    /// The wait after one more failure: it doubles, and is drawn from its upper half so that two sides fall out of step.
    pub(crate) fn backoff(&mut self, random: &mut Random, config: &Config) -> Duration {
        let factor = 1u64.checked_shl(self.failures).unwrap_or(u64::MAX);
        self.failures = (self.failures + 1).min(63);
        let full = Duration::from_millis(config.retry_min_ms.saturating_mul(factor).min(config.retry_max_ms));
        random.duration(full / 2, full)
    }

    /// The reason for a failure may have passed: whether the next attempt need not wait any longer.
    pub(crate) fn may_start_over(&mut self) -> bool {
        let may = !self.is_active() && !self.refused;
        if may {
            self.failures = 0;
        }
        may
    }

    pub(crate) fn refused(&mut self) {
        self.refused = true;
    }

    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.refused = false;
        self.crowded_out = false;
    }

    /// The number of its last offer, if that came lately. A hub can make up any number; it must not keep out for ever
    /// the offers that are meant.
    pub(crate) fn offer_seen(&self, now: Timestamp, config: &Config) -> Option<u64> {
        let attempt_ms =
            config.signalling_timeout_ms + config.connecting_timeout_ms + config.handshake_timeout_ms;
        let lately =
            |(_, at): &(u64, Monotonic)| now.monotonic.since(*at) < Duration::from_millis(attempt_ms);
        self.offer_seen.filter(lately).map(|(attempt, _)| attempt)
    }

    pub(crate) fn see_offer(&mut self, now: Timestamp, attempt: u64) {
        self.offer_seen = Some((attempt, now.monotonic));
    }

    /// The attempt that its last offer began came to nothing, but the offer may stand yet: when it comes again, it is
    /// worth another answer.
    pub(crate) fn forget_offer(&mut self, attempt: u64) {
        self.offer_seen = self.offer_seen.and_then(|(_, at)| Some((attempt.checked_sub(1)?, at)));
    }

    pub(crate) fn keep_early(&mut self, attempt: u64, candidate: String, config: &Config) {
        if self.early.len() >= config.candidates_max {
            self.early.pop_front();
        }
        self.early.push_back((attempt, candidate));
    }

    /// The candidates that waited for the description of `attempt`; those of others are void.
    pub(crate) fn take_early(&mut self, attempt: u64) -> Vec<String> {
        self.early.drain(..).filter(|(of, _)| *of == attempt).map(|(_, candidate)| candidate).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork_base::Seed;

    #[test]
    fn backoff_doubles_to_its_bound_with_jitter_and_starts_over_after_success() {
        let (config, mut random) = (Config::default(), Seed::from_number(1).random());
        let mut entry = PeerEntry::default();
        for full in [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            let wait = entry.backoff(&mut random, &config).as_millis();
            assert!((full / 2..full).contains(&wait), "{wait} of {full}");
        }
        for _ in 0..100 {
            assert!(entry.backoff(&mut random, &config).as_millis() >= 15_000);
        }
        entry.succeeded();
        assert!(entry.backoff(&mut random, &config).as_millis() < 250);
    }
}
