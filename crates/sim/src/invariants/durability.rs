//! What a node acknowledged as stored, it holds after any crash; what was confirmed, all hold in the end; and when it
//! was confirmed, as many nodes as the policy wants had stored it.

use std::collections::BTreeMap;

use meshwork::{Dot, Effect, Event, Mesh, ReplicaId, Version};

use super::{Invariant, Scene, Settled, Start, Step, Verdict};

/// The default policy's count.
const POLICY: usize = 2;

/// Promises that were made.
pub(crate) struct Durability {
    /// By node: what it said is stored. What a disk lost that had said the same is taken out again.
    stored: Vec<Version>,
    /// By node: all that it ever said is stored.
    ever_stored: Vec<BTreeMap<ReplicaId, u64>>,
    confirmed: BTreeMap<ReplicaId, u64>,
    /// Confirmed in the present step; in it, the node may have stored more than it has told so far.
    now: Vec<Dot>,
}

impl Durability {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            stored: vec![Version::default(); nodes],
            ever_stored: vec![BTreeMap::new(); nodes],
            confirmed: BTreeMap::new(),
            now: Vec::new(),
        }
    }

    fn stored(&mut self, node: usize, version: &Version) {
        for (replica, tip) in version.iter() {
            let ever = self.ever_stored[node].entry(*replica).or_default();
            *ever = tip.sequence.max(*ever);
        }
        self.stored[node] = version.clone();
    }

    fn confirmed(&mut self, up_to: Dot, hostile: usize) -> Verdict {
        let holds =
            |held: &&BTreeMap<ReplicaId, u64>| held.get(&up_to.replica).is_some_and(|n| *n >= up_to.sequence);
        let holders = self.ever_stored.iter().filter(holds).count();
        // A hostile node may say that it holds what it does not: it counts, and nothing can be done about it.
        if holders + hostile < POLICY {
            return Err(format!("{up_to:?} is confirmed, and {holders} nodes have stored it"));
        }
        let confirmed = self.confirmed.entry(up_to.replica).or_default();
        *confirmed = up_to.sequence.max(*confirmed);
        Ok(())
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
            Effect::Stored { version } => self.stored(node, version),
            Effect::Event(Event::Confirmed { up_to, .. }) => self.now.push(*up_to),
            _ => {}
        }
        Ok(())
    }

    fn stepped(&mut self, scene: &Scene<'_>, _: usize, _: &Mesh, _: Step) -> Verdict {
        let hostile = scene.plan.hostile.len();
        std::mem::take(&mut self.now).into_iter().try_for_each(|up_to| self.confirmed(up_to, hostile))
    }

    /// Confirmed operations that a disk still holds which did not fail are everywhere.
    fn settled(&mut self, scene: &Scene<'_>) -> Result<Settled, String> {
        for (replica, sequence) in &self.confirmed {
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
