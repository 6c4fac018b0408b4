//! What must hold, each in a file of its own.

pub mod causality;
pub mod convergence;
pub mod durability;
pub mod progress;

/// An invariant that was broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{invariant} is broken at {at_us} µs on node {node}: {what}")]
pub struct Violation {
    /// Which invariant.
    pub invariant: &'static str,
    /// When, in microseconds of virtual time.
    pub at_us: u64,
    /// On which node.
    pub node: usize,
    /// How.
    pub what: String,
}
