//! Hosts the nodes: drives their machines, performs what they ask for, and lets them die.

use std::time::Duration;

use meshwork::{Command, Deadline, Effect, Input, Mesh, Row, WriteId, step};
use meshwork_transport::ConnectionEvent;
use meshwork_wire::Channel;

use super::{Event, World};
use crate::{
    fault::AfterCrash,
    invariants::{Start, Step},
    network::End,
    node::Wake,
    plant::Bug,
    trace::What,
};

/// How long a disk takes to sync, more or less.
const SYNC: Duration = Duration::from_millis(2);

impl World {
    /// Starts a node, unless something keeps it down.
    pub(super) fn start(&mut self, node: usize) {
        if !self.nodes[node].may_start() {
            return;
        }
        self.trace.world(self.now, Some(node), What::Starts);
        let found = match self.nodes[node].start(self.now) {
            Ok(found) => found,
            Err(error) => {
                return self.broken(
                    "durability",
                    Some(node),
                    format!("its log does not open again: {error}"),
                );
            }
        };
        let start = Start { found, disk_lost: std::mem::take(&mut self.nodes[node].disk_lost) };
        if node < self.plan.nodes {
            self.judge(Some(node), |invariant, scene| invariant.started(scene, node, &start));
        }
        self.step(node, None);
        self.step(node, Some(Input::Command(Command::Start)));
        if self.nodes[node].away > 0 {
            self.step(node, Some(Input::Command(Command::SetAway(true))));
        }
    }

    /// A node loses power, and its disk is as `after` says.
    pub(super) fn die(&mut self, node: usize, after: AfterCrash) {
        let lost = self.nodes[node].disk.crash(after);
        self.nodes[node].disk_lost |= lost;
        if self.nodes[node].is_up() {
            self.trace.world(self.now, Some(node), What::Dies);
            self.stop(node);
        }
    }

    /// A node's process is gone; others learn of it by silence.
    pub(super) fn stop(&mut self, node: usize) {
        for end in self.network.ends_of(node) {
            self.network.disconnect(end);
        }
        self.network.forget(node);
        self.hub_lost(node);
        if let Some(mesh) = self.nodes[node].stop(self.now) {
            self.weigh(node, mesh);
        }
    }

    pub(super) fn wake(&mut self, node: usize, life: u64) {
        match self.nodes[node].wakes(life, self.now) {
            Wake::Now => self.step(node, None),
            Wake::At(at) => self.schedule_at(at, Event::Wake { node, life }),
            Wake::No => {}
        }
    }

    pub(super) fn tell(&mut self, node: usize, life: u64, input: Input) {
        let state = &mut self.nodes[node];
        if !state.is_up() || state.life != life {
            return;
        }
        if state.paused > 0 {
            state.waiting.push_back(input);
        } else {
            self.step(node, Some(input));
        }
    }

    pub(super) fn frame_sent(&mut self, from: End, channel: Channel, bytes: usize) {
        let event = ConnectionEvent::Sent { channel, bytes };
        self.tell(from.node, from.life, Input::Connection { link: from.link, event });
    }

    pub(super) fn sync(&mut self, node: usize, life: u64) {
        if self.nodes[node].life == life
            && self.nodes[node].is_up()
            && let Some(write) = self.nodes[node].sync_one()
        {
            self.tell(node, life, Input::Persisted { write });
        }
    }

    /// A disk can do at once what it could not.
    pub(super) fn schedule_syncs(&mut self, node: usize, due: usize) {
        let life = self.nodes[node].life;
        for _ in 0..due {
            self.schedule(SYNC, Event::Sync { node, life });
        }
    }

    /// Drives one node by one input, or by its timeout.
    pub(super) fn step(&mut self, node: usize, input: Option<Input>) {
        let now = self.nodes[node].clock.read(self.now);
        if let Some(input) = &input {
            self.trace.input(self.now, node, input);
        }
        let Some(mut mesh) = self.nodes[node].mesh.take() else { return };
        let mut effects = std::mem::take(&mut self.effects);
        let woken = input.is_none();
        let mut deadline = step(&mut *mesh, now, input, |effect| effects.push(effect));
        if self.nodes[node].bug == Some(Bug::Spin) {
            deadline = Some(Deadline { at: now.monotonic, why: "planted" });
        }
        for effect in &effects {
            self.trace.effect(self.now, node, effect);
        }
        if node < self.plan.nodes {
            self.observe(
                node,
                &mesh,
                &effects,
                Step { at: now.monotonic, deadline, woken, effects: effects.len() },
            );
        }
        self.nodes[node].mesh = Some(mesh);
        self.perform_all(node, &mut effects);
        effects.clear();
        self.effects = effects;
        let life = self.nodes[node].life;
        if self.nodes[node].is_up()
            && let Some(at) = self.nodes[node].arm(self.now, deadline)
        {
            self.schedule_at(at, Event::Wake { node, life });
        }
    }

    fn observe(&mut self, node: usize, mesh: &Mesh, effects: &[Effect], step: Step) {
        for effect in effects {
            // Of connections and writes, invariants learn by what comes of them.
            if !matches!(effect, Effect::Connection { .. } | Effect::Hub { .. } | Effect::Persist { .. }) {
                self.judge(Some(node), |invariant, scene| invariant.effect(scene, node, mesh, effect));
            }
        }
        self.judge(Some(node), |invariant, scene| invariant.stepped(scene, node, mesh, step));
    }

    /// Performs what a node asks for, in order; one that is doomed dies on the way.
    fn perform_all(&mut self, node: usize, effects: &mut Vec<Effect>) {
        for effect in effects.drain(..) {
            if let Some((left, disk)) = &mut self.nodes[node].doomed {
                let disk = *disk;
                match left.checked_sub(1) {
                    Some(fewer) => *left = fewer,
                    None => return self.die(node, disk),
                }
            }
            self.perform(node, effect);
        }
    }

    fn perform(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Persist { write, rows } => self.persist(node, write, rows),
            Effect::Connection { link, action } => {
                let life = self.nodes[node].life;
                self.connect(End { node, life, link }, action);
            }
            Effect::Hub { action, .. } => self.hub_action(node, action),
            Effect::Closed => self.closed(node),
            Effect::Edited { .. }
            | Effect::EditedMany { .. }
            | Effect::Stored { .. }
            | Effect::Event(_)
            | Effect::Incarnation(_) => {}
        }
    }

    fn persist(&mut self, node: usize, write: WriteId, rows: Vec<Row>) {
        let delay = self.random.duration(SYNC / 4, SYNC * 4);
        let state = &mut self.nodes[node];
        state.write(write, rows);
        // Writes become durable one after the other.
        let at = state.disk.free_at.max(self.now) + delay * (1 + state.disk.slowness);
        state.disk.free_at = at;
        let life = state.life;
        let pressed = state.disk.full > 0 || state.disk.slowness > 0;
        if state.bug == Some(Bug::AcknowledgeEarly)
            || (pressed && state.bug == Some(Bug::AcknowledgeUnderPressure))
        {
            let input = Box::new(Input::Persisted { write });
            self.schedule(Duration::ZERO, Event::Tell { node, life, input });
        }
        self.schedule_at(at, Event::Sync { node, life });
    }

    /// A node has stored everything and is done.
    fn closed(&mut self, node: usize) {
        self.trace.world(self.now, Some(node), What::Dies);
        self.stop(node);
        self.start(node);
    }
}
