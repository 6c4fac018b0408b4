//! No operation is visible before what it depends on, none twice, and none out of its replica's order.

use std::collections::BTreeMap;

use meshwork::{Dot, Effect, Event, Mesh, OpLog, ReplicaId};

use super::{Invariant, Scene, Start, Step, Verdict};

/// What the present life of each node has shown.
pub(crate) struct Causality(Vec<Shown>);

#[derive(Clone, Default)]
struct Shown {
    visible: BTreeMap<ReplicaId, u64>,
    /// What becomes visible in the present step, whatever the order of its events: each names one document.
    now: Vec<Dot>,
}

impl Causality {
    pub(crate) fn new(nodes: usize) -> Self {
        Self(vec![Shown::default(); nodes])
    }
}

impl Invariant for Causality {
    fn name(&self) -> &'static str {
        "causality"
    }

    fn started(&mut self, _: &Scene<'_>, node: usize, _: &Start) -> Verdict {
        self.0[node] = Shown::default();
        Ok(())
    }

    fn effect(&mut self, _: &Scene<'_>, node: usize, _: &Mesh, effect: &Effect) -> Verdict {
        let shown = &mut self.0[node];
        match effect {
            Effect::Event(Event::OperationReceived { dots, .. }) => shown.now.extend(dots),
            Effect::Edited { result: Ok(dot), .. } => shown.authored(*dot),
            Effect::EditedMany { results, .. } => {
                results.iter().flatten().for_each(|dot| shown.authored(*dot));
            }
            // Documents are rebuilt from here on: what was shown is shown again.
            Effect::Event(Event::ReplicaRetired { .. }) => shown.visible.clear(),
            _ => {}
        }
        Ok(())
    }

    fn stepped(&mut self, scene: &Scene<'_>, node: usize, mesh: &Mesh, _: Step) -> Verdict {
        self.0[node].settle(scene, &mesh.machines().op_log)
    }
}

impl Shown {
    /// A local operation is visible from the start.
    fn authored(&mut self, dot: Dot) {
        let seen = self.visible.entry(dot.replica).or_default();
        *seen = dot.sequence.max(*seen);
    }

    fn settle(&mut self, scene: &Scene<'_>, log: &OpLog) -> Verdict {
        self.now.sort_unstable();
        for dot in &self.now {
            let seen = self.visible.entry(dot.replica).or_default();
            if dot.sequence != *seen + 1 {
                return Err(format!("{dot:?} is visible after {seen} operations of its replica"));
            }
            *seen = dot.sequence;
        }
        for dot in std::mem::take(&mut self.now) {
            let operation =
                log.operation(dot).ok_or_else(|| format!("{dot:?} is visible and not in the log"))?;
            // Nobody waits for ever for what an author wrote who contradicts itself.
            let honest = |dependency: &Dot| !scene.ledger.is_branched(&dependency.replica);
            for dependency in operation.dependencies.into_iter().filter(honest) {
                if self.visible.get(&dependency.replica).is_none_or(|seen| *seen < dependency.sequence) {
                    return Err(format!("{dot:?} is visible before {dependency:?}, on which it depends"));
                }
            }
        }
        Ok(())
    }
}
