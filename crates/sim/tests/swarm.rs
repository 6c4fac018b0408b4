//! A few seeds of every scenario, and the promise that a seed replays exactly.

use std::process::Command;

use meshwork_sim::{Scenario, Trace, World};

#[test]
fn every_scenario_keeps_its_invariants() {
    for name in Scenario::NAMES {
        let scenario = Scenario::named(name).unwrap();
        for seed in 1000..1008 {
            let outcome = World::new(scenario.clone(), seed, Trace::new(false)).run();
            assert_eq!(
                outcome.violation, None,
                "cargo run -p meshwork-sim -- run --scenario {name} --seed {seed}"
            );
            assert!(outcome.edits > 0);
        }
    }
}

#[test]
fn a_seed_replays_to_the_same_trace_in_another_process() {
    let run = || {
        let output = Command::new(env!("CARGO_BIN_EXE_meshwork-sim"))
            .args(["run", "--scenario", "chaos", "--seed", "7"])
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let first = run();
    assert_eq!(first, run());
    let here = World::new(Scenario::named("chaos").unwrap(), 7, Trace::new(false)).run();
    assert!(first.contains(&here.trace.to_string()), "{first}");
}

#[test]
fn bad_arguments_are_named() {
    for (arguments, expected) in [
        (["run", "--scenario", "storm", "--seed", "1"], "there is no scenario `storm`; there are calm"),
        (["swarm", "--scenario", "calm", "--seeds", "5..5"], "names no seed"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_meshwork-sim")).args(arguments).output().unwrap();
        assert!(!output.status.success());
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(expected), "{text}");
    }
}
