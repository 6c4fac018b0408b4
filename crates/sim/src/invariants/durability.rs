//! What a node acknowledged as stored, it still holds after any crash; what was confirmed, all nodes hold in the end.

use std::collections::BTreeMap;

use meshwork::{Dot, ReplicaId, Version};

/// Promises that were made.
#[derive(Default)]
pub struct Durability {
    /// By node: what it said is stored.
    stored: BTreeMap<usize, Version>,
    confirmed: BTreeMap<ReplicaId, u64>,
}

impl Durability {
    /// A node said that it holds `version` durably.
    pub fn stored(&mut self, node: usize, version: Version) {
        self.stored.insert(node, version);
    }

    /// A node said that an operation is confirmed.
    pub fn confirmed(&mut self, up_to: Dot) {
        let confirmed = self.confirmed.entry(up_to.replica).or_default();
        *confirmed = up_to.sequence.max(*confirmed);
    }

    /// A node has restarted with what its disk kept.
    pub fn restarted(&self, node: usize, found: &Version) -> Result<(), String> {
        match self.stored.get(&node) {
            Some(promised) if !found.covers(promised) => Err(format!(
                "it acknowledged {} operations and found {}",
                promised.operations(),
                found.operations()
            )),
            _ => Ok(()),
        }
    }

    /// The run is over, and a node holds `version`.
    pub fn settled(&self, version: &Version) -> Result<(), String> {
        for (replica, sequence) in &self.confirmed {
            if version.sequence(replica) < *sequence {
                return Err(format!("{:?} was confirmed and is missing", Dot::new(*replica, *sequence)));
            }
        }
        Ok(())
    }
}
