//! Random histories of nodes that write, crash, close, and are restored from backups.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use common::{
    Host, Rows, World,
    backup::{bodies, close, retired, start},
};
use meshwork_base::{Dot, Random, ReplicaId, Seed, Table, Version};
use meshwork_op_log::{Input, NewOperation};
use proptest::prelude::*;

const HOSTS: usize = 3;
const PAIRS: [(usize, usize); 3] = [(0, 1), (0, 2), (1, 2)];

/// What is known of one host beside its log.
#[derive(Clone, Default)]
struct Ledger {
    /// Written here, not stored yet.
    pending: Vec<String>,
    /// Written and stored here: to be found everywhere in the end.
    stored: BTreeSet<String>,
}

struct Copy {
    disk: Rows,
    ledger: Ledger,
    version: Version,
}

struct Histories {
    world: World,
    random: Random,
    ledgers: Vec<Ledger>,
    backups: Vec<Option<Copy>>,
    /// Operations that are numbered and on their way to the log.
    underway: Vec<Vec<NewOperation>>,
    /// Restored, and unaware of what was written since: under which replica.
    behind: Vec<Option<ReplicaId>>,
    /// What each author had named when it wrote: an operation that is issued again declares at least that.
    named: BTreeMap<String, BTreeMap<ReplicaId, u64>>,
    by_replica: BTreeMap<(usize, ReplicaId), BTreeMap<ReplicaId, u64>>,
    written: usize,
    maybe_twice: BTreeSet<String>,
}

impl Histories {
    fn new(seed: u64) -> Self {
        let mut world = World::new(HOSTS);
        world.forked = true;
        Self {
            world,
            random: Seed::from_number(seed).random(),
            ledgers: vec![Ledger::default(); HOSTS],
            backups: (0..HOSTS).map(|_| None).collect(),
            underway: vec![Vec::new(); HOSTS],
            behind: vec![None; HOSTS],
            named: BTreeMap::new(),
            by_replica: BTreeMap::new(),
            written: 0,
            maybe_twice: BTreeSet::new(),
        }
    }

    fn note(&mut self) {
        for (host, ledger) in self.world.hosts.iter().zip(&mut self.ledgers) {
            if ledger.pending.is_empty() {
                continue;
            }
            // It may have been issued again under another dot.
            let stored = host.log.last_operations(100_000).into_iter();
            let stored = stored.filter(|operation| host.stored.contains(operation.dot));
            let stored: BTreeSet<_> =
                stored.map(|operation| String::from_utf8_lossy(&operation.body).into_owned()).collect();
            let pending = std::mem::take(&mut ledger.pending);
            let (stored, pending) = pending.into_iter().partition(|body| stored.contains(body));
            ledger.stored.extend::<Vec<_>>(stored);
            ledger.pending = pending;
        }
        for host in 0..HOSTS {
            self.behind[host] = self.behind[host].filter(|replica| self.is_behind(host, replica));
        }
    }

    /// Whether there is another branch of `replica`, from which `host` was restored, in anybody's log or backup; or was,
    /// and its retirement is not stored, so that a crash brings the old branch back.
    fn is_behind(&self, host: usize, replica: &ReplicaId) -> bool {
        let log = &self.world.hosts[host].log;
        if log.incarnation().replica != *replica {
            return !self.world.hosts[host].writes.is_empty();
        }
        let live = self.world.hosts.iter().map(|host| host.log.version());
        let mut tips = live.chain(self.backups.iter().flatten().map(|copy| &copy.version));
        tips.any(|version| {
            version.tip(replica).is_some_and(|tip| {
                let same = log.operation(Dot::new(*replica, tip.sequence));
                same.is_none_or(|same| same.hash != tip.hash)
            })
        })
    }

    fn hand_in(&mut self, host: usize) {
        let operations = std::mem::take(&mut self.underway[host]);
        if !operations.is_empty() {
            self.world.feed(host, Some(Input::Append(operations)));
        }
    }

    fn write(&mut self, host: usize) {
        self.written += 1;
        let body = format!("{} of {host}", self.written);
        let operation = self.world.hosts[host].write(body.clone());
        let named = self.by_replica.entry((host, operation.dot.replica)).or_default();
        named.extend(operation.dependencies.iter().map(|dot| (dot.replica, dot.sequence)));
        self.named.insert(body.clone(), named.clone());
        self.ledgers[host].pending.push(body);
        self.underway[host].push(operation);
    }

