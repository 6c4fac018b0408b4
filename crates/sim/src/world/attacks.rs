//! Hostile nodes act.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use meshwork::{Bytes, Input, NodeId, Seed, SessionId, SpaceId};
use meshwork_discovery::Signal;
use meshwork_presence::Member;
use meshwork_transport::{ConnectionEvent, LinkState};
use meshwork_wire::Channel;

use super::{Event, World};
use crate::{
    Plan,
    hostile::{Adversary, Attack, Charge, Ledger, Prey, Shaken, Shot, View},
    network::End,
    node::Node,
    plant::Bug,
};

/// No further frames are put on a link while the last of them takes this long to arrive.
const BACKLOG: Duration = Duration::from_secs(1);

/// The hostile side of the world.
pub(super) struct Hostile {
    space: SpaceId,
    /// In the order of their nodes, which follow the correct ones.
    adversaries: Vec<Adversary>,
    pub(super) ledger: Ledger,
    /// Frames for which their receiver will certainly hold their sender to account.
    charged: Vec<(End, Channel, Bytes, Charge)>,
    /// The correct ends of connections on which something false was said in the handshake.
    impostures: BTreeSet<End>,
}

impl Hostile {
    pub(super) fn new(plan: &Plan, nodes: &[Node], space: SpaceId, seed: &Seed) -> Self {
        let each = plan.hostile.iter().zip(&nodes[plan.nodes..]).enumerate();
        let adversaries = each.map(|(index, (attacks, node))| {
            Adversary::new(attacks.clone(), space, node.keys(), &seed.fork(&format!("hostile {index}")))
        });
        Self {
            space,
            adversaries: adversaries.collect(),
            ledger: Ledger::default(),
            charged: Vec::new(),
            impostures: BTreeSet::new(),
        }
    }

    /// Takes note of what a frame that arrives is worth.
    fn arrived(&mut self, to: End, channel: Channel, frame: &Bytes) -> Charge {
        let is_it = |(end, on, bytes, _): &(End, Channel, Bytes, Charge)| {
            (*end, *on) == (to, channel) && bytes == frame
        };
        let at = self.charged.iter().position(is_it);
        at.map_or(Charge::None, |at| self.charged.remove(at).3)
    }
}

impl World {
    /// From when on hostile nodes act.
    pub(super) fn schedule_attacks(&mut self) {
        for node in self.plan.nodes..self.nodes.len() {
            self.schedule(Duration::from_secs(2), Event::Attack { node });
        }
    }

    /// A hostile node does something, until faults end.
    pub(super) fn attack(&mut self, node: usize) {
        if self.healed {
            return;
        }
        let prey = self.prey(node);
        let (attack, shots, pause) = self.plan_attack(node, &prey);
        match attack {
            Attack::Handshake => self.begin_again(&prey),
            Attack::Signals => self.signal(node),
            _ => {}
        }
        for shot in shots {
            let (from, to) = prey[shot.to].1;
            if self.network.last_arrival(to) < self.now + BACKLOG {
                self.shoot(attack, from, to, shot);
            }
        }
        self.schedule(pause, Event::Attack { node });
    }

    fn plan_attack(&mut self, node: usize, prey: &[(Prey, (End, End))]) -> (Attack, Vec<Shot>, Duration) {
        let Self { nodes, hostile, plan, now, .. } = self;
        let Hostile { space, adversaries, ledger, .. } = hostile;
        let (state, index) = (&nodes[node], node - plan.nodes);
        let idle = (Attack::Garbage, Vec::new(), Duration::from_secs(1));
        let Some(mesh) = state.mesh.as_ref().filter(|_| state.paused == 0) else { return idle };
        let victims: Vec<NodeId> = nodes[..plan.nodes].iter().map(Node::id).collect();
        let prey: Vec<_> = prey.iter().map(|(prey, _)| *prey).collect();
        let members = members(state);
        let view = View {
            now: state.clock.read(*now),
            space: *space,
            keys: state.keys(),
            session: mesh.machines().transport.session(),
            log: &mesh.machines().op_log,
            members: &members,
            prey: &prey,
            victims: &victims,
        };
        adversaries[index].act(&view, ledger)
    }

    /// The correct nodes with which a hostile one has one link that is up on both sides, and its ends.
    fn prey(&self, node: usize) -> Vec<(Prey, (End, End))> {
        let Some(own) = self.nodes[node].session() else { return Vec::new() };
        let mut ends: BTreeMap<usize, Vec<(End, End)>> = BTreeMap::new();
        for from in self.network.ends_of(node) {
            if let Some(to) = self.network.other(from).filter(|to| to.node < self.plan.nodes) {
                ends.entry(to.node).or_default().push((from, to));
            }
        }
        let is_up = |node: usize, with: SessionId| self.shows_link(node, with);
        let alone = ends.into_iter().filter_map(|(peer, ends)| match ends[..] {
            [pair] => Some((peer, pair)),
            _ => None,
        });
        let up = alone.filter(|(peer, (_, to))| {
            let session = self.nodes[*peer].session().filter(|_| self.nodes[*peer].life == to.life);
            session.is_some_and(|session| is_up(node, session)) && is_up(*peer, own)
        });
        let prey =
            |peer: usize| Some(Prey { node: self.nodes[peer].id(), session: self.nodes[peer].session()? });
        up.filter_map(|(peer, ends)| Some((prey(peer)?, ends))).collect()
    }

