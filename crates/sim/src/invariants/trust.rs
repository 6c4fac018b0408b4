//! Correct peers are never accused, and everybody at the other end of a link is who it is believed to be.

use meshwork::{Effect, Event, Mesh};

use super::{Invariant, Scene, Verdict};

/// Nobody correct is said to misbehave.
pub(crate) struct Trust;

impl Invariant for Trust {
    fn name(&self) -> &'static str {
        "trust"
    }

    fn effect(&mut self, scene: &Scene<'_>, _: usize, _: &Mesh, effect: &Effect) -> Verdict {
        match effect {
            Effect::Event(Event::Misbehaved { peer, reason, .. })
                if scene.correct().iter().any(|node| node.has_been(peer)) =>
            {
                Err(format!("it accuses the correct peer {peer:?}: {reason}"))
            }
            Effect::Event(Event::Equivocation { dot, author })
                if scene.correct().iter().any(|node| node.id() == *author) =>
            {
                Err(format!("a correct author is said to have signed two operations {dot:?}"))
            }
            Effect::Event(Event::OperationInvalid { dot, author, reason })
                if scene.correct().iter().any(|node| node.id() == *author) =>
            {
                Err(format!("a correct author is said to have signed an invalid operation {dot:?}: {reason}"))
            }
            Effect::Event(Event::LinkUp { peer })
                if !scene.nodes.iter().any(|node| node.id() == peer.node && node.has_been(&peer.session)) =>
            {
                Err(format!("session {} of node {} is linked, and is somebody else", peer.session, peer.node))
            }
            Effect::Edited { result: Err(error), .. } => Err(format!("a valid edit was refused: {error}")),
            _ => Ok(()),
        }
    }
}
