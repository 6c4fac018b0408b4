//! Every attack is really made, harms nobody correct, and costs its author the links that it should.

use meshwork_sim::{Attack, Bug, Clock, Outcome, Packets, Plan, Scenario, Trace, World};

/// Three correct nodes and a hostile one that does only this, for twenty seconds. Where news have to travel, five in a
/// ring; where something has to pile up, for longer. What was made up about who is here may last for ten minutes.
fn plan(attack: Attack, seed: u64) -> Plan {
    let (nodes, unlinkable) = match attack {
        Attack::Equivocation | Attack::Slander | Attack::Crowd => (5, 1.0),
        _ => (3, 0.0),
    };
    let network = Packets { unlinkable, ..Packets::default() };
    let active_s = match attack {
        Attack::MissingDependency | Attack::Handshake => 60,
        Attack::Signals => 240,
        _ => 20,
    };
    let settle_s = match attack {
        Attack::Slander | Attack::Crowd => 700,
        // What depends on a liar waits for twice `waiting_told_ms`.
        Attack::Equivocation => 120,
        _ => 60,
    };
    let scenario = Scenario { nodes: [nodes, nodes], active_s, settle_s, network, ..Scenario::default() };
    let calm = Plan::draw(&scenario, seed);
    let clocks = [&calm.clocks[..], &[Clock::default()]].concat();
    Plan { hostile: vec![vec![attack]], clocks, ..calm }
}

fn run(attack: Attack, seed: u64, bug: Option<Bug>) -> Outcome {
    let world = World::new(plan(attack, seed), Trace::default());
    match bug {
        Some(bug) => world.with_bug(bug).run(),
        None => world.run(),
    }
}

#[test]
fn each_attack_is_made_and_ends_well() {
    for attack in Attack::ALL {
        for seed in 0..2 {
            let outcome = run(attack, seed, None);
            assert_eq!(outcome.violation, None, "{attack:?}, seed {seed}");
            let frames = outcome.attacks.get(&attack).copied().unwrap_or_default();
            // One of these ends the link for a minute; of the others there are many.
            let least = match attack {
                Attack::Garbage
                | Attack::Truncated
                | Attack::Oversized
                | Attack::Bomb
                | Attack::Forged
                | Attack::ImpossiblePresence => 3,
                Attack::Flood => 1_000,
                _ => 8,
            };
            assert!(frames >= least, "{attack:?}, seed {seed}: {frames} frames");
        }
    }
}

#[test]
fn an_attack_replays_exactly() {
    for attack in Attack::ALL {
        assert_eq!(run(attack, 1, None).trace, run(attack, 1, None).trace, "{attack:?}");
    }
}

/// Which bug, under which attack, within how many seeds, by which invariants.
const TABLE: [(Bug, Attack, u64, &[&str]); 12] = [
    (Bug::AcceptUnsigned, Attack::Forged, 1, &["containment", "trust", "equivocation"]),
    (Bug::TrustReceipts, Attack::Forged, 4, &["containment", "receipts"]),
    (Bug::NeverCut, Attack::Garbage, 1, &["containment"]),
    (Bug::NeverCut, Attack::Forged, 1, &["containment"]),
    (Bug::HideProofs, Attack::Equivocation, 4, &["equivocation", "convergence"]),
    (Bug::NeverCut, Attack::ImpossiblePresence, 1, &["containment"]),
    (Bug::HighestBeat, Attack::Slander, 2, &["presence"]),
    (Bug::NeverExpire, Attack::Crowd, 1, &["presence"]),
    (Bug::UnboundedRoster, Attack::Crowd, 1, &["bounds"]),
    (Bug::TrustProofs, Attack::Handshake, 2, &["containment"]),
    (Bug::LeaveOpen, Attack::Signals, 2, &["bounds"]),
    (Bug::UnboundedBuffer, Attack::MissingDependency, 2, &["bounds"]),
];

#[test]
fn every_planted_bug_is_found_and_the_same_seeds_are_clean_without() {
    for (bug, attack, seeds, expected) in TABLE {
        let found = (0..seeds).find_map(|seed| run(attack, seed, Some(bug)).violation);
        let Some(violation) = found else { panic!("{bug:?}: not found in {seeds} seeds") };
        assert!(expected.contains(&violation.invariant), "{bug:?}: {violation}");
        for seed in 0..seeds {
            assert_eq!(run(attack, seed, None).violation, None, "{attack:?}, seed {seed}, without {bug:?}");
        }
    }
}

/// Without the proof, nodes may also stay apart, which another invariant says; what they should show is asked for by itself.
#[test]
fn a_hidden_proof_is_missed() {
    let violation = |seed| run(Attack::Equivocation, seed, Some(Bug::HideProofs)).violation;
    assert!((0..4).filter_map(violation).any(|violation| violation.invariant == "equivocation"));
}
