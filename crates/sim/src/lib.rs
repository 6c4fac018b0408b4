//! Many nodes on a virtual clock and a hostile network, in one thread.
//!
//! A [`World`] hosts the very machines and routes of a native node ([`meshwork::Mesh`]), each with a disk that forgets
//! what was not synced, beside the hub's machine and a network with delay, loss, duplication, reordering and
//! partitions. Everything that happens is drawn from one seed: the same seed gives the same [`Trace`], byte for byte,
//! in any process.
//!
//! Checked while it runs and at its end, each in a file of [`invariants`]: no operation is visible before what it
//! depends on; nodes that hold the same operations show the same state; what was acknowledged survives every crash;
//! once faults end, all nodes hold the same within bounded virtual time.
//!
//! ```
//! use meshwork_sim::{Scenario, Trace, World};
//! let mut calm = Scenario::named("calm").unwrap();
//! calm.active = std::time::Duration::from_secs(2);
//! let run = |seed| World::new(calm.clone(), seed, Trace::new(false)).run();
//! let first = run(1);
//! assert_eq!(first.violation, None);
//! assert_eq!(first.trace, run(1).trace);
//! assert_ne!(first.trace, run(2).trace);
//! ```

mod disk;
pub mod invariants;
mod network;
mod node;
mod scenario;
mod trace;
mod workload;
mod world;

pub use scenario::{NetworkFaults, Scenario};
pub use trace::Trace;
pub use world::{Outcome, World};
