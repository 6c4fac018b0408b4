//! What a node believes about time.

use std::time::Duration;

use meshwork::{Monotonic, Timestamp};
use serde::{Deserialize, Serialize};

/// Where virtual wall clocks begin, in milliseconds.
const WALL_START_MS: i128 = 1_800_000_000_000;
const MILLION: i128 = 1_000_000;

/// A node's clocks: both run at a rate of their own, and the wall clock is off.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clock {
    /// How far the wall clock is off, in milliseconds.
    pub offset_ms: i64,
    /// How much faster than true time both run, in millionths.
    pub drift_ppm: i64,
}

impl Clock {
    /// What the node reads at the true moment `now`.
    pub(crate) fn read(&self, now: Monotonic) -> Timestamp {
        let local = i128::from(now.0) * (MILLION + i128::from(self.drift_ppm)) / MILLION;
        let wall_ms = WALL_START_MS + local / 1000 + i128::from(self.offset_ms);
        Timestamp { monotonic: Monotonic(clamp(local)), wall_ms: clamp(wall_ms) }
    }

    /// The first true moment at which the node reads `local` or later.
    pub(crate) fn when(&self, local: Monotonic) -> Monotonic {
        let rate = (MILLION + i128::from(self.drift_ppm)).max(1);
        let mut now = Monotonic(clamp(i128::from(local.0) * MILLION / rate));
        while self.read(now).monotonic < local {
            now = now + Duration::from_micros(1);
        }
        now
    }

    /// The wall clock is set.
    pub(crate) fn jump(&mut self, by_ms: i64) {
        self.offset_ms = self.offset_ms.saturating_add(by_ms);
    }
}

fn clamp(value: i128) -> u64 {
    u64::try_from(value.max(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_due_at_the_first_moment_that_reads_so() {
        for drift_ppm in [-90_000, -137, 0, 1, 250, 90_000] {
            let clock = Clock { offset_ms: -5, drift_ppm };
            for local in [0, 1, 999, 1_000_003, 86_400_000_001] {
                let now = clock.when(Monotonic(local));
                assert!(clock.read(now).monotonic >= Monotonic(local));
                if now.0 > 0 {
                    assert!(
                        clock.read(Monotonic(now.0 - 1)).monotonic < Monotonic(local),
                        "{drift_ppm} {local}"
                    );
                }
            }
        }
    }
}
