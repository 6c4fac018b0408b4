//! How much memory nodes take.

use meshwork::Mesh;

use super::World;
use crate::invariants::Weight;

/// Calls what it is given, which frees memory, and returns how many bytes that gave back. Only an allocator that counts
/// can tell, and there is one in a program.
pub type Scale = fn(&mut dyn FnMut()) -> u64;

impl World {
    /// The same world, in which every correct node is weighed when it dies, and at the end of the run.
    #[must_use]
    pub fn with_scale(mut self, scale: Scale) -> Self {
        self.scale = Some(scale);
        self
    }

    /// Frees the machines of a node that is gone.
    pub(super) fn weigh(&mut self, node: usize, mesh: Box<Mesh>) {
        let Some(scale) = self.scale.filter(|_| node < self.plan.nodes) else { return };
        let operations = mesh.machines().op_log.operations();
        let mut mesh = Some(mesh);
        let weight = Weight { bytes: scale(&mut || mesh = None), operations };
        self.judge(Some(node), |invariant, scene| invariant.weighed(scene, node, &weight));
    }

    /// Weighs whoever is up.
    pub(super) fn weigh_all(&mut self) {
        if self.scale.is_some() {
            (0..self.plan.nodes).for_each(|node| self.stop(node));
        }
    }
}
