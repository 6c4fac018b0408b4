//! No correct author writes two operations under one id; where a hostile one does, and both have come to correct nodes,
//! all of these show it in the end.

use std::collections::{BTreeMap, BTreeSet};

use meshwork::{Dot, Effect, Event, Hash, Mesh, ReplicaId, Version};

use super::{Invariant, Scene, Settled, Start, Step, Verdict};

/// What was seen under each id.
pub(crate) struct Equivocation {
    seen: BTreeMap<Dot, Hash>,
    /// By node: the replicas whose authors it knows to contradict themselves.
    shown: Vec<BTreeSet<ReplicaId>>,
    /// The replicas of which operations became visible in this step. (What an author has just written is not among
    /// them: until it is sent or stored, its id may be given again.)
    changed: BTreeSet<ReplicaId>,
}

impl Equivocation {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { seen: BTreeMap::new(), shown: vec![BTreeSet::new(); nodes], changed: BTreeSet::new() }
    }

    fn see(&mut self, scene: &Scene<'_>, replica: ReplicaId, version: &Version) -> Verdict {
        if let Some(tip) = version.tip(&replica).filter(|_| !scene.ledger.is_branched(&replica)) {
            let dot = Dot::new(replica, tip.sequence);
            if *self.seen.entry(dot).or_insert(tip.hash) != tip.hash {
                return Err(format!("two operations have the id {dot:?}"));
            }
        }
        Ok(())
    }
}

impl Invariant for Equivocation {
    fn name(&self) -> &'static str {
        "equivocation"
    }

    fn started(&mut self, scene: &Scene<'_>, node: usize, _: &Start) -> Verdict {
        self.shown[node] = scene.nodes[node].disk.proofs().collect();
        Ok(())
    }

    fn effect(&mut self, _: &Scene<'_>, node: usize, _: &Mesh, effect: &Effect) -> Verdict {
        match effect {
            Effect::Event(Event::Equivocation { dot, .. }) => {
                self.shown[node].insert(dot.replica);
            }
            Effect::Event(Event::OperationReceived { dots, .. }) => {
                self.changed.extend(dots.iter().map(|dot| dot.replica));
            }
            _ => {}
        }
        Ok(())
    }

    fn stepped(&mut self, scene: &Scene<'_>, _: usize, mesh: &Mesh, _: Step) -> Verdict {
        let version = mesh.machines().op_log.version();
        std::mem::take(&mut self.changed)
            .into_iter()
            .try_for_each(|replica| self.see(scene, replica, version))
    }

    fn settled(&mut self, scene: &Scene<'_>) -> Result<Settled, String> {
        let logs = || scene.correct().iter().filter_map(|node| Some(&node.mesh.as_ref()?.machines().op_log));
        for (replica, dot) in &scene.ledger.branched {
            let held: BTreeSet<Hash> =
                logs().filter_map(|log| log.operation(*dot)).map(|operation| operation.hash).collect();
            let shows = |node: &usize| self.shown[*node].contains(replica);
            let correct = 0..scene.plan.nodes;
            if held.len() < 2 && !correct.clone().any(|node| shows(&node)) {
                continue;
            }
            if let Some(node) = correct.clone().find(|node| !shows(node)) {
                return Ok(Settled::NotYet(format!("node {node} does not show the two operations {dot:?}")));
            }
        }
        Ok(Settled::Yes)
    }
}
