//! Nodes that hold the same operations are in the same state, and in the end all hold the same.

use std::collections::BTreeMap;

use meshwork::{Hash, Version};

/// The states seen at each set of operations.
#[derive(Default)]
pub struct Convergence {
    states: BTreeMap<Hash, Hash>,
}

impl Convergence {
    /// A node holds `version` and shows `state`; says what is wrong with that.
    pub fn holds(&mut self, version: &Version, state: Hash) -> Result<(), String> {
        let known = *self.states.entry(version.digest()).or_insert(state);
        if known == state {
            Ok(())
        } else {
            Err("two nodes hold the same operations and show different states".into())
        }
    }
}
