//! In the end whoever is linked with a correct node sees the values that this one shows, whatever the lossy channel lost,
//! brought twice or late; and no others.

use super::{Invariant, Scene, Settled};
use crate::node::Node;

/// See the module.
pub(crate) struct Ephemeral;

/// What `seen` shows that `by`, if linked with it, does not see.
fn missing(seen: &Node, by: &Node) -> Option<()> {
    let (shows, sees) = (seen.mesh.as_ref()?.machines(), by.mesh.as_ref()?.machines());
    let (own, others) = (shows.presence.as_ref()?, sees.presence.as_ref()?);
    let session = seen.session()?;
    let linked = others.member(&session)?.linked;
    (linked && own.values(&session) != others.values(&session)).then_some(())
}

impl Invariant for Ephemeral {
    fn name(&self) -> &'static str {
        "ephemeral"
    }

    fn settled(&mut self, scene: &Scene<'_>) -> Result<Settled, String> {
        for (node, seen) in scene.correct().iter().enumerate() {
            if let Some(by) = scene.correct().iter().position(|by| missing(seen, by).is_some()) {
                return Ok(Settled::NotYet(format!(
                    "node {by} does not see the values that node {node} shows"
                )));
            }
        }
        Ok(Settled::Yes)
    }
}
