//! Correct nodes that reach each other are linked in the end; and while nothing else goes wrong, whatever hostile ones do,
//! they are not without their link for long.

use std::{collections::BTreeMap, time::Duration};

use meshwork::Monotonic;
use meshwork_transport::LinkState;

use super::{Invariant, Scene, Settled, Verdict};
use crate::node::Node;

/// Without a fault, a link is up again after this at the latest.
const LONG: Duration = Duration::from_secs(120);
/// In larger rooms not everybody is linked with everybody.
const ALL_LINKED_MAX: usize = 32;

/// Since when pairs of correct nodes have had no link.
#[derive(Default)]
pub(crate) struct Links(BTreeMap<(usize, usize), Monotonic>);

fn is_linked(node: &Node, with: &Node) -> bool {
    let links = node.mesh.as_ref().map(|mesh| mesh.machines().transport.links()).unwrap_or_default();
    links.iter().any(|link| link.state == LinkState::Up && Some(link.session) == with.session())
}

/// The pairs of correct nodes that are up and could be linked, and are not.
fn apart(scene: &Scene<'_>) -> Vec<(usize, usize)> {
    let nodes = scene.correct();
    if nodes.len() > ALL_LINKED_MAX {
        return Vec::new();
    }
    let pairs = (0..nodes.len()).flat_map(|a| (a + 1..nodes.len()).map(move |b| (a, b)));
    let could = pairs.filter(|pair| !scene.plan.unlinkable.contains(pair));
    could
        .filter(|(a, b)| nodes[*a].is_usable() && nodes[*b].is_usable())
        .filter(|(a, b)| !is_linked(&nodes[*a], &nodes[*b]) || !is_linked(&nodes[*b], &nodes[*a]))
        .collect()
}

impl Invariant for Links {
    fn name(&self) -> &'static str {
        "links"
    }

    fn looked(&mut self, scene: &Scene<'_>) -> Verdict {
        let apart = apart(scene);
        self.0.retain(|pair, _| apart.contains(pair));
        for pair in apart {
            let since = *self.0.entry(pair).or_insert(scene.now);
            if scene.now.since(since.max(scene.calm_since)) > LONG {
                return Err(format!("nodes {} and {} have had no link for {LONG:?}", pair.0, pair.1));
            }
        }
        Ok(())
    }

    fn settled(&mut self, scene: &Scene<'_>) -> Result<Settled, String> {
        Ok(match apart(scene).first() {
            Some((a, b)) => Settled::NotYet(format!("nodes {a} and {b} are not linked")),
            None => Settled::Yes,
        })
    }
}
