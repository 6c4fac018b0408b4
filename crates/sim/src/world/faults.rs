//! Faults begin and end.

use std::time::Duration;

use meshwork::{Command, Input};

use super::{Event, World};
use crate::{
    fault::{AfterCrash, Fault},
    plant::Bug,
    trace::What,
};

impl World {
    pub(super) fn begin(&mut self, index: usize) {
        if self.healed {
            return;
        }
        let planned = self.plan.faults[index].clone();
        self.begun.insert(index);
        self.last_fault = self.now;
        self.injected += 1;
        self.schedule(Duration::from_millis(planned.lasts_ms), Event::End(index));
        self.trace.world(self.now, None, What::Begins(planned.fault.clone()));
        match planned.fault {
            Fault::Cut { from, to, both } => {
                self.each_way(&from, &to, both, |world, a, b| world.network.cut(a, b))
            }
            Fault::Storm { loss } => self.network.storm(index, loss),
            Fault::HubCrash => self.hub_dies(),
            Fault::HubSlow { delay_ms } => self.hub_slows(index, Some(Duration::from_millis(delay_ms))),
            Fault::HubCut { nodes } => nodes.into_iter().for_each(|node| self.hub_cut(node)),
            Fault::HubLies => self.hub_begins_to_lie(index),
            Fault::Crash { node, after_effects, disk } => self.doom(node, after_effects, disk),
            Fault::Pause { node, announced } => self.pause(node, announced),
            Fault::Leave { node } => {
                self.nodes[node].down += 1;
                if self.nodes[node].is_usable() {
                    self.nodes[node].closing = true;
                    self.step(node, Some(Input::Command(Command::Close)));
                }
            }
            Fault::Offline { node } => {
                let others: Vec<_> = (0..self.nodes.len()).filter(|other| *other != node).collect();
                self.each_way(&[node], &others, true, |world, a, b| world.network.cut(a, b));
                self.hub_cut(node);
            }
            Fault::DiskFull { node } => self.nodes[node].disk.full += 1,
            Fault::DiskSlow { node, factor } => self.nodes[node].disk.slowness += factor,
            Fault::ClockJump { node, by_ms } => self.nodes[node].set_clock(self.now, by_ms),
            Fault::Throttle { node } => {
                self.away(node, true);
                self.nodes[node].throttled += 1;
            }
        }
    }

    pub(super) fn end(&mut self, index: usize) {
        if !self.begun.remove(&index) {
            return;
        }
        self.last_fault = self.now;
        let fault = self.plan.faults[index].fault.clone();
        if !fault.is_quiet() {
            self.last_loud = self.now;
        }
        self.trace.world(self.now, None, What::Ends(fault.clone()));
        match fault {
            Fault::Cut { from, to, both } => {
                self.each_way(&from, &to, both, |world, a, b| world.network.rejoin(a, b));
                self.resume_frames();
            }
            Fault::Storm { .. } => self.network.calm(index),
            Fault::HubCrash => self.hub_returns(),
            Fault::HubSlow { .. } => self.hub_slows(index, None),
            Fault::HubCut { nodes } => nodes.into_iter().for_each(|node| self.hub_rejoin(node)),
            Fault::HubLies => {
                self.hub_dies();
                self.hub_returns();
            }
            Fault::Crash { node, disk, .. } => self.undoom(node, disk),
            Fault::Pause { node, announced } => self.unpause(node, announced),
            Fault::Leave { node } => {
                self.nodes[node].down -= 1;
                self.start(node);
            }
            Fault::Offline { node } => {
                let others: Vec<_> = (0..self.nodes.len()).filter(|other| *other != node).collect();
                self.each_way(&[node], &others, true, |world, a, b| world.network.rejoin(a, b));
                self.hub_rejoin(node);
                self.resume_frames();
            }
            Fault::DiskFull { node } => {
                self.nodes[node].disk.full -= 1;
                let due = self.nodes[node].disk.resume();
                self.schedule_syncs(node, due);
            }
            Fault::DiskSlow { node, factor } => {
                self.nodes[node].disk.slowness -= factor;
                if self.nodes[node].disk.slowness == 0 {
                    let due = self.nodes[node].disk.catch_up(self.now);
                    self.schedule_syncs(node, due);
                }
            }
            Fault::ClockJump { .. } => {}
            Fault::Throttle { node } => {
                self.nodes[node].throttled -= 1;
                self.away(node, false);
                self.rearm(node);
            }
        }
    }

    /// Ends every fault, and lets none begin.
    pub(super) fn heal(&mut self) {
        self.healed = true;
        self.trace.world(self.now, None, What::Heals);
        self.network.heal();
        let begun: Vec<_> = self.begun.iter().copied().collect();
        for index in begun {
            self.end(index);
        }
    }

    fn each_way(&mut self, from: &[usize], to: &[usize], both: bool, each: impl Fn(&mut Self, usize, usize)) {
        for (a, b) in from.iter().flat_map(|a| to.iter().map(move |b| (*a, *b))) {
            each(self, a, b);
            if both {
                each(self, b, a);
            }
        }
    }

    /// A node dies in the middle of its next step, at once if it stands still.
    fn doom(&mut self, node: usize, after_effects: usize, disk: AfterCrash) {
        let state = &mut self.nodes[node];
        state.down += 1;
        if disk == AfterCrash::Unreadable {
            state.disk.unreadable += 1;
        }
        if state.is_up() && state.paused == 0 {
            state.doomed.get_or_insert((after_effects, disk));
        } else {
            self.die(node, disk);
        }
    }

    fn undoom(&mut self, node: usize, disk: AfterCrash) {
        if let Some((_, disk)) = self.nodes[node].doomed.take() {
            self.die(node, disk);
        }
        let state = &mut self.nodes[node];
        state.down -= 1;
        if disk == AfterCrash::Unreadable {
            state.disk.unreadable -= 1;
        }
        self.start(node);
    }

    fn pause(&mut self, node: usize, announced: bool) {
        if announced {
            self.away(node, true);
        }
        self.nodes[node].paused += 1;
    }

    fn unpause(&mut self, node: usize, announced: bool) {
        self.nodes[node].paused -= 1;
        if self.nodes[node].paused == 0 {
            let waiting = std::mem::take(&mut self.nodes[node].waiting);
            let life = self.nodes[node].life;
            for input in waiting {
                self.tell(node, life, input);
            }
            self.rearm(node);
        }
        if announced {
            self.away(node, false);
        }
    }

    /// A tab is hidden, or shown again.
    fn away(&mut self, node: usize, hidden: bool) {
        let state = &mut self.nodes[node];
        state.away = if hidden { state.away + 1 } else { state.away - 1 };
        let changes = state.away == u32::from(hidden);
        let life = state.life;
        if changes {
            state.away_since = hidden.then_some(self.now);
        }
        if let Some(life) = state.lives.last_mut().filter(|life| hidden && life.ended.is_none()) {
            life.was_away = true;
        }
        if changes && self.nodes[node].bug != Some(Bug::NeverAway) {
            self.tell(node, life, Input::Command(Command::SetAway(hidden)));
        }
    }

    fn rearm(&mut self, node: usize) {
        let life = self.nodes[node].life;
        if let Some(at) = self.nodes[node].rearm(self.now) {
            self.schedule_at(at, Event::Wake { node, life });
        }
    }
}
