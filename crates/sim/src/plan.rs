//! What one run consists of, drawn from a scenario and a seed.

use std::{collections::BTreeSet, time::Duration};

use meshwork::{Random, Seed};
use serde::{Deserialize, Serialize};

use crate::{
    Scenario,
    clock::Clock,
    fault::{AfterCrash, Fault, Kind},
    hostile::Attack,
    scenario::Packets,
};

/// One run, before it happens. Taking anything away leaves a plan: that is how failing runs are made smaller.
///
/// What is not written down here (delays of single packets, the order of messages inside a node, what an edit says) is
/// drawn from `seed`, by streams that do not depend on each other.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// All further randomness.
    pub seed: u64,
    /// How many correct nodes there are.
    pub nodes: usize,
    /// What each hostile node does; their indices follow those of the correct ones.
    pub hostile: Vec<Vec<Attack>>,
    /// How packets fare at the worst.
    pub network: Packets,
    /// Pairs that never link.
    pub unlinkable: BTreeSet<(usize, usize)>,
    /// Every node's clock.
    pub clocks: Vec<Clock>,
    /// How long edits are made and faults happen.
    pub active_ms: u64,
    /// How long all then have to agree.
    pub settle_ms: u64,
    /// Which node edits when.
    pub edits: Vec<PlannedEdit>,
    /// What goes wrong when.
    pub faults: Vec<PlannedFault>,
}

/// One edit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedEdit {
    /// When, in milliseconds from the start.
    pub at_ms: u64,
    /// On which node.
    pub node: usize,
    /// What it says is drawn by this number.
    pub number: u64,
}

/// One fault.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedFault {
    /// When it begins, in milliseconds from the start.
    pub at_ms: u64,
    /// How long it lasts, in milliseconds.
    pub lasts_ms: u64,
    /// What it is.
    pub fault: Fault,
}

impl Plan {
    /// The run of `seed` in `scenario`.
    pub fn draw(scenario: &Scenario, seed: u64) -> Self {
        let source = Seed::from_number(seed).fork("plan");
        let mut random = source.fork("cast").random();
        let [fewest, most] = scenario.nodes;
        let nodes = fewest + random.below((most - fewest) as u64 + 1) as usize;
        let hostile = (0..random.below(scenario.hostile_max as u64 + 1)).map(|_| Attack::draw(&mut random));
        let hostile: Vec<_> = hostile.collect();
        let all = nodes + hostile.len();
        let clocks = (0..all).map(|_| draw_clock(scenario, &mut random)).collect();
        let mut plan = Self {
            seed,
            nodes,
            hostile,
            network: draw_network(scenario, &mut source.fork("network").random()),
            unlinkable: BTreeSet::new(),
            clocks,
            active_ms: scenario.active_s * 1000,
            settle_ms: scenario.settle_s * 1000,
            edits: Vec::new(),
            faults: Vec::new(),
        };
        plan.unlinkable = plan.draw_unlinkable(&mut source.fork("unlinkable").random());
        plan.edits = plan.draw_edits(scenario, &source.fork("edits"));
        for (kind, rate) in &scenario.faults {
            let mut random = source.fork(&format!("{kind:?}")).random();
            if random.chance(scenario.share) {
                plan.draw_faults(*kind, rate.every_ms, rate.longest_ms, &mut random);
            }
        }
        plan.faults.sort_by_key(|planned| planned.at_ms);
        plan
    }

    /// Checks that everything speaks of nodes that there are, as a file may not.
    pub fn validate(&self) -> Result<(), meshwork::ConfigError> {
        use meshwork::ConfigError as Check;
        Check::check("nodes", self.nodes, 1..=200)?;
        Check::check("hostile (how many)", self.hostile.len(), 0..=16)?;
        let last = self.all_nodes() - 1;
        let named = self.edits.iter().map(|edit| edit.node);
        let named = named.chain(self.faults.iter().flat_map(|planned| planned.fault.nodes()));
        for node in named.chain(self.unlinkable.iter().flat_map(|(a, b)| [*a, *b])) {
            Check::check("node", node, 0..=last)?;
        }
        Check::check("active_ms", self.active_ms, 0..=86_400_000)?;
        Check::check("settle_ms", self.settle_ms, 0..=86_400_000)
    }

    /// How many nodes there are, hostile ones included.
    pub fn all_nodes(&self) -> usize {
        self.nodes + self.hostile.len()
    }

    fn draw_edits(&self, scenario: &Scenario, seed: &Seed) -> Vec<PlannedEdit> {
        let mut edits = Vec::new();
        for node in 0..self.nodes {
            let mut random = seed.fork(&format!("node {node}")).random();
            let mut at_ms = 0;
            loop {
                at_ms += 1 + random.below(scenario.edit_every_ms * 2);
                if at_ms >= self.active_ms {
                    break;
                }
                edits.push(PlannedEdit { at_ms, node, number: random.number() });
            }
        }
        edits.sort_by_key(|edit| edit.at_ms);
        edits
    }

    /// Some pairs never link, but a path of links joins any two nodes: a ring is left out.
    fn draw_unlinkable(&self, random: &mut Random) -> BTreeSet<(usize, usize)> {
        let mut pairs = BTreeSet::new();
        for a in 0..self.nodes {
            for b in a + 1..self.nodes {
                let neighbours = b == a + 1 || (a == 0 && b + 1 == self.nodes);
                if random.chance(self.network.unlinkable) && !neighbours {
                    pairs.insert((a, b));
                }
            }
        }
        pairs
    }