    fn shows_link(&self, node: usize, with: SessionId) -> bool {
        let links = self.nodes[node].mesh.as_ref().map(|mesh| mesh.machines().transport.links());
        links
            .is_some_and(|links| links.iter().any(|link| link.session == with && link.state == LinkState::Up))
    }

    /// Ends its links, so that there are handshakes.
    fn begin_again(&mut self, prey: &[(Prey, (End, End))]) {
        for (_, (from, to)) in prey {
            self.network.disconnect(*from);
            for end in [from, to] {
                let event = ConnectionEvent::Closed { reason: "closed by the other side".into() };
                self.tell(end.node, end.life, Input::Connection { link: end.link, event });
            }
        }
    }

    /// Has the hub carry what means nothing.
    fn signal(&mut self, node: usize) {
        let members = members(&self.nodes[node]);
        for (to, signal) in self.hostile.adversaries[node - self.plan.nodes].signals(&members) {
            *self.hostile.ledger.frames.entry(Attack::Signals).or_default() += 1;
            self.carry(node, to, signal);
        }
    }

    /// A signal comes to a node: hostile ones remember it, and so does a hub.
    pub(super) fn overhear(&mut self, to: usize, signal: Option<Signal>) {
        let Some(signal) = signal else { return };
        if let Some(index) = to.checked_sub(self.plan.nodes) {
            self.hostile.adversaries[index].hear_signal(signal.clone());
        }
        self.hubs.bodies.hear(signal);
    }

    /// Part of a handshake leaves: hostile nodes say something else instead. Whether that has happened.
    pub(super) fn shake(&mut self, from: End, to: End, frame: &Bytes) -> bool {
        let index = from.node.checked_sub(self.plan.nodes).filter(|_| to.node < self.plan.nodes);
        let Some(index) = index.filter(|_| !self.healed) else { return false };
        let shaken = self.hostile.adversaries[index].shake(from.link, frame);
        let Some(Shaken { frames, is_false }) = shaken else { return false };
        if is_false {
            *self.hostile.ledger.frames.entry(Attack::Handshake).or_default() += 1;
            self.hostile.impostures.insert(to);
        }
        for frame in frames {
            self.trace.attack(self.now, (from.node, to.node), Attack::Handshake, &frame);
            let at = self.network.send(self.now, from, to, Channel::Control, frame);
            self.schedule_at(at, Event::Frame { to, channel: Channel::Control });
        }
        true
    }

    fn shoot(&mut self, attack: Attack, from: End, to: End, shot: Shot) {
        let Shot { channel, frame, charge, .. } = shot;
        *self.hostile.ledger.frames.entry(attack).or_default() += 1;
        self.trace.attack(self.now, (from.node, to.node), attack, &frame);
        if charge != Charge::None {
            self.hostile.charged.push((to, channel, frame.clone(), charge));
        }
        let at = self.network.send(self.now, from, to, channel, frame);
        self.schedule_at(at, Event::Frame { to, channel });
    }

    /// A frame arrives: hostile nodes listen. Returns what a correct receiver has to hold against a hostile sender.
    fn inspect(&mut self, from: usize, to: End, channel: Channel, frame: &Bytes) -> Charge {
        if let Some(index) = to.node.checked_sub(self.plan.nodes) {
            self.hostile.adversaries[index].hear(self.hostile.space, channel, frame);
            return Charge::None;
        }
        if from < self.plan.nodes {
            return Charge::None;
        }
        let charge = self.hostile.arrived(to, channel, frame);
        let state = &self.nodes[to.node];
        let listens = state.life == to.life && state.is_up() && state.paused == 0;
        if self.hostile.impostures.contains(&to) {
            return if listens { Charge::Imposture } else { Charge::None };
        }
        // What comes later is not held against anybody: the node is gone, stands still, or has closed the link.
        let session = self.nodes[from].session();
        let linked = listens
            && self.network.other(to).is_some_and(|end| end.node == from)
            && session.is_some_and(|session| self.shows_link(to.node, session));
        if linked { charge } else { Charge::None }
    }

    /// A frame arrives, and if something is wrong with it, that has consequences.
    pub(super) fn judge_frame(&mut self, from: usize, to: End, channel: Channel, frame: Bytes) {
        let charge = self.inspect(from, to, channel, &frame);
        if charge != Charge::None {
            self.judge(Some(to.node), |invariant, scene| invariant.wronged(scene, to.node, from, charge));
        }
        // A planted bug that nobody outside can plant in the transport: it does not see what costs a link.
        if self.nodes[to.node].bug != Some(Bug::NeverCut) || charge != Charge::Cut {
            let event = ConnectionEvent::Received { channel, frame };
            self.tell(to.node, to.life, Input::Connection { link: to.link, event });
        }
        if charge == Charge::Cut && self.network.other(to).is_some() {
            let what = format!("it goes on with node {from}, which sent what is no frame");
            self.broken("containment", Some(to.node), what);
        }
    }
}

/// Who is here, as a node believes.
fn members(node: &Node) -> Vec<Member> {
    let presence = node.mesh.as_ref().and_then(|mesh| mesh.machines().presence.as_ref());
    presence.map(|presence| presence.members()).unwrap_or_default()
}
