//! Receipts never overstate: who is said to hold an operation has stored it, and what is confirmed, as many nodes as the
//! policy wants.

use std::collections::BTreeMap;

use meshwork::{Dot, Effect, Event, Mesh, NodeId, ReplicaId};

use super::{Invariant, Scene, Step, Verdict};

/// The default policy's count.
const POLICY: usize = 2;

/// What was ever said to be stored.
pub(crate) struct Receipts {
    /// By node.
    stored: Vec<BTreeMap<ReplicaId, u64>>,
    /// Confirmed in the present step; in it, the node may have stored more than it has told so far.
    now: Vec<Dot>,
}

impl Receipts {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { stored: vec![BTreeMap::new(); nodes], now: Vec::new() }
    }

    fn has_stored(&self, node: usize, dot: Dot) -> bool {
        self.stored[node].get(&dot.replica).is_some_and(|stored| *stored >= dot.sequence)
    }

    fn confirmed(&self, scene: &Scene<'_>, dot: Dot, said: &[NodeId]) -> Verdict {
        if said.len() < POLICY {
            return Err(format!("{dot:?} is confirmed, held by {} nodes", said.len()));
        }
        // What a hostile node says of itself has to be believed.
        let wrong = scene
            .correct()
            .iter()
            .enumerate()
            .find(|(node, state)| said.contains(&state.id()) && !self.has_stored(*node, dot));
        match wrong {
            None => Ok(()),
            Some((node, _)) => {
                Err(format!("{dot:?} is said to be held by node {node}, which has not stored it"))
            }
        }
    }
}

impl Invariant for Receipts {
    fn name(&self) -> &'static str {
        "receipts"
    }

    fn effect(&mut self, _: &Scene<'_>, node: usize, _: &Mesh, effect: &Effect) -> Verdict {
        match effect {
            Effect::Stored { version } => {
                for (replica, tip) in version.iter() {
                    let stored = self.stored[node].entry(*replica).or_default();
                    *stored = tip.sequence.max(*stored);
                }
            }
            Effect::Event(Event::Confirmed { up_to, .. }) => self.now.push(*up_to),
            _ => {}
        }
        Ok(())
    }

    fn stepped(&mut self, scene: &Scene<'_>, _: usize, mesh: &Mesh, _: Step) -> Verdict {
        let Some(consensus) = &mesh.machines().consensus else { return Ok(()) };
        // Of an author who contradicts itself, nodes that hold different things can have said the same, until they know.
        self.now.retain(|dot| !scene.ledger.is_branched(&dot.replica));
        for dot in std::mem::take(&mut self.now) {
            self.confirmed(scene, dot, &consensus.holders(dot))?;
        }
        Ok(())
    }
}
