//! When which session wants attention.

use std::collections::{BTreeMap, BTreeSet};

use meshwork_base::{Deadline, SessionId, Timestamp};

/// One deadline per session, the earliest at hand.
#[derive(Default, Debug)]
pub(crate) struct Timers {
    of: BTreeMap<SessionId, Deadline>,
    order: BTreeSet<(Deadline, SessionId)>,
}

impl Timers {
    pub(crate) fn set(&mut self, session: SessionId, deadline: Option<Deadline>) {
        let before = match deadline {
            Some(deadline) => self.of.insert(session, deadline),
            None => self.of.remove(&session),
        };
        if before != deadline {
            if let Some(before) = before {
                self.order.remove(&(before, session));
            }
            self.order.extend(deadline.map(|deadline| (deadline, session)));
        }
    }

    pub(crate) fn first(&self) -> Option<Deadline> {
        self.order.first().map(|(deadline, _)| *deadline)
    }

    /// The sessions whose deadline has come, in order.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<SessionId> {
        self.order
            .iter()
            .take_while(|(deadline, _)| deadline.is_due(now))
            .map(|(_, session)| *session)
            .collect()
    }
}
