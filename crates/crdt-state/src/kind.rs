//! What can live under a path.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of containers. Lists and text will be further ones.
///
/// The order breaks ties between kinds that one operation wrote under one path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One value, or several concurrent ones of which one wins.
    Register,
    /// Named children.
    Map,
    /// A sum of increments.
    Counter,
    /// Scalar values, each at most once; adding wins over removing.
    Set,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Register, Self::Map, Self::Counter, Self::Set];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Register => "a value",
            Self::Map => "a map",
            Self::Counter => "a counter",
            Self::Set => "a set",
        })
    }
}
