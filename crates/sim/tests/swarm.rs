//! A few seeds of every scenario, and the promise that a seed replays exactly.

use std::process::Command;

use meshwork_sim::{Plan, Scenario, Trace, World};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshwork-sim"));
    command.args(arguments);
    command
}

#[test]
fn every_short_scenario_keeps_its_invariants() {
    for name in ["calm", "lossy", "partitions", "disks", "hostile", "chaos", "siege"] {
        let scenario = Scenario::load(name).unwrap();
        let (mut edits, mut faults) = (0, 0);
        for seed in 1000..1008 {
            let outcome = World::new(Plan::draw(&scenario, seed), Trace::default()).run();
            let again = format!("cargo run --release -p meshwork-sim -- run --scenario {name} --seed {seed}");
            assert_eq!(outcome.violation, None, "{again}");
            (edits, faults) = (edits + outcome.edits, faults + outcome.faults);
        }
        assert!(edits > 100, "{name}: {edits} edits");
        assert_eq!(faults > 0, !scenario.faults.is_empty(), "{name}: {faults} faults");
    }
}

#[test]
fn a_seed_replays_to_the_same_trace_in_another_process() {
    let run = || {
        let output = program(&["run", "--scenario", "chaos", "--seed", "7"]).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let here = World::new(Plan::draw(&Scenario::load("chaos").unwrap(), 7), Trace::default()).run();
    for there in [run(), run()] {
        assert!(there.contains(&here.trace.to_string()), "{there}");
    }
}

#[test]
fn a_plan_that_was_written_down_is_the_same_run() {
    let scenario = Scenario::load("chaos").unwrap();
    for seed in 0..20 {
        let plan = Plan::draw(&scenario, seed);
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
        plan.validate().unwrap();
    }
}

#[test]
fn bad_arguments_are_named() {
    let table: [(&[&str], &str); 4] = [
        (&["run", "--scenario", "storm", "--seed", "1"], "there is no scenario `storm`: name one of calm"),
        (&["swarm", "--scenario", "calm", "--seeds", "5..5"], "5..5 names no seed"),
        (&["swarm", "--seeds", "5"], "a range is A..B"),
        (&["run", "--plan", "no-such-plan.json"], "no-such-plan.json"),
    ];
    for (arguments, expected) in table {
        let output = program(arguments).output().unwrap();
        assert!(!output.status.success());
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn runs_can_be_read_and_seen() {
    let replay = program(&["replay", "--scenario", "calm", "--seed", "1", "--node", "2", "--events", "2000"])
        .output()
        .unwrap();
    let text = String::from_utf8(replay.stdout).unwrap();
    assert!(text.contains("node 2") && text.contains("starts") && !text.contains("node 1 "), "{text}");

    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("run.svg");
    let picture = picture.to_str().unwrap();
    assert!(
        program(&["plot", "--seed", "3", "--seconds", "20", "--output", picture])
            .output()
            .unwrap()
            .status
            .success()
    );
    let svg = std::fs::read_to_string(picture).unwrap();
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("<title>edit</title>") && svg.contains("<polyline"));

    let clean = program(&["minimise", "--scenario", "calm", "--seed", "1"]).output().unwrap();
    assert!(String::from_utf8(clean.stderr).unwrap().contains("breaks no invariant"));
}
