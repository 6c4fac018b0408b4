//! What goes wrong, when and for how long: drawn from the seed before anything starts.

use std::{fmt, time::Duration};

use meshwork_base::{Random, Seed};
use serde::Serialize;

use crate::weather::{Condition, Spell};

/// The hub's place among the hosts; the nodes have 1 and up.
pub(crate) const HUB: usize = 0;

const NETWORK_LANES: usize = 2;

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Something in the network.
    Network { kind: Kind, spells: Vec<Spell> },
    /// SIGKILL; it starts again from its data directory when the fault ends.
    KillNode { node: usize },
    /// SIGKILL; it starts again when the fault ends. A hub keeps nothing.
    KillHub,
    /// SIGSTOP, and SIGCONT when the fault ends.
    Pause { host: usize },
    /// The node's disk fills up until it reports that it is stalled, and has room again when the fault ends.
    FillDisk { node: usize },
    /// SIGKILL while the disk is full; the node starts again on the full disk, which then has room again.
    KillOnFullDisk { node: usize },
    /// SIGKILL, and its data directory is gone. At most once in a run: operations that two nodes have on disk
    /// outlive one disk.
    LoseDisk { node: usize },
}

/// What faults are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Cut,
    CutOneWay,
    Isolate,
    CutFromHub,
    Loss,
    Delay,
    KillNode,
    KillHub,
    Pause,
    FillDisk,
    KillOnFullDisk,
    LoseDisk,
}

impl Kind {
    pub(crate) const ALL: [Self; 12] = [
        Self::Cut,
        Self::CutOneWay,
        Self::Isolate,
        Self::CutFromHub,
        Self::Loss,
        Self::Delay,
        Self::KillNode,
        Self::KillHub,
        Self::Pause,
        Self::FillDisk,
        Self::KillOnFullDisk,
        Self::LoseDisk,
    ];
    const NETWORK: [Self; 6] =
        [Self::Cut, Self::CutOneWay, Self::Isolate, Self::CutFromHub, Self::Loss, Self::Delay];
    const PROCESSES: [Self; 5] =
        [Self::KillNode, Self::KillHub, Self::Pause, Self::FillDisk, Self::KillOnFullDisk];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "two nodes cut from each other",
            Self::CutOneWay => "cut in one direction",
            Self::Isolate => "node cut from all",
            Self::CutFromHub => "node cut from the hub",
            Self::Loss => "packets lost, both ways",
            Self::Delay => "packets late and reordered",
            Self::KillNode => "node killed, restarted",
            Self::KillHub => "hub killed, restarted",
            Self::Pause => "node or hub stopped, continued",
            Self::FillDisk => "disk full, freed",
            Self::KillOnFullDisk => "node killed, restarted on a full disk",
            Self::LoseDisk => "node killed, its disk lost",
        })
    }
}

impl Fault {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Network { kind, .. } => *kind,
            Self::KillNode { .. } => Kind::KillNode,
            Self::KillHub => Kind::KillHub,
            Self::Pause { .. } => Kind::Pause,
            Self::FillDisk { .. } => Kind::FillDisk,
            Self::KillOnFullDisk { .. } => Kind::KillOnFullDisk,
            Self::LoseDisk { .. } => Kind::LoseDisk,
        }
    }
}

/// A fault with its time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Episode {
    /// Of the first round: it takes place even when time has run out.
    pub(crate) required: bool,
    /// After the episode before it in its lane has ended.
    pub(crate) pause: Duration,
    pub(crate) lasts: Duration,
    pub(crate) fault: Fault,
}

/// Lanes run side by side; what is in one lane happens one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) lanes: Vec<Vec<Episode>>,
}

impl Plan {
    /// Every lane goes on for `span`, and at least until each kind of fault had its turn.
    pub(crate) fn new(seed: &Seed, nodes: usize, span: Duration) -> Self {
        let mut lanes: Vec<_> = (0..NETWORK_LANES)
            .map(|lane| {
                let mut random = seed.fork(&format!("network {lane}")).random();
                deal(&Kind::NETWORK, &[], span, &mut random, |kind, random| network(kind, nodes, random))
            })
            .collect();
        let mut random = seed.fork("processes").random();
        lanes.push(deal(&Kind::PROCESSES, &[Kind::LoseDisk], span, &mut random, |kind, random| {
            process(kind, nodes, random)
        }));
        Self { lanes }
    }

    pub(crate) fn episodes(&self) -> usize {
        self.lanes.iter().map(Vec::len).sum()
    }
}

/// Deals the kinds like cards, shuffled anew for each round; those in `once` are in the first round only.
fn deal(
    kinds: &[Kind],
    once: &[Kind],
    span: Duration,
    random: &mut Random,
    mut draw: impl FnMut(Kind, &mut Random) -> (Fault, Duration),
) -> Vec<Episode> {
    let mut lane = Vec::new();
    let mut at = Duration::ZERO;
    let (mut round, mut required) = ([kinds, once].concat(), true);
    loop {
        shuffle(&mut round, random);
        for &kind in &round {
            let pause = random.duration(ms(200), ms(1_200));
            let (fault, lasts) = draw(kind, random);
            at += pause + lasts;
            if !required && at > span {
                return lane;
            }
            lane.push(Episode { required, pause, lasts, fault });
        }
        (round, required) = (kinds.to_vec(), false);
    }
}

