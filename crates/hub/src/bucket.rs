//! A token bucket, for rates and for patience.

use std::time::Duration;

use meshwork_base::{Monotonic, Timestamp};

/// Holds up to `capacity` tokens and gets one every `refill`. All it needs to know is when it will be full again, so
/// nothing is ever rounded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Bucket {
    full_at: Monotonic,
}

/// How large a bucket is and how fast it fills.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rate {
    pub(crate) capacity: u32,
    pub(crate) refill: Duration,
}

impl Bucket {
    /// A full one.
    pub(crate) fn full(now: Timestamp) -> Self {
        Self { full_at: now.monotonic }
    }

    /// Whether a token is left.
    pub(crate) fn has(&self, now: Timestamp, rate: Rate) -> bool {
        self.full_at.since(now.monotonic) + rate.refill <= rate.refill * rate.capacity
    }

    /// Takes a token if one is left.
    pub(crate) fn take(&mut self, now: Timestamp, rate: Rate) -> bool {
        let has = self.has(now, rate);
        if has {
            self.full_at = self.full_at.max(now.monotonic) + rate.refill;
        }
        has
    }

    pub(crate) fn is_full(&self, now: Timestamp) -> bool {
        self.full_at <= now.monotonic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_capacity_at_once_and_then_the_rate() {
        let rate = Rate { capacity: 3, refill: Duration::from_millis(100) };
        let start = Timestamp::default();
        let mut bucket = Bucket::full(start);
        let mut take_at = |ms: u64| bucket.take(start.after(Duration::from_millis(ms)), rate);
        let taken = [0, 0, 0, 0, 99, 100, 100, 1_000, 1_000, 1_000, 1_000].map(&mut take_at);
        assert_eq!(taken, [true, true, true, false, false, true, false, true, true, true, false]);
        assert!(bucket.is_full(start.after(Duration::from_millis(1_300))));
    }
}
