//! Every buffer keeps its bound, at every event, whatever comes.

use meshwork::{Fill, Mesh};

use super::{Invariant, Scene, Step, Verdict};
use crate::node::{BUFFERED_BLOCKS_MAX, MEMBERS_MAX};

/// In a mesh of so many, buffers are looked at after every step; in larger ones, after every so many steps.
const EVERY: [usize; 2] = [16, 128];

/// See the module.
#[derive(Default)]
pub(crate) struct Bounds {
    steps: usize,
}

impl Invariant for Bounds {
    fn name(&self) -> &'static str {
        "bounds"
    }

    fn stepped(&mut self, scene: &Scene<'_>, _node: usize, mesh: &Mesh, _step: Step) -> Verdict {
        self.steps += 1;
        let [few, every] = EVERY;
        if scene.nodes.len() > few && !self.steps.is_multiple_of(every) {
            return Ok(());
        }
        let machines = mesh.machines();
        let log = machines.op_log.fills();
        let presence = machines.presence.as_ref().map(|presence| presence.fills());
        let consensus = machines.consensus.as_ref().map(|consensus| consensus.fills());
        let links = machines.transport.fills();
        let others =
            links.into_iter().chain(presence.into_iter().flatten()).chain(consensus.into_iter().flatten());
        log.into_iter().chain(others).try_for_each(within)
    }
}

fn within(fill: Fill) -> Verdict {
    // What a node believes its bound to be may be the bug.
    let bound = match fill.buffer {
        "buffered_blocks_max" => BUFFERED_BLOCKS_MAX,
        "members_max" => MEMBERS_MAX,
        _ => fill.bound,
    };
    if fill.held > bound {
        return Err(format!("{} is {bound}, but {} are held", fill.buffer, fill.held));
    }
    Ok(())
}
