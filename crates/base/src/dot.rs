//! The id of an operation.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ReplicaId;

/// The `sequence`-th operation of `replica`; sequences start at 1 and have no gaps.
///
/// A dot is never used twice: two different operations under one dot prove that their author equivocates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dot {
    /// Who wrote it.
    pub replica: ReplicaId,
    /// Its number, from 1.
    pub sequence: u64,
}

impl Dot {
    /// The dot `(replica, sequence)`.
    pub const fn new(replica: ReplicaId, sequence: u64) -> Self {
        Self { replica, sequence }
    }
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.replica, self.sequence)
    }
}

impl fmt::Debug for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.replica.short(), self.sequence)
    }
}
