//! Makes a failing run smaller: fewer nodes, faults and edits, and less that is wrong with the network and the clocks.
//!
//! Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002) over the parts of
//! a [`Plan`]: what can be left out without losing the failure is.

use crate::{Clock, Fault, Packets, Plan};

/// The smallest plan found for which `fails` holds, which it has to for `plan`. `fails` is asked at most `runs_max` times.
pub fn minimise(plan: Plan, runs_max: u64, fails: impl FnMut(&Plan) -> bool) -> Plan {
    let mut search = Search { best: plan, runs: runs_max, fails };
    while search.round() {}
    search.best
}

struct Search<F> {
    best: Plan,
    /// How many more runs there may be.
    runs: u64,
    fails: F,
}

impl<F: FnMut(&Plan) -> bool> Search<F> {
    /// Tries to leave out everything once; whether anything was.
    fn round(&mut self) -> bool {
        let nodes = self.nodes();
        let faults = self.parts(|plan| plan.faults.len(), |plan, from, to| drop(plan.faults.drain(from..to)));
        let edits = self.parts(|plan| plan.edits.len(), |plan, from, to| drop(plan.edits.drain(from..to)));
        let hostile = self.parts(|plan| plan.hostile.len(), without_hostile);
        let world = self.world();
        nodes | faults | edits | hostile | world
    }

    fn try_it(&mut self, plan: Plan) -> bool {
        if plan == self.best || self.runs == 0 {
            return false;
        }
        self.runs -= 1;
        let fails = (self.fails)(&plan);
        if fails {
            self.best = plan;
        }
        fails
    }

    /// Leaves out ever smaller runs of one list.
    fn parts(&mut self, len: impl Fn(&Plan) -> usize, remove: impl Fn(&mut Plan, usize, usize)) -> bool {
        let mut any = false;
        let mut chunk = len(&self.best);
        while chunk > 0 {
            let mut from = 0;
            while from < len(&self.best) {
                let mut plan = self.best.clone();
                remove(&mut plan, from, (from + chunk).min(len(&self.best)));
                if self.try_it(plan) {
                    any = true;
                } else {
                    from += chunk;
                }
            }
            chunk /= 2;
        }
        any
    }

    fn nodes(&mut self) -> bool {
        let mut any = false;
        for node in (0..self.best.nodes).rev() {
            if self.best.nodes > 1 {
                any |= self.try_it(without_node(&self.best, node));
            }
        }
        any
    }

    fn world(&mut self) -> bool {
        let simpler: [fn(&mut Plan); 5] = [
            |plan| plan.clocks.fill(Clock::default()),
            |plan| plan.network = Packets { delay_ms: [5, 5], jitter_ms: 0, ..Packets::default() },
            |plan| (plan.network.loss, plan.network.duplication) = (0.0, 0.0),
            |plan| plan.unlinkable.clear(),
            |plan| plan.active_ms = last_moment(plan) + 1_000,
        ];
        let mut any = false;
        for simplify in simpler {
            let mut plan = self.best.clone();
            simplify(&mut plan);
            any |= self.try_it(plan);
        }
        any
    }
}

/// When the last thing happens.
fn last_moment(plan: &Plan) -> u64 {
    let edits = plan.edits.iter().map(|edit| edit.at_ms);
    edits.chain(plan.faults.iter().map(|planned| planned.at_ms)).max().unwrap_or(0).min(plan.active_ms)
}

fn without_hostile(plan: &mut Plan, from: usize, to: usize) {
    for hostile in (from..to).rev() {
        *plan = without_node(plan, plan.nodes + hostile);
    }
}

/// The plan without one node; the indices of those behind it go down.
fn without_node(plan: &Plan, node: usize) -> Plan {
    let mut plan = plan.clone();
    if node < plan.nodes {
        plan.nodes -= 1;
    } else {
        plan.hostile.remove(node - plan.nodes);
    }
    if node < plan.clocks.len() {
        plan.clocks.remove(node);
    }
    let moved = |other: usize| other - usize::from(other > node);
    let pairs = plan.unlinkable.iter().filter(|(a, b)| *a != node && *b != node);
    plan.unlinkable = pairs.map(|(a, b)| (moved(*a), moved(*b))).collect();
    plan.edits.retain(|edit| edit.node != node);
    plan.edits.iter_mut().for_each(|edit| edit.node = moved(edit.node));
    plan.faults.retain_mut(|planned| keep(&mut planned.fault, node, moved));
    plan
}

/// Takes a node out of a fault; false if nothing is left of it.
fn keep(fault: &mut Fault, gone: usize, moved: impl Fn(usize) -> usize) -> bool {
    let shrink = |list: &mut Vec<usize>| {
        list.retain(|node| *node != gone);
        list.iter_mut().for_each(|node| *node = moved(*node));
        !list.is_empty()
    };
    match fault {
        Fault::Cut { from, to, .. } => shrink(from) & shrink(to),
        Fault::HubCut { nodes } => shrink(nodes),
        Fault::Storm { .. } | Fault::HubCrash | Fault::HubSlow { .. } | Fault::HubLies => true,
        Fault::Crash { node, .. }
        | Fault::Pause { node, .. }
        | Fault::Leave { node }
        | Fault::Offline { node }
        | Fault::DiskFull { node }
        | Fault::DiskSlow { node, .. }
        | Fault::ClockJump { node, .. }
        | Fault::Throttle { node } => {
            let stays = *node != gone;
            *node = moved(*node);
            stays
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scenario;

    fn plan() -> Plan {
        let Ok(scenario) = Scenario::load("chaos") else { panic!("chaos is there") };
        (0..100)
            .map(|seed| Plan::draw(&scenario, seed))
            .max_by_key(|plan| plan.faults.len())
            .unwrap_or_else(|| unreachable!("a hundred is more than none"))
    }

    #[test]
    fn what_the_failure_does_not_need_is_left_out() {
        let start = plan();
        let wanted = start.edits[start.edits.len() / 2].number;
        let is_crash = |fault: &Fault| matches!(fault, Fault::Crash { .. });
        assert!(start.faults.iter().any(|planned| is_crash(&planned.fault)));
        let small = minimise(start, 10_000, |plan| {
            plan.edits.iter().any(|edit| edit.number == wanted)
                && plan.faults.iter().any(|planned| is_crash(&planned.fault))
        });
        assert_eq!((small.edits.len(), small.faults.len()), (1, 1));
        assert!(small.nodes <= 2, "{small:?}");
        assert_eq!(small.validate(), Ok(()));
    }

    #[test]
    fn every_node_can_be_taken_out() {
        let start = plan();
        for node in 0..start.all_nodes() {
            let less = without_node(&start, node);
            assert_eq!(less.all_nodes(), start.all_nodes() - 1);
            assert_eq!(less.validate(), Ok(()));
        }
    }

    #[test]
    fn it_stops_when_it_may_not_run_any_more() {
        let mut runs = 0;
        minimise(plan(), 7, |_| {
            runs += 1;
            true
        });
        assert_eq!(runs, 7);
    }
}