    fn draw_faults(&mut self, kind: Kind, every_ms: u64, longest_ms: u64, random: &mut Random) {
        let mut at_ms = 0;
        loop {
            at_ms += 1 + random.below(every_ms * 2);
            if at_ms >= self.active_ms {
                return;
            }
            let lasts_ms = 1 + random.below(longest_ms);
            if kind == Kind::Flap {
                self.draw_flap(at_ms, lasts_ms, random);
            } else if let Some(fault) = self.draw_fault(kind, random) {
                self.faults.push(PlannedFault { at_ms, lasts_ms, fault });
            }
        }
    }

    /// A link that flaps is cut again and again.
    fn draw_flap(&mut self, at_ms: u64, lasts_ms: u64, random: &mut Random) {
        let Some(Fault::Cut { from, to, .. }) = self.draw_fault(Kind::PairCut, random) else { return };
        let end = at_ms + lasts_ms;
        let mut at_ms = at_ms;
        while at_ms < end {
            let fault = Fault::Cut { from: from.clone(), to: to.clone(), both: true };
            let lasts_ms = 50 + random.below(5_000);
            self.faults.push(PlannedFault { at_ms, lasts_ms, fault });
            at_ms += lasts_ms + 50 + random.below(5_000);
        }
    }

    fn draw_fault(&self, kind: Kind, random: &mut Random) -> Option<Fault> {
        let all = self.all_nodes();
        let node = random.below(self.nodes as u64) as usize;
        Some(match kind {
            Kind::Partition | Kind::OneWay => {
                let (from, to): (Vec<_>, Vec<_>) = (0..all).partition(|_| random.chance(0.5));
                if from.is_empty() || to.is_empty() {
                    return None;
                }
                Fault::Cut { from, to, both: kind == Kind::Partition }
            }
            Kind::PairCut | Kind::Flap => {
                let other = random.below(all as u64) as usize;
                if other == node {
                    return None;
                }
                Fault::Cut { from: vec![node], to: vec![other], both: true }
            }
            Kind::Storm => Fault::Storm { loss: random.below(60) as f64 / 100.0 },
            Kind::HubCrash => Fault::HubCrash,
            Kind::HubSlow => Fault::HubSlow { delay_ms: 100 + random.below(8_000) },
            Kind::HubCut => Fault::HubCut { nodes: (0..all).filter(|_| random.chance(0.5)).collect() },
            Kind::HubLies => Fault::HubLies,
            Kind::Crash => self.crash(node, AfterCrash::Synced, random),
            Kind::WriteAhead => self.crash(node, AfterCrash::Ahead, random),
            Kind::TornWrite => self.crash(node, AfterCrash::Torn, random),
            Kind::DiskUnreadable => self.crash(node, AfterCrash::Unreadable, random),
            Kind::DiskGone => self.crash(node, AfterCrash::Gone, random),
            Kind::CloseTab => {
                let disk = if random.chance(0.25) { AfterCrash::Gone } else { AfterCrash::Synced };
                self.crash(node, disk, random)
            }
            Kind::Pause => Fault::Pause { node, announced: false },
            Kind::Freeze => Fault::Pause { node, announced: true },
            Kind::Leave => Fault::Leave { node },
            Kind::Offline => Fault::Offline { node },
            Kind::DiskFull => Fault::DiskFull { node },
            Kind::DiskSlow => Fault::DiskSlow { node, factor: 2 + random.below(200) as u32 },
            Kind::ClockJump => {
                let hours = random.below(48 * 3_600_000) as i64 - 24 * 3_600_000;
                let by_ms = if random.chance(0.5) { hours } else { hours / 1_000 };
                Fault::ClockJump { node, by_ms }
            }
            Kind::Throttle => Fault::Throttle { node },
        })
    }

    fn crash(&self, node: usize, disk: AfterCrash, random: &mut Random) -> Fault {
        Fault::Crash { node, after_effects: random.below(6) as usize, disk }
    }

    /// How long the whole run may take.
    pub fn longest(&self) -> Duration {
        Duration::from_millis(self.active_ms + self.settle_ms)
    }
}

/// Each way in which packets fare badly is part of a run or not.
fn draw_network(scenario: &Scenario, random: &mut Random) -> Packets {
    let Packets { delay_ms: [least, greatest], jitter_ms, loss, duplication, bandwidth_kib_s, unlinkable } =
        scenario.network;
    let mut up_to = |worst: f64| {
        if random.chance(scenario.share) { random.below(1_001) as f64 / 1_000.0 * worst } else { 0.0 }
    };
    Packets {
        delay_ms: [least, least + up_to((greatest - least) as f64) as u64],
        jitter_ms: up_to(jitter_ms as f64) as u64,
        loss: up_to(loss),
        duplication: up_to(duplication),
        bandwidth_kib_s: if random.chance(scenario.share) { bandwidth_kib_s } else { 0 },
        unlinkable: if random.chance(scenario.share) { unlinkable } else { 0.0 },
    }
}

fn draw_clock(scenario: &Scenario, random: &mut Random) -> Clock {
    let mut around = |worst: u64| random.below(worst * 2 + 1) as i64 - worst as i64;
    Clock { offset_ms: around(scenario.clocks.offset_ms), drift_ppm: around(scenario.clocks.drift_ppm) }
}