    fn isolate(&mut self, host: usize) {
        for (a, b) in PAIRS {
            if a == host || b == host {
                self.world.cut(a, b);
            }
        }
    }

    /// The process ends, cleanly or not, and comes back.
    fn restart(&mut self, host: usize, clean: bool) {
        self.isolate(host);
        if clean {
            self.hand_in(host);
            close(&mut self.world, host);
            self.note();
        }
        self.note();
        self.underway[host].clear();
        self.ledgers[host].pending.clear();
        let (disk, seed) = (self.world.hosts[host].disk.clone(), self.random.below(u64::MAX));
        start(&mut self.world, host, disk, seed);
        let held: BTreeSet<_> = bodies(&self.world.hosts[host]).into_iter().collect();
        let lost: Vec<_> = self.ledgers[host].stored.difference(&held).collect();
        assert!(lost.is_empty(), "host {host} lost {lost:?} that it had stored");
    }

    fn back_up(&mut self, host: usize) {
        self.restart(host, true);
        // As closed, before it was opened again.
        let copy = close(&mut self.world, host);
        let (ledger, version) = (self.ledgers[host].clone(), self.world.hosts[host].log.version().clone());
        self.backups[host] = Some(Copy { disk: copy.clone(), ledger, version });
        let seed = self.random.below(u64::MAX);
        start(&mut self.world, host, copy, seed);
    }

    fn restore(&mut self, host: usize) {
        let Some(Copy { disk, ledger, .. }) = &self.backups[host] else { return };
        let (disk, ledger) = (disk.clone(), ledger.clone());
        self.isolate(host);
        self.underway[host].clear();
        self.ledgers[host] = ledger;
        let seed = self.random.below(u64::MAX);
        start(&mut self.world, host, disk, seed);
        // What nobody else holds may have been issued again by the original.
        for operation in self.world.hosts[host].log.last_operations(100_000) {
            let held = |other: usize| self.world.hosts[other].log.operation(operation.dot);
            let same = |other| held(other).is_some_and(|held| held.hash == operation.hash);
            if !(0..HOSTS).any(|other| other != host && same(other)) {
                self.maybe_twice.insert(String::from_utf8_lossy(&operation.body).into_owned());
            }
        }
        let replica = self.world.hosts[host].incarnation.replica;
        // What this copy had named by then is in its log.
        let own = self.world.hosts[host].log.last_operations(100_000).into_iter();
        let named = own.filter(|operation| operation.dot.replica == replica).flat_map(|own| own.dependencies);
        let mut newest = BTreeMap::new();
        for dot in named {
            let sequence = newest.entry(dot.replica).or_default();
            *sequence = dot.sequence.max(*sequence);
        }
        self.by_replica.insert((host, replica), newest);
        self.behind[host] = Some(replica);
    }

    /// A careful operator links a restored node first to one that knows all that the original had sent.
    fn may_link(&self, a: usize, b: usize) -> bool {
        let knows_all = |host: usize, other: usize| {
            let Some(replica) = self.behind[host] else { return true };
            let held = |host: usize| self.world.hosts[host].log.version().sequence(&replica);
            let rest = (0..HOSTS).filter(|rest| *rest != host);
            let copies = self.backups.iter().flatten().map(|copy| copy.version.sequence(&replica));
            rest.clone().all(|rest| held(rest) <= held(other))
                && copies.max() <= Some(held(other))
                // Nothing waits that might count yet.
                && rest.clone().all(|rest| self.world.hosts[rest].log.pending() == 0)
        };
        knows_all(a, b) && knows_all(b, a)
    }

    fn step(&mut self, careful: bool) {
        let (a, b) = PAIRS[self.random.below(3) as usize];
        let host = self.random.below(HOSTS as u64) as usize;
        match self.random.below(60) {
            0 => self.world.cut(a, b),
            1..=3 if !self.world.links.contains(&(a, b)) && (!careful || self.may_link(a, b)) => {
                self.world.link(a, b);
            }
            4 => {
                // A crash makes the operations of a copy final that had better be issued again.
                let clean = careful && self.behind[host].is_some() || self.random.chance(0.5);
                self.restart(host, clean);
            }
            5 => self.back_up(host),
            6 => self.restore(host),
            7..=12 => {
                self.write(host);
                if self.random.chance(0.8) {
                    self.hand_in(host);
                }
            }
            13 => self.hand_in(host),
            _ => self.world.stir(&mut self.random, 0.0, 0.05),
        }
        self.note();
    }

