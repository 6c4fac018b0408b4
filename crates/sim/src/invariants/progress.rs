//! No machine asks to be woken in the past, or again and again at one moment.

use meshwork::{Mesh, Monotonic};

use super::{Invariant, Scene, Step, Verdict};

/// Wake-ups of one node at one moment that are certainly too many.
const WAKES_MAX: u32 = 1_000;

/// Counts each node's wake-ups at its present moment.
pub(crate) struct Progress(Vec<(Monotonic, u32)>);

impl Progress {
    pub(crate) fn new(nodes: usize) -> Self {
        Self(vec![(Monotonic::default(), 0); nodes])
    }
}

impl Invariant for Progress {
    fn name(&self) -> &'static str {
        "progress"
    }

    fn stepped(&mut self, _: &Scene<'_>, node: usize, _: &Mesh, step: Step) -> Verdict {
        let (at, wakes) = &mut self.0[node];
        if step.at != *at {
            (*at, *wakes) = (step.at, 0);
        }
        if let Some(deadline) = step.deadline.filter(|deadline| deadline.at <= step.at) {
            *wakes += 1;
            if *wakes > WAKES_MAX {
                return Err(format!("it does not come to rest: {}", deadline.why));
            }
        }
        Ok(())
    }
}
