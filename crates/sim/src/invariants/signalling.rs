//! In the end every correct node is in its room again, whatever became of the hub, so that newcomers find it.

use super::{Invariant, Scene, Settled};

/// See the module.
pub(crate) struct Signalling;

impl Invariant for Signalling {
    fn name(&self) -> &'static str {
        "signalling"
    }

    fn settled(&mut self, scene: &Scene<'_>) -> Result<Settled, String> {
        let outside = scene.correct().iter().position(|node| {
            let discovery = node.mesh.as_ref().and_then(|mesh| mesh.machines().discovery.as_ref());
            discovery.is_some_and(|discovery| discovery.hubs().any(|hub| !hub.joined))
        });
        Ok(match outside {
            Some(node) => Settled::NotYet(format!("node {node} is not in its room")),
            None => Settled::Yes,
        })
    }
}
