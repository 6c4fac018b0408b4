//! Whatever is sent to a node, it takes no more memory than the operations that it holds account for.

use super::{Invariant, Scene, Verdict, Weight};

/// What links, members and all that is on its way may take beside the operations.
const BESIDES_BYTES: u64 = 2 * 1024 * 1024;
/// What an operation takes: its bytes, its place in the log, what it left in documents.
const OPERATION_BYTES: u64 = 1024;

/// See the module.
pub(crate) struct Memory;

impl Invariant for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn weighed(&mut self, _scene: &Scene<'_>, _node: usize, weight: &Weight) -> Verdict {
        let Weight { bytes, operations } = *weight;
        let bound = BESIDES_BYTES + operations * OPERATION_BYTES;
        if bytes > bound {
            return Err(format!("{bytes} bytes are taken with {operations} operations; {bound} would do"));
        }
        Ok(())
    }
}
