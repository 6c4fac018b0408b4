//! Every invariant can be broken, and says so.

use std::collections::BTreeMap;

use meshwork::{Deadline, Dot, Hash, Monotonic, ReplicaId, Tip, Version};
use meshwork_sim::invariants::{convergence::Convergence, durability::Durability, progress::Progress};

fn version(entries: &[(u8, u64)]) -> Version {
    let tip = |sequence| Tip { sequence, hash: Hash::of(b"tip") };
    let entries: BTreeMap<_, _> = entries.iter().map(|(id, n)| (ReplicaId([*id; 16]), tip(*n))).collect();
    entries.into_iter().collect()
}

#[test]
fn convergence_notices_two_states_of_one_version() {
    let mut convergence = Convergence::default();
    let held = version(&[(1, 3)]);
    assert_eq!(convergence.holds(&held, Hash::of(b"a")), Ok(()));
    assert_eq!(convergence.holds(&held, Hash::of(b"a")), Ok(()));
    assert_eq!(convergence.holds(&version(&[(1, 4)]), Hash::of(b"b")), Ok(()));
    assert!(convergence.holds(&held, Hash::of(b"b")).is_err());
}

#[test]
fn durability_notices_what_was_acknowledged_or_confirmed_and_is_missing() {
    let mut durability = Durability::default();
    durability.stored(0, version(&[(1, 3), (2, 1)]));
    assert_eq!(durability.restarted(0, &version(&[(1, 3), (2, 2)])), Ok(()));
    assert_eq!(durability.restarted(1, &version(&[])), Ok(()));
    assert!(durability.restarted(0, &version(&[(1, 3)])).is_err());
    durability.confirmed(Dot::new(ReplicaId([1; 16]), 3));
    assert_eq!(durability.settled(&version(&[(1, 3)])), Ok(()));
    assert!(durability.settled(&version(&[(1, 2)])).is_err());
}

#[test]
fn progress_notices_a_machine_that_spins() {
    let mut progress = Progress::default();
    let now = Monotonic(5);
    let due = Some(Deadline { at: now, why: "spin" });
    let later = Some(Deadline { at: Monotonic(6), why: "rest" });
    assert!((0..2000).all(|_| progress.asked(now, later).is_ok()));
    assert!((0..1000).all(|_| progress.asked(now, due).is_ok()));
    assert!(progress.asked(now, due).is_err());
}