    /// All meet, and have time. Returns whether they did so with care.
    fn finish(&mut self) -> bool {
        (0..HOSTS).for_each(|host| self.hand_in(host));
        (0..HOSTS).for_each(|host| self.isolate(host));
        (0..HOSTS).for_each(|host| self.world.store(host));
        self.note();
        // The ones that are not restored any more do not count.
        self.backups.clear();
        let mut careful = true;
        loop {
            let open = PAIRS.into_iter().filter(|pair| !self.world.links.contains(pair));
            let (good, bad): (Vec<_>, Vec<_>) = open.partition(|(a, b)| self.may_link(*a, *b));
            let Some((a, b)) = good.first().or(bad.first()).copied() else { return careful };
            careful &= !good.is_empty();
            self.world.link(a, b);
            self.world.run(Duration::from_secs(10));
            self.note();
        }
    }

    fn check(&self, careful: bool) {
        if careful {
            self.world.assert_converged();
        } else {
            // What depends on operations that every disk was rolled back behind may have reached somebody: it waits
            // for ever.
            self.world.assert_agreed();
        }
        let held = bodies(&self.world.hosts[0]);
        for pair in held.windows(2).filter(|pair| pair[0] == pair[1]) {
            assert!(self.maybe_twice.contains(&pair[0]), "`{}` is said twice", pair[0]);
        }
        for (host, ledger) in self.ledgers.iter().enumerate() {
            for body in &ledger.stored {
                assert!(held.contains(body), "`{body}` was stored at host {host} and is lost");
            }
        }
        let mut all = self.world.hosts[0].log.last_operations(100_000);
        all.sort_unstable_by_key(|operation| operation.dot);
        let mut named: BTreeMap<ReplicaId, BTreeMap<ReplicaId, u64>> = BTreeMap::new();
        for operation in all {
            let Dot { replica, .. } = operation.dot;
            let named = named.entry(replica).or_default();
            named.extend(operation.dependencies.iter().map(|dot| (dot.replica, dot.sequence)));
            let said = String::from_utf8_lossy(&operation.body).into_owned();
            for (other, sequence) in self.named.get(&said).into_iter().flatten() {
                let known = named.get(other).copied().unwrap_or(0);
                assert!(
                    known >= *sequence || *other == replica,
                    "`{said}` no longer declares {other} {sequence}"
                );
            }
        }
    }
}

/// An operation of host 0 depends on one of host 1 and waits at host 2; then the disks of 0 and 1, which alone held what
/// it depends on, are both rolled back behind that. Nobody has it any more.
#[test]
fn what_depends_on_rolled_back_operations_waits_and_keeps_nobody_apart() {
    run(409_070_114_409_558_319, 302, false);
}

/// Returns how often a replica was retired, and whether two branches of one were sent.
fn run(seed: u64, steps: usize, careful: bool) -> (usize, bool, bool) {
    let mut histories = Histories::new(seed);
    for _ in 0..steps {
        histories.step(careful);
    }
    let careful = histories.finish() && careful;
    let proved = |host: &Host| host.disk.keys().any(|(table, _)| *table == Table::Proofs);
    let equivocated = histories.world.hosts.iter().any(proved);
    if !equivocated {
        histories.check(careful);
    }
    (histories.world.hosts.iter().map(retired).sum(), equivocated, careful)
}

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// The properties below say something: replicas are retired, and mostly nothing is contradicted.
#[test]
fn the_histories_are_eventful() {
    let runs: Vec<_> = (0..24).map(|seed| run(seed, 400, true)).collect();
    let retired: usize = runs.iter().map(|(retired, _, _)| retired).sum();
    let careful = runs.iter().filter(|(_, equivocated, careful)| *careful && !equivocated).count();
    assert!(retired >= 12 && careful >= 18, "{retired} retirements, {careful} careful histories");
}

proptest! {
    #![proptest_config(config())]

    /// Nobody links a restored node to one that knows less than the original had sent: nothing is contradicted, and
    /// what was stored and not restored away is everywhere, once, after what it depends on.
    #[test]
    fn restored_stores_converge(seed: u64, steps in 50usize..600) {
        let (_, equivocated, careful) = run(seed, steps, true);
        prop_assert!(!(careful && equivocated));
    }

    /// Anybody links to anybody. Where two branches of a replica were sent, each node still sees every operation once,
    /// after what it depends on, and nothing that was stored is missing when it opens again.
    #[test]
    fn restored_stores_that_contradict_themselves_keep_order(seed: u64, steps in 50usize..600) {
        run(seed, steps, false);
    }
}
