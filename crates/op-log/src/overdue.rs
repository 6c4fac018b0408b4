//! Operations that wait for what nobody has.
//!
//! Most waits end by themselves: what is missing is on its way. One that lasts while no linked peer says to have that
//! ends only when somebody comes who does; people should know.

use std::collections::BTreeMap;

use meshwork_base::{Deadline, Dot, Monotonic, Timestamp};

use crate::{Event, OpLog};

/// How many of the dots that are waited for are named.
const DOTS_TOLD_MAX: usize = 8;

/// What is waited for, as of the last look.
#[derive(Default)]
pub(crate) struct Overdue {
    /// Whether it was told. As many as replicas wait.
    noted: BTreeMap<Dot, bool>,
    /// The next look; none while nothing waits.
    due: Option<Monotonic>,
}

impl Overdue {
    pub(crate) fn due(&self) -> Option<Deadline> {
        self.due.map(|at| Deadline { at, why: "see which operations still wait" })
    }

    /// Whether `dot` was missing at the last two looks, and nobody offers it.
    pub(crate) fn is_told(&self, dot: Dot) -> bool {
        self.noted.get(&dot) == Some(&true)
    }
}

impl OpLog {
    /// Begins to look once something waits.
    pub(crate) fn notice_waits(&mut self, now: Timestamp) {
        self.sever(now);
        if self.overdue.due.is_none() && self.history.buffer.missing().next().is_some() {
            self.look_at_waits(now);
        }
    }

    /// Tells of waits that were there at the look before, if nobody can end them.
    pub(crate) fn look_at_waits(&mut self, now: Timestamp) {
        let missing = self.missing();
        let before = std::mem::take(&mut self.overdue.noted);
        let mut news = false;
        for dot in missing {
            let overdue = before.get(&dot).is_some_and(|told| *told || !self.is_offered(dot));
            news |= overdue && before.get(&dot) == Some(&false);
            self.overdue.noted.insert(dot, overdue);
        }
        let waits = !self.overdue.noted.is_empty();
        self.overdue.due = waits.then(|| now.monotonic + self.config.waiting_told());
        self.lose_patience();
        self.sever(now);
        let dots = self.missing().into_iter().filter(|dot| self.overdue.is_told(*dot)).take(DOTS_TOLD_MAX);
        let dots: Vec<Dot> = dots.collect();
        if news && !dots.is_empty() {
            let operations = self.waiting();
            tracing::warn!(operations, ?dots, "operations wait for others that no linked peer has");
            self.emit(Event::Waiting { operations, dots });
        }
    }

    /// What is waited for, in order.
    fn missing(&self) -> Vec<Dot> {
        let mut missing: Vec<Dot> = self.history.buffer.missing().collect();
        missing.dedup();
        missing
    }

    /// Whether a linked peer says to have it, and did not fail to send it.
    fn is_offered(&self, dot: Dot) -> bool {
        self.links.values().any(|link| {
            let has = link.remote.get(&dot.replica).is_some_and(|tip| tip.sequence >= dot.sequence);
            has && !link.failed.contains(&dot.replica)
        })
    }
}
