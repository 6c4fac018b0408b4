//! What a hub tells of itself.

use serde::{Deserialize, Serialize};

/// Counts, for `GET /api/stats`. There is none of application data, because none passes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Stats {
    /// Rooms, the empty ones that are still remembered among them.
    pub rooms: usize,
    /// Sessions in rooms.
    pub peers: usize,
    /// Open connections.
    pub connections: usize,
    /// Signals since the start.
    pub signalling: Signalling,
}

/// Signals since the start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Signalling {
    /// Offers taken.
    pub offers: u64,
    /// Answers taken.
    pub answers: u64,
    /// Candidates taken.
    pub candidates: u64,
    /// Taken, but not delivered in time.
    pub expired: u64,
    /// Not taken: for somebody who is not in the room, or over a bound.
    pub refused: u64,
}
