//! Whether the other end of a link is still there, and how far away.

use std::time::Duration;

use meshwork_base::{Deadline, Monotonic, Timestamp};

use crate::Config;

#[derive(Debug)]
pub(crate) struct Liveness {
    received: Monotonic,
    pinged: Monotonic,
    /// The token of the last ping; counts up.
    token: u64,
    /// The last ping is unanswered.
    awaiting: bool,
    rtt_us: Option<u64>,
    /// Nothing was received since we were last paused.
    paused: bool,
}

impl Liveness {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            received: now.monotonic,
            pinged: now.monotonic,
            token: 0,
            awaiting: false,
            rtt_us: None,
            paused: false,
        }
    }

    /// Any byte counts.
    pub(crate) fn received(&mut self, now: Timestamp) {
        self.received = now.monotonic;
        self.paused = false;
    }

    /// The token of a ping that is sent now.
    pub(crate) fn ping(&mut self, now: Timestamp) -> u64 {
        self.pinged = now.monotonic;
        self.token += 1;
        self.awaiting = true;
        self.token
    }

    /// An answer that is late, or that nobody asked for, measures nothing.
    pub(crate) fn pong(&mut self, now: Timestamp, token: u64) {
        if std::mem::take(&mut self.awaiting) && token == self.token {
            let sample = u64::try_from(now.monotonic.since(self.pinged).as_micros()).unwrap_or(u64::MAX);
            self.rtt_us = Some(self.rtt_us.map_or(sample, |rtt| rtt - rtt / 8 + sample / 8));
        }
    }

    pub(crate) fn rtt_us(&self) -> Option<u64> {
        self.rtt_us
    }

    /// We were not run for a while, so what looks like silence may be ours: ping at once, and give the peer as long as
    /// after any ping. Only once, until it is heard again.
    pub(crate) fn pause(&mut self, now: Timestamp, config: &Config) {
        if !std::mem::replace(&mut self.paused, true) {
            let silent_since = now.monotonic - Duration::from_millis(config.ping_after_ms);
            self.received = self.received.max(silent_since);
            self.pinged = self.pinged.min(silent_since);
        }
    }

    pub(crate) fn ping_at(&self, config: &Config) -> Deadline {
        let silent = self.received.max(self.pinged) + Duration::from_millis(config.ping_after_ms);
        Deadline {
            at: silent.min(self.pinged + Duration::from_millis(config.rtt_every_ms)),
            why: "ping a link",
        }
    }

    pub(crate) fn dead_at(&self, config: &Config) -> Deadline {
        Deadline {
            at: self.received + Duration::from_millis(config.dead_after_ms),
            why: "a silent link is dead",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::default().after(Duration::from_millis(ms))
    }

    #[test]
    fn silence_is_pinged_every_second_and_dead_after_two_and_a_half() {
        let config = Config::default();
        let mut liveness = Liveness::new(at(0));
        for ms in [1_000, 2_000] {
            assert_eq!(liveness.ping_at(&config).at, at(ms).monotonic);
            liveness.ping(at(ms));
        }
        assert_eq!(liveness.dead_at(&config).at, at(2_500).monotonic);
        liveness.received(at(2_400));
        assert_eq!(liveness.dead_at(&config).at, at(4_900).monotonic);
    }

    #[test]
    fn only_the_answer_to_the_last_ping_measures() {
        let mut liveness = Liveness::new(at(0));
        liveness.pong(at(1), 0);
        let token = liveness.ping(at(10));
        liveness.pong(at(30), token);
        liveness.pong(at(99), token);
        assert_eq!(liveness.rtt_us(), Some(20_000));
        let token = liveness.ping(at(100));
        liveness.pong(at(112), token);
        assert_eq!(liveness.rtt_us(), Some(19_000));
    }

    #[test]
    fn a_pause_of_ours_gives_one_more_period_and_not_two() {
        let config = Config::default();
        let mut liveness = Liveness::new(at(0));
        liveness.pause(at(60_000), &config);
        assert!(liveness.ping_at(&config).is_due(at(60_000)));
        assert_eq!(liveness.dead_at(&config).at, at(61_500).monotonic);
        liveness.pause(at(61_400), &config);
        assert_eq!(liveness.dead_at(&config).at, at(61_500).monotonic);
    }
}
