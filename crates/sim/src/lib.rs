//! Many nodes on a virtual clock in a hostile world, in one thread.
//!
//! A [`World`] hosts the very machines and routes of a native node ([`meshwork::Mesh`]), each with a disk and a clock of
//! its own, beside the hub's machine and a network. What happens to them is a [`Plan`], drawn from a [`Scenario`] and a
//! seed: the same seed gives the same [`Trace`], byte for byte, on any machine.
//!
//! - A [`Scenario`] says which faults there can be, how often and for how long. The named ones are files in
//!   `scenarios/`; a copy of one is a scenario of your own.
//! - A [`Plan`] is one run written down: who edits when, which fault begins when. A failing one can be made smaller by
//!   leaving things out.
//! - `invariants/` has one file for each thing that must hold, whatever happens.
//!
//! ```
//! use meshwork_sim::{Plan, Scenario, Trace, World};
//! let mut calm = Scenario::load("calm").unwrap();
//! calm.active_s = 2;
//! let run = |seed| World::new(Plan::draw(&calm, seed), Trace::default()).run();
//! let first = run(1);
//! assert_eq!(first.violation, None);
//! assert_eq!(first.trace, run(1).trace);
//! assert_ne!(first.trace, run(2).trace);
//! ```

mod clock;
mod disk;
mod fault;
mod hostile;
mod invariants;
mod lane;
mod minimise;
mod network;
mod node;
mod plan;
mod plant;
mod queue;
mod scenario;
mod trace;
mod workload;
mod world;

pub use clock::Clock;
pub use fault::{AfterCrash, Fault, Kind};
pub use hostile::Attack;
pub use invariants::Violation;
pub use minimise::minimise;
pub use plan::{Plan, PlannedEdit, PlannedFault};
pub use plant::Bug;
pub use scenario::{Clocks, Packets, Rate, Scenario, ScenarioError};
pub use trace::{Entry, Trace, What};
pub use world::{Outcome, Scale, World};
