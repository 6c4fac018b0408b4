//! No machine asks to be woken in the past, or again and again at one moment.

use meshwork::{Deadline, Monotonic};

/// Wake-ups of one node at one moment that are certainly too many.
const WAKES_MAX: u32 = 1_000;

/// Counts a node's wake-ups.
#[derive(Default)]
pub struct Progress {
    at: Monotonic,
    wakes: u32,
}

impl Progress {
    /// A machine was driven at `now` and wants to be woken at `deadline`; says what is wrong with that.
    pub fn asked(&mut self, now: Monotonic, deadline: Option<Deadline>) -> Result<(), String> {
        if now != self.at {
            *self = Self { at: now, wakes: 0 };
        }
        if let Some(deadline) = deadline.filter(|deadline| deadline.at <= now) {
            self.wakes += 1;
            if self.wakes > WAKES_MAX {
                return Err(format!("it does not come to rest: {}", deadline.why));
            }
        }
        Ok(())
    }
}
