//! Who is here is shown in the end, as what it is, and who is gone or never was is not; a tab that said that it is away is not given up within its
//! allowance.

use std::time::Duration;

use meshwork::{Effect, Event, Mesh, SessionId};
use meshwork_presence::Member;

use super::{Invariant, Scene, Settled, Verdict};
use crate::node::{Life, Node};

/// After so long without a sign somebody is gone (the default), with the time that news takes.
const STALE: Duration = Duration::from_secs(15 + 10);
/// The same for somebody who said that it is away. It may have been heard of, through others, a little later.
const AWAY_STALE: Duration = Duration::from_secs(600 + 30);
/// A frozen tab may be given up after this.
const ALLOWANCE: Duration = Duration::from_secs(590);
/// Nothing has kept anybody from hearing of anybody for so long: links are up again, whatever happened before.
const QUIET: Duration = Duration::from_secs(90);

/// Presence tells the truth, eventually.
pub(crate) struct Presence;

impl Presence {
    fn may_be_shown(life: &Life, scene: &Scene<'_>) -> bool {
        let allowance = if life.was_away { AWAY_STALE } else { STALE };
        life.ended.is_none_or(|ended| scene.now.since(ended) < allowance)
    }

    /// What `node` should still come to show, or to show no longer.
    fn missing(scene: &Scene<'_>, node: usize, mesh: &Mesh) -> Option<String> {
        let shown = mesh.machines().presence.as_ref()?.members();
        let shows = |session: &SessionId| shown.iter().any(|member| member.session == *session);
        for (other, state) in scene.correct().iter().enumerate().filter(|(other, _)| *other != node) {
            if state.session().is_some_and(|session| !shows(&session)) {
                return Some(format!("node {node} does not show node {other}"));
            }
            let own = state.mesh.as_ref().and_then(|mesh| Some(mesh.machines().presence.as_ref()?.own()));
            let shown = shown.iter().find(|member| Some(member.session) == state.session());
            if own.zip(shown).is_some_and(|(own, shown)| !Self::looks_like(&own, shown)) {
                return Some(format!("node {node} shows node {other} as something that it is not"));
            }
            let mut gone = state.lives.iter().filter(|life| life.ended.is_some() && shows(&life.session));
            if gone.any(|life| !life.was_away || !Self::may_be_shown(life, scene)) {
                return Some(format!("node {node} still shows an earlier life of node {other}"));
            }
        }
        let nobody = |member: &&Member| !scene.nodes.iter().any(|node| node.has_been(&member.session));
        if let Some(member) = shown.iter().filter(|_| !scene.plan.hostile.is_empty()).find(nobody) {
            return Some(format!("node {node} shows session {}, which nobody is", member.session));
        }
        None
    }

    fn looks_like(own: &Member, shown: &Member) -> bool {
        (own.node, &own.name, &own.status, own.away) == (shown.node, &shown.name, &shown.status, shown.away)
    }

    fn left(scene: &Scene<'_>, Member { session, linked, .. }: &Member, gracefully: bool) -> Verdict {
        // Of those with whom we have no link, we believe what others say.
        if !linked && scene.ledger.slandered.contains(session) {
            return Ok(());
        }
        let Some((node, state)) = scene.correct().iter().enumerate().find(|(_, node)| node.has_been(session))
        else {
            return Ok(());
        };
        if state.session() != Some(*session) || state.closing {
            return Ok(());
        }
        if gracefully {
            return Err(format!("node {node} is said to have left, and has not"));
        }
        let long_here =
            |node: &Node| node.lives.last().is_some_and(|life| scene.now.since(life.began) > QUIET);
        let within_allowance = state.away_since.is_none_or(|since| scene.now.since(since) < ALLOWANCE);
        if scene.now.since(scene.quiet_since) > QUIET
            && scene.correct().iter().all(long_here)
            && within_allowance
        {
            return Err(format!("node {node} is given up, and it is here"));
        }
        Ok(())
    }
}

impl Invariant for Presence {
    fn name(&self) -> &'static str {
        "presence"
    }

    fn effect(&mut self, scene: &Scene<'_>, _: usize, _: &Mesh, effect: &Effect) -> Verdict {
        match effect {
            Effect::Event(Event::PeerLeft { member, gracefully }) => Self::left(scene, member, *gracefully),
            _ => Ok(()),
        }
    }

    fn settled(&mut self, scene: &Scene<'_>) -> Result<Settled, String> {
        let up = scene.correct().iter().enumerate();
        let mut missing = up.filter_map(|(node, state)| Self::missing(scene, node, state.mesh.as_ref()?));
        Ok(missing.next().map_or(Settled::Yes, Settled::NotYet))
    }
}
