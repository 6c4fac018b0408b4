//! No operation is visible before what it depends on.

use std::collections::BTreeMap;

use meshwork::{Dot, OpLog, ReplicaId};

/// What one life of one node has shown.
#[derive(Default)]
pub struct Causality {
    visible: BTreeMap<ReplicaId, u64>,
}

impl Causality {
    /// These operations became visible at one moment; says what is wrong with that.
    pub fn shown(&mut self, dots: &[Dot], log: &OpLog) -> Result<(), String> {
        let mut sorted = dots.to_vec();
        sorted.sort_unstable();
        for dot in sorted {
            let seen = self.visible.entry(dot.replica).or_default();
            if dot.sequence != *seen + 1 {
                return Err(format!("{dot:?} is visible after {seen} operations of its replica"));
            }
            *seen = dot.sequence;
        }
        for dot in dots {
            let operation =
                log.operation(*dot).ok_or_else(|| format!("{dot:?} is visible and not in the log"))?;
            for dependency in operation.dependencies {
                if self.visible.get(&dependency.replica).is_none_or(|seen| *seen < dependency.sequence) {
                    return Err(format!("{dot:?} is visible before {dependency:?}, on which it depends"));
                }
            }
        }
        Ok(())
    }

    /// A local operation is visible from the start.
    pub fn authored(&mut self, dot: Dot) {
        let seen = self.visible.entry(dot.replica).or_default();
        *seen = dot.sequence.max(*seen);
    }
}
