//! The only place where a native node asks what time it is.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use meshwork_base::{Monotonic, Timestamp};

/// The host's two clocks, read together.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// The clocks of this machine. Machines that talk to each other inside one process share one.
    pub fn system() -> Self {
        Self { start: Instant::now() }
    }

    /// Both readings.
    pub fn now(&self) -> Timestamp {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp {
            // Begins at one second, so that "one second ago" is a moment too.
            monotonic: Monotonic(
                1_000_000 + u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX),
            ),
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
        }
    }
}
