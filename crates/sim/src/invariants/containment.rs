//! Whoever provably misbehaves is cut off, and what it forged is nowhere; its clock moves nobody else's.

use std::{collections::BTreeMap, time::Duration};

use meshwork::{Dot, Effect, Event, Mesh, Monotonic};

use super::{Invariant, Scene, Start, Step, Verdict};
use crate::hostile::{Attack, Charge};

/// A node that is cut off is ignored for so long (the default, less what clocks drift), and so long each of its
/// misdeeds is remembered.
const BAN: Duration = Duration::from_secs(59);
/// It may misbehave less often than this.
const STRIKES: u32 = 3;
/// Correct clocks differ less.
const DAY_MS: u64 = 86_400_000;

/// Misbehaviour has consequences.
pub(crate) struct Containment {
    nodes: Vec<Judge>,
    /// The latest wall clock of any correct node.
    latest_ms: u64,
}

/// What the present life of a node holds against others.
#[derive(Default)]
struct Judge {
    /// Who is to be charged in the next step.
    owed: Option<(usize, Charge)>,
    /// Who says in the next step that it is somebody else.
    impostor: Option<usize>,
    strikes: BTreeMap<usize, (u32, Monotonic)>,
    banned: BTreeMap<usize, Monotonic>,
    /// What became visible in this step.
    now: Vec<Dot>,
}

impl Containment {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { nodes: (0..nodes).map(|_| Judge::default()).collect(), latest_ms: 0 }
    }

    fn check_times(&mut self, scene: &Scene<'_>, node: usize, mesh: &Mesh) -> Verdict {
        for dot in std::mem::take(&mut self.nodes[node].now) {
            let Some(operation) = mesh.machines().op_log.operation(dot) else { continue };
            let correct = scene.correct().iter().any(|node| node.id() == operation.author);
            if correct && operation.time.wall_ms > self.latest_ms + DAY_MS {
                return Err(format!("{dot:?} of a correct author is from the future: {:?}", operation.time));
            }
        }
        Ok(())
    }
}

impl Judge {
    fn hear(&mut self, now: Monotonic, by: usize, cut: bool) -> Verdict {
        if self.owed.is_some_and(|(owed, charge)| owed == by && (cut || charge == Charge::Counted)) {
            self.owed = None;
        }
        if cut {
            self.strikes.remove(&by);
            self.banned.insert(by, now);
            return Ok(());
        }
        let (strikes, last) = self.strikes.get(&by).copied().unwrap_or_default();
        let strikes = if now.since(last) < BAN { strikes + 1 } else { 1 };
        self.strikes.insert(by, (strikes, now));
        if strikes >= STRIKES {
            return Err(format!("node {by} has misbehaved {strikes} times and is not cut off"));
        }
        Ok(())
    }
}

impl Invariant for Containment {
    fn name(&self) -> &'static str {
        "containment"
    }

    fn started(&mut self, _: &Scene<'_>, node: usize, _: &Start) -> Verdict {
        self.nodes[node] = Judge::default();
        Ok(())
    }

    fn wronged(&mut self, scene: &Scene<'_>, node: usize, by: usize, charge: Charge) -> Verdict {
        match charge {
            Charge::Imposture => self.nodes[node].impostor = Some(by),
            // Who is about to go listens to nobody.
            _ if scene.nodes[node].closing => {}
            charge => self.nodes[node].owed = Some((by, charge)),
        }
        Ok(())
    }

    fn effect(&mut self, scene: &Scene<'_>, node: usize, _: &Mesh, effect: &Effect) -> Verdict {
        let Effect::Event(event) = effect else { return Ok(()) };
        let judge = &mut self.nodes[node];
        match event {
            Event::Misbehaved { peer, cut, .. } => match scene.hostile(|node| node.has_been(peer)) {
                Some(by) => judge.hear(scene.now, by, *cut),
                None => Ok(()),
            },
            Event::LinkUp { peer } => {
                let by = scene.hostile(|node| node.has_been(&peer.session));
                if by.is_some() && by == judge.impostor {
                    return Err(format!(
                        "it is linked with session {}, which has proved nothing",
                        peer.session
                    ));
                }
                let by = scene.hostile(|node| node.id() == peer.node);
                match by.filter(|by| judge.banned.get(by).is_some_and(|at| scene.now.since(*at) < BAN)) {
                    Some(by) => Err(format!("node {by} was cut off, and is linked again at once")),
                    None => Ok(()),
                }
            }
            Event::OperationReceived { dots, .. } if scene.ledger.frames.contains_key(&Attack::Future) => {
                judge.now.extend(dots);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn stepped(&mut self, scene: &Scene<'_>, node: usize, mesh: &Mesh, _: Step) -> Verdict {
        if scene.plan.hostile.is_empty() {
            return Ok(());
        }
        self.nodes[node].impostor = None;
        if let Some((by, charge)) = self.nodes[node].owed.take() {
            return Err(format!("it does not hold against node {by} what that sent: {charge:?}"));
        }
        self.latest_ms = self.latest_ms.max(scene.nodes[node].clock.read(scene.now).wall_ms);
        self.check_times(scene, node, mesh)
    }

    fn looked(&mut self, scene: &Scene<'_>) -> Verdict {
        for (dot, hashes) in &scene.ledger.forged {
            for (node, state) in scene.correct().iter().enumerate() {
                let held = state.mesh.as_ref().and_then(|mesh| mesh.machines().op_log.operation(*dot));
                if held.is_some_and(|operation| hashes.contains(&operation.hash)) {
                    return Err(format!("node {node} holds {dot:?} as it was forged"));
                }
            }
        }
        Ok(())
    }
}
