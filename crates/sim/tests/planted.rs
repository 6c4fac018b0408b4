//! Every invariant notices what it is there for: bugs are planted, and the swarm finds each within so many seeds. The
//! same seeds are clean without.

use meshwork_sim::{Bug, Plan, Scenario, Trace, World};

/// Which bug, in which scenario, within how many seeds, by which invariants.
const TABLE: [(Bug, &str, u64, &[&str]); 13] = [
    (Bug::SkipDeduplication, "calm", 1, &["causality"]),
    (Bug::DeliverEarly, "calm", 1, &["causality", "convergence", "trust"]),
    (Bug::ForgetResends, "partitions", 4, &["convergence"]),
    (Bug::ArrivalOrder, "calm", 2, &["convergence"]),
    (Bug::AcknowledgeEarly, "chaos", 30, &["durability", "receipts"]),
    (Bug::LoseWrites, "chaos", 30, &["durability", "trust"]),
    (Bug::ConfirmAlone, "calm", 1, &["receipts"]),
    (Bug::NeverExpire, "chaos", 20, &["presence"]),
    (Bug::NeverAway, "browsers", 20, &["presence"]),
    (Bug::CorruptFrames, "calm", 1, &["trust", "convergence"]),
    (Bug::LoseDatagrams, "calm", 1, &["ephemeral"]),
    (Bug::Spin, "calm", 1, &["progress"]),
    (Bug::ReuseIds, "chaos", 30, &["equivocation", "trust", "convergence"]),
];

/// A shorter version of a scenario: what is planted shows soon.
fn short(name: &str) -> Scenario {
    let Ok(scenario) = Scenario::load(name) else { panic!("there is no scenario {name}") };
    Scenario { active_s: scenario.active_s.min(900), settle_s: scenario.settle_s.min(60), ..scenario }
}

/// What is not as the table says.
fn missed((bug, name, seeds, expected): (Bug, &str, u64, &[&str])) -> Option<String> {
    let scenario = short(name);
    let world = |seed| World::new(Plan::draw(&scenario, seed), Trace::default());
    let found = (0..seeds).find_map(|seed| Some((seed, world(seed).with_bug(bug).run().violation?)));
    let Some((seed, violation)) = found else {
        return Some(format!("{bug:?}: not found in {seeds} seeds of {name}"));
    };
    if !expected.contains(&violation.invariant) {
        return Some(format!("{bug:?}, seed {seed}: {violation}"));
    }
    let without = world(seed).run().violation?;
    Some(format!("{name}, seed {seed}, without {bug:?}: {without}"))
}

#[test]
fn every_planted_bug_is_found_and_the_same_seed_is_clean_without() {
    let missed: Vec<_> = TABLE.into_iter().filter_map(missed).collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
