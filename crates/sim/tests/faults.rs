//! Every kind of fault happens, changes what happens, and ends well. And each would be missed: there is a bug that shows
//! with it, and not without.

use meshwork_sim::{Bug, Kind, Outcome, Plan, Rate, Scenario, Trace, World};

/// Four nodes for a minute, with these faults.
fn scenario(kinds: &[Kind]) -> Scenario {
    let hidden = kinds.iter().any(|kind| matches!(kind, Kind::Throttle | Kind::Freeze));
    let longest_ms = if hidden { 120_000 } else { 20_000 };
    let faults = kinds.iter().map(|kind| (*kind, Rate { every_ms: 5_000, longest_ms })).collect();
    let active_s = if hidden { 240 } else { 60 };
    Scenario { nodes: [4, 4], active_s, settle_s: 120, edit_every_ms: 2_000, faults, ..Scenario::default() }
}

fn run(kinds: &[Kind], seed: u64, bug: Option<Bug>) -> Outcome {
    let world = World::new(Plan::draw(&scenario(kinds), seed), Trace::default());
    match bug {
        Some(bug) => world.with_bug(bug).run(),
        None => world.run(),
    }
}

#[test]
fn each_kind_happens_changes_something_and_ends_well() {
    for kind in Kind::ALL {
        let outcome = run(&[kind], 1, None);
        assert_eq!(outcome.violation, None, "{kind:?}");
        assert!(outcome.faults > 0, "{kind:?}");
        let mut calm = Plan::draw(&scenario(&[kind]), 1);
        calm.faults.clear();
        let calm = World::new(calm, Trace::default()).run();
        assert_eq!(calm.violation, None, "{kind:?}");
        assert_ne!(calm.trace, outcome.trace, "{kind:?}");
    }
}

/// Which bug shows with which fault. Where two are named, it does not show with the second alone.
const TABLE: [(&[Kind], Bug); 23] = [
    (&[Kind::Partition], Bug::NeverRedial),
    (&[Kind::OneWay], Bug::NeverRedial),
    (&[Kind::PairCut], Bug::NeverRedial),
    (&[Kind::Flap], Bug::NeverRedial),
    (&[Kind::Storm], Bug::ForgetLost),
    (&[Kind::Offline], Bug::NeverRedial),
    (&[Kind::Pause], Bug::NeverRedial),
    (&[Kind::HubCrash], Bug::NeverRejoin),
    (&[Kind::HubSlow], Bug::NeverRejoin),
    (&[Kind::HubCut], Bug::NeverRejoin),
    (&[Kind::HubLies], Bug::ObeyHub),
    (&[Kind::Crash], Bug::AcknowledgeEarly),
    (&[Kind::WriteAhead], Bug::ReuseIds),
    (&[Kind::TornWrite], Bug::ReuseIds),
    (&[Kind::Leave], Bug::LoseWrites),
    (&[Kind::DiskFull, Kind::Crash], Bug::AcknowledgeUnderPressure),
    (&[Kind::DiskSlow, Kind::Crash], Bug::AcknowledgeUnderPressure),
    (&[Kind::DiskUnreadable], Bug::NeverExpire),
    (&[Kind::DiskGone], Bug::NeverExpire),
    (&[Kind::ClockJump], Bug::WallClockTimers),
    (&[Kind::Throttle], Bug::NeverAway),
    (&[Kind::Freeze], Bug::NeverAway),
    (&[Kind::CloseTab], Bug::AcknowledgeEarly),
];

const SEEDS: u64 = 4;

#[test]
fn each_kind_uncovers_a_bug_that_nothing_shows_without_it() {
    let mut wrong = Vec::new();
    for (kinds, bug) in TABLE {
        let found = (0..SEEDS).find(|seed| run(kinds, *seed, Some(bug)).violation.is_some());
        let Some(seed) = found else {
            wrong.push(format!("{kinds:?}: {bug:?} is not found in {SEEDS} seeds"));
            continue;
        };
        if let Some(violation) = run(&kinds[1..], seed, Some(bug)).violation {
            wrong.push(format!("{bug:?} shows without {:?}: {violation}", kinds[0]));
        }
        if let Some(violation) = run(kinds, seed, None).violation {
            wrong.push(format!("{kinds:?}, seed {seed}, without {bug:?}: {violation}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
