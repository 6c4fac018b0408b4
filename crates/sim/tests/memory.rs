//! Nothing that is sent to a node makes it take more memory than it may: nodes die in the middle of every attack, and what
//! the allocator gets back of each is counted.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

use meshwork_sim::{
    AfterCrash, Attack, Bug, Clock, Fault, Outcome, Plan, PlannedFault, Scenario, Trace, World,
};

/// Three correct nodes and one that does nothing but this for a minute; every fifteen seconds one of them dies.
fn plan(attack: Attack, seed: u64) -> Plan {
    let scenario = Scenario { nodes: [3, 3], active_s: 60, settle_s: 700, ..Scenario::default() };
    let calm = Plan::draw(&scenario, seed);
    let crash = |number: usize| PlannedFault {
        at_ms: 15_000 * number as u64,
        lasts_ms: 100,
        fault: Fault::Crash { node: number % 3, after_effects: 0, disk: AfterCrash::Synced },
    };
    let clocks = [&calm.clocks[..], &[Clock::default()]].concat();
    Plan { hostile: vec![vec![attack]], clocks, faults: (1..4).map(crash).collect(), ..calm }
}

/// What freeing something gives back.
fn freed(free: &mut dyn FnMut()) -> u64 {
    (-allocation_counter::measure(free).bytes_current).try_into().unwrap()
}

fn run(attack: Attack, bug: Option<Bug>) -> Outcome {
    let world = World::new(plan(attack, 0), Trace::default()).with_scale(freed);
    match bug {
        Some(bug) => world.with_bug(bug).run(),
        None => world.run(),
    }
}

#[test]
fn no_attack_makes_a_node_larger_than_it_may_be() {
    for attack in Attack::ALL {
        assert_eq!(run(attack, None).violation, None, "{attack:?}");
    }
}

#[test]
fn a_node_that_keeps_what_it_need_not_is_noticed() {
    let violation = run(Attack::Flood, Some(Bug::Hoard)).violation.unwrap();
    assert_eq!(violation.invariant, "memory", "{violation}");
}
