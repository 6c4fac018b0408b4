//! What a node acknowledged as stored, it holds after any crash; what was confirmed, all hold in the end.

use std::collections::BTreeMap;

use meshwork::{Dot, Effect, Event, Mesh, ReplicaId, Version};

use super::{Invariant, Scene, Settled, Start, Verdict};

/// Promises that were made.
pub(crate) struct Durability {
    /// By node: what it said is stored. What a disk lost that had said the same is taken out again.
    stored: Vec<Version>,
    confirmed: BTreeMap<ReplicaId, u64>,
}

impl Durability {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { stored: vec![Version::default(); nodes], confirmed: BTreeMap::new() }
    }
}

impl Invariant for Durability {
    fn name(&self) -> &'static str {
        "durability"
    }

    fn started(&mut self, _: &Scene<'_>, node: usize, start: &Start) -> Verdict {
        let promised = &self.stored[node];
        if !start.disk_lost && !start.found.covers(promised) {
            let (promised, found) = (promised.operations(), start.found.operations());
            return Err(format!("it acknowledged {promised} operations and found {found}"));
        }
        self.stored[node] = start.found.clone();
        Ok(())
    }

    fn effect(&mut self, _: &Scene<'_>, node: usize, _: &Mesh, effect: &Effect) -> Verdict {
        match effect {
            Effect::Stored { version } => self.stored[node] = version.clone(),
            Effect::Event(Event::Confirmed { up_to, .. }) => {
                let confirmed = self.confirmed.entry(up_to.replica).or_default();
                *confirmed = up_to.sequence.max(*confirmed);
            }
            _ => {}
        }
        Ok(())
    }

    /// Confirmed operations that a disk still holds which did not fail are everywhere.
    fn settled(&mut self, scene: &Scene<'_>) -> Result<Settled, String> {
        let confirmed = self.confirmed.iter().filter(|(replica, _)| !scene.ledger.is_branched(replica));
        for (replica, sequence) in confirmed {
            let kept = self.stored.iter().map(|held| held.sequence(replica)).max().unwrap_or_default();
            let wanted = kept.min(*sequence);
            for mesh in scene.correct().iter().filter_map(|node| node.mesh.as_ref()) {
                if mesh.machines().op_log.version().sequence(replica) < wanted {
                    let dot = Dot::new(*replica, wanted);
                    return Ok(Settled::NotYet(format!("{dot:?} was confirmed and is missing somewhere")));
                }
            }
        }
        Ok(Settled::Yes)
    }
}
