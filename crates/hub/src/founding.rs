//! Who may name the space of a room that is not known.
//!
//! A hub that restarts has forgotten which space lives in a room, and its members are about to come back. So as long as
//! it is young, a session without a space waits at the door of an unknown room: for one that has a space, or until the
//! hub is old enough.

use std::{collections::VecDeque, time::Duration};

use meshwork_base::{Deadline, Monotonic, SpaceId, Timestamp};
use meshwork_identity::{RoomAccess, RoomCode};

use crate::{ConnectionId, HubConfig};

/// What a session shows and asks for when it joins.
pub(crate) struct Join {
    pub(crate) space: SpaceId,
    pub(crate) adopt: bool,
    pub(crate) access: Option<RoomAccess>,
}

/// A session at a room's door.
pub(crate) struct Waiting {
    pub(crate) connection: ConnectionId,
    pub(crate) room: RoomCode,
    pub(crate) join: Join,
}

/// The hub's youth, and those who wait for its end.
#[derive(Default)]
pub(crate) struct Founding {
    /// When the youth ends; not known before [`begin`](Self::begin).
    until: Option<Monotonic>,
    /// In the order in which they came; at most one for each connection.
    waiting: VecDeque<Waiting>,
}

impl Founding {
    /// The life of a hub begins with the first that it is told, be it the time.
    pub(crate) fn begin(&mut self, now: Timestamp, config: &HubConfig) {
        self.until.get_or_insert(now.monotonic + Duration::from_millis(config.found_after_ms));
    }

    pub(crate) fn is_young(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now.monotonic < until)
    }

    pub(crate) fn wait(&mut self, waiting: Waiting) {
        self.waiting.push_back(waiting);
    }

    pub(crate) fn waits(&self, connection: ConnectionId) -> bool {
        self.waiting.iter().any(|waiting| waiting.connection == connection)
    }

    pub(crate) fn forget(&mut self, connection: ConnectionId) {
        self.waiting.retain(|waiting| waiting.connection != connection);
    }

    /// Those whose wait is over.
    pub(crate) fn take(&mut self, ready: impl Fn(&Waiting) -> bool) -> VecDeque<Waiting> {
        let (ready, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(ready);
        self.waiting = waiting;
        ready
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let until = self.until.filter(|_| !self.waiting.is_empty());
        until.map(|at| Deadline { at, why: "sessions that wait for a space" })
    }
}