fn network(kind: Kind, nodes: usize, random: &mut Random) -> (Fault, Duration) {
    let (one, other) = pair(nodes, random);
    let (spells, lasts) = match kind {
        Kind::CutOneWay => {
            // Also from and to the hub.
            let to = if random.chance(0.25) { HUB } else { other };
            let (from, to) = if random.chance(0.5) { (one, to) } else { (to, one) };
            (vec![Spell { from, to, condition: Condition::Cut }], random.duration(ms(1_000), ms(5_000)))
        }
        Kind::Isolate => {
            let others = (0..=nodes).filter(|&host| host != one);
            let spells = others.flat_map(|host| both_ways(one, host, Condition::Cut)).collect();
            (spells, random.duration(ms(500), ms(5_000)))
        }
        Kind::CutFromHub => {
            (both_ways(one, HUB, Condition::Cut).into(), random.duration(ms(1_000), ms(5_000)))
        }
        Kind::Loss => {
            let share = 0.02 + random.below(400) as f64 / 1_000.0;
            (both_ways(one, other, Condition::Loss(share)).into(), random.duration(ms(1_000), ms(5_000)))
        }
        Kind::Delay => {
            let by = random.duration(ms(5), ms(400));
            let delay = Condition::Delay { by, jitter: by / 2 };
            (both_ways(one, other, delay).into(), random.duration(ms(1_000), ms(5_000)))
        }
        _ => (both_ways(one, other, Condition::Cut).into(), random.duration(ms(500), ms(5_000))),
    };
    (Fault::Network { kind, spells }, lasts)
}

fn process(kind: Kind, nodes: usize, random: &mut Random) -> (Fault, Duration) {
    let node = 1 + random.below(nodes as u64) as usize;
    match kind {
        Kind::KillHub => (Fault::KillHub, random.duration(ms(0), ms(2_000))),
        // Longer and shorter than a link takes to be given up.
        Kind::Pause => {
            let host = random.below(nodes as u64 + 1) as usize;
            (Fault::Pause { host }, random.duration(ms(300), ms(5_000)))
        }
        Kind::FillDisk => (Fault::FillDisk { node: nodes }, random.duration(ms(200), ms(2_000))),
        Kind::KillOnFullDisk => (Fault::KillOnFullDisk { node: nodes }, random.duration(ms(200), ms(1_000))),
        Kind::LoseDisk => (Fault::LoseDisk { node }, random.duration(ms(0), ms(1_000))),
        _ => (Fault::KillNode { node }, random.duration(ms(0), ms(2_000))),
    }
}

fn both_ways(one: usize, other: usize, condition: Condition) -> [Spell; 2] {
    [Spell { from: one, to: other, condition }, Spell { from: other, to: one, condition }]
}

/// Two different nodes.
fn pair(nodes: usize, random: &mut Random) -> (usize, usize) {
    let one = random.below(nodes as u64) as usize;
    let other = (one + 1 + random.below(nodes as u64 - 1) as usize) % nodes;
    (1 + one, 1 + other)
}

fn shuffle(kinds: &mut [Kind], random: &mut Random) {
    for last in (1..kinds.len()).rev() {
        kinds.swap(last, random.below(last as u64 + 1) as usize);
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn kinds(plan: &Plan) -> BTreeMap<Kind, usize> {
        plan.lanes.iter().flatten().fold(BTreeMap::new(), |mut kinds, episode| {
            *kinds.entry(episode.fault.kind()).or_default() += 1;
            kinds
        })
    }

    #[test]
    fn one_seed_gives_one_plan_and_every_kind_has_its_turn() {
        for seed in 0..50 {
            let seed = Seed::from_number(seed);
            let short = Plan::new(&seed, 3, Duration::ZERO);
            assert_eq!(short, Plan::new(&seed, 3, Duration::ZERO));
            assert_eq!(kinds(&short).len(), Kind::ALL.len());
            let long = Plan::new(&seed, 3, Duration::from_secs(300));
            assert_eq!(kinds(&long)[&Kind::LoseDisk], 1);
            assert!(long.episodes() > 5 * short.episodes());
            for lane in long.lanes {
                let span: Duration = lane.iter().map(|episode| episode.pause + episode.lasts).sum();
                assert!(span <= Duration::from_secs(300) && span > Duration::from_secs(285), "{span:?}");
            }
        }
        assert_ne!(
            Plan::new(&Seed::from_number(1), 3, Duration::ZERO),
            Plan::new(&Seed::from_number(2), 3, Duration::ZERO)
        );
    }

    #[test]
    fn spells_name_two_different_hosts_that_exist() {
        for nodes in 2..6 {
            let plan = Plan::new(&Seed::from_number(9), nodes, Duration::from_secs(600));
            for episode in plan.lanes.iter().flatten() {
                match &episode.fault {
                    Fault::Network { spells, .. } => {
                        assert!(!spells.is_empty());
                        assert!(spells.iter().all(|spell| spell.from != spell.to));
                        assert!(spells.iter().all(|spell| spell.from.max(spell.to) <= nodes));
                    }
                    Fault::Pause { host } => assert!(*host <= nodes),
                    Fault::KillNode { node } | Fault::LoseDisk { node } => {
                        assert!((1..=nodes).contains(node));
                    }
                    Fault::FillDisk { node } | Fault::KillOnFullDisk { node } => assert_eq!(*node, nodes),
                    Fault::KillHub => {}
                }
            }
        }
    }
}
