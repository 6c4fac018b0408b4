//! No machine asks again and again to be woken in the past or at the present moment, and none is woken for nothing.

use std::time::Duration;

use meshwork::{Mesh, Monotonic};

use super::{Invariant, Scene, Step, Verdict};

/// Wake-ups of one node that are certainly too many: at one moment, and without any effect in [`WINDOW`].
const WAKES_MAX: u32 = 1_000;
const WINDOW: Duration = Duration::from_secs(1);

/// What a node did lately.
#[derive(Clone, Copy, Default)]
struct Lately {
    at: Monotonic,
    /// Demands to be woken at this moment or before.
    overdue: u32,
    window: Monotonic,
    /// Wake-ups in this window that led to nothing.
    idle: u32,
}

/// Counts each node's wake-ups.
pub(crate) struct Progress(Vec<Lately>);

impl Progress {
    pub(crate) fn new(nodes: usize) -> Self {
        Self(vec![Lately::default(); nodes])
    }
}

impl Invariant for Progress {
    fn name(&self) -> &'static str {
        "progress"
    }

    fn stepped(&mut self, _: &Scene<'_>, node: usize, _: &Mesh, step: Step) -> Verdict {
        let lately = &mut self.0[node];
        if step.at != lately.at {
            (lately.at, lately.overdue) = (step.at, 0);
        }
        if step.at.since(lately.window) > WINDOW {
            (lately.window, lately.idle) = (step.at, 0);
        }
        // What a node is told does not have to wait until it was woken.
        lately.overdue +=
            u32::from(step.woken && step.deadline.is_some_and(|deadline| deadline.at <= step.at));
        lately.idle += u32::from(step.woken && step.effects == 0);
        let why = step.deadline.map_or("nothing", |deadline| deadline.why);
        if lately.overdue > WAKES_MAX {
            return Err(format!("it does not come to rest: {why}"));
        }
        if lately.idle > WAKES_MAX {
            return Err(format!("it was woken {WAKES_MAX} times in a second for nothing: {why}"));
        }
        Ok(())
    }
}
