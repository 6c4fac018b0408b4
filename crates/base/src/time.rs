//! Time, as the host tells it.

use std::{
    ops::{Add, Sub},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// Microseconds on a clock that never runs backwards; its zero means nothing. Deadlines are set on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Monotonic {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Monotonic {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// A moment: one reading of both of the host's clocks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
pub struct Timestamp {
    /// For deadlines and durations.
    pub monotonic: Monotonic,
    /// Milliseconds since the Unix epoch, as this host believes: for people and for [`HybridTime`]. May jump.
    pub wall_ms: u64,
}

impl Timestamp {
    /// The moment `span` later on both clocks.
    pub fn after(self, span: Duration) -> Self {
        let wall_ms = self.wall_ms.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        Self { monotonic: self.monotonic + span, wall_ms }
    }
}

/// When a machine wants to be woken, and what for (shown in traces and in a host's diagnostics).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Deadline {
    /// The moment.
    pub at: Monotonic,
    /// The reason, in a few words.
    pub why: &'static str,
}

impl Deadline {
    /// The one comparison by which `poll_timeout` and `handle_timeout` agree.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.at <= now.monotonic
    }

    /// The earlier of two optional deadlines.
    pub fn earliest(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

/// A hybrid logical clock reading (Kulkarni et al., "Logical Physical Clocks", 2014): wall time, made monotonic and
/// causal by a counter. It orders concurrent writes and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
pub struct HybridTime {
    /// Milliseconds since the Unix epoch.
    pub wall_ms: u64,
    /// Distinguishes readings of one millisecond.
    pub counter: u32,
}

/// Gives out [`HybridTime`]s that grow.
#[derive(Clone, Debug)]
pub struct HybridClock {
    last: HybridTime,
    ahead_max: Duration,
}

impl HybridClock {
    /// A clock that other people's readings push at most `ahead_max` beyond the local wall clock.
    pub fn new(ahead_max: Duration) -> Self {
        Self { last: HybridTime::default(), ahead_max }
    }

    /// A reading later than every earlier one.
    pub fn tick(&mut self, now: Timestamp) -> HybridTime {
        self.last = if now.wall_ms > self.last.wall_ms {
            HybridTime { wall_ms: now.wall_ms, counter: 0 }
        } else {
            match self.last.counter.checked_add(1) {
                Some(counter) => HybridTime { wall_ms: self.last.wall_ms, counter },
                None => HybridTime { wall_ms: self.last.wall_ms + 1, counter: 0 },
            }
        };
        self.last
    }

    /// Takes note of another clock's reading. Returns false if it lies further ahead than the bound: then the local
    /// clock stays where it is.
    pub fn observe(&mut self, now: Timestamp, seen: HybridTime) -> bool {
        let bound = now.wall_ms.saturating_add(u64::try_from(self.ahead_max.as_millis()).unwrap_or(u64::MAX));
        let plausible = seen.wall_ms <= bound;
        if plausible {
            self.last = self.last.max(seen);
        }
        plausible
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall_ms: u64) -> Timestamp {
        Timestamp { monotonic: Monotonic(0), wall_ms }
    }

    #[test]
    fn a_hybrid_clock_grows_though_the_wall_clock_jumps_back() {
        let mut clock = HybridClock::new(Duration::from_secs(60));
        let readings = [clock.tick(at(1000)), clock.tick(at(1000)), clock.tick(at(10)), clock.tick(at(1001))];
        assert!(readings.is_sorted_by(|a, b| a < b), "{readings:?}");
    }

    #[test]
    fn a_time_far_ahead_is_flagged_and_does_not_move_the_clock() {
        let mut clock = HybridClock::new(Duration::from_secs(60));
        assert!(clock.observe(at(1000), HybridTime { wall_ms: 61_000, counter: 5 }));
        assert!(!clock.observe(at(1000), HybridTime { wall_ms: 61_001, counter: 0 }));
        assert_eq!(clock.tick(at(1000)), HybridTime { wall_ms: 61_000, counter: 6 });
    }

    #[test]
    fn deadlines_compare_by_time_and_are_due_at_their_moment() {
        let early = Deadline { at: Monotonic(5), why: "z" };
        let late = Deadline { at: Monotonic(6), why: "a" };
        assert_eq!(Deadline::earliest(Some(late), Some(early)), Some(early));
        assert_eq!(Deadline::earliest(None, Some(late)), Some(late));
        assert!(early.is_due(Timestamp { monotonic: Monotonic(5), wall_ms: 0 }));
        assert!(!late.is_due(Timestamp { monotonic: Monotonic(5), wall_ms: 0 }));
    }
}
