//! Nodes that hold the same operations are in the same state, and once faults end, all come to hold the same.

use std::collections::BTreeMap;

use meshwork::{Hash, ReplicaId, Tip, Version};

use super::{Invariant, Scene, Settled, Verdict};

/// The states seen at each set of operations.
#[derive(Default)]
pub(crate) struct Convergence {
    states: BTreeMap<Hash, Hash>,
}

impl Convergence {
    fn holds(&mut self, version: &Version, state: Hash) -> Verdict {
        let known = *self.states.entry(version.digest()).or_insert(state);
        if known == state {
            Ok(())
        } else {
            Err("two nodes hold the same operations and show different states".into())
        }
    }
}

impl Invariant for Convergence {
    fn name(&self) -> &'static str {
        "convergence"
    }

    fn looked(&mut self, scene: &Scene<'_>) -> Verdict {
        for mesh in scene.correct().iter().filter_map(|node| node.mesh.as_ref()) {
            let (log, documents) = (&mesh.machines().op_log, &mesh.machines().documents);
            let own = log.incarnation();
            // An edit is visible before it is signed, which is when the log counts it.
            if log.version().sequence(&own.replica) + 1 == own.next_sequence {
                self.holds(log.version(), documents.state_hash())?;
            }
        }
        Ok(())
    }

    fn settled(&mut self, scene: &Scene<'_>) -> Result<Settled, String> {
        let mut versions: Vec<Vec<(&ReplicaId, &Tip)>> = Vec::new();
        for (node, state) in scene.correct().iter().enumerate() {
            match &state.mesh {
                // Of an author who contradicts itself, each keeps what it was told first.
                Some(mesh) => {
                    let tips = mesh.machines().op_log.version().iter();
                    versions.push(tips.filter(|(replica, _)| !scene.ledger.is_branched(replica)).collect());
                }
                None => return Ok(Settled::NotYet(format!("node {node} is down"))),
            }
        }
        let differs = versions.windows(2).position(|pair| pair[0] != pair[1]);
        Ok(match differs {
            None => Settled::Yes,
            Some(node) => Settled::NotYet(format!("nodes {node} and {} hold different operations", node + 1)),
        })
    }
}
