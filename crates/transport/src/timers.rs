//! When which session wants attention.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use meshwork_base::{Deadline, Monotonic, SessionId, Timestamp};

/// One deadline per session, the earliest at hand.
///
/// Whatever is heard over a link puts its deadline off, and most deadlines are put off many times before they come near.
/// So a session moves back in the order only when it is the first there.
///
/// Invariants: a session's rank is no later than its deadline, and the first one's is its deadline.
#[derive(Default, Debug)]
pub(crate) struct Timers {
    of: BTreeMap<SessionId, Timer>,
    order: BTreeSet<(Monotonic, SessionId)>,
}

#[derive(Debug)]
struct Timer {
    deadline: Deadline,
    rank: Monotonic,
}

impl Timers {
    pub(crate) fn set(&mut self, session: SessionId, deadline: Option<Deadline>) {
        match (self.of.entry(session), deadline) {
            (Entry::Vacant(_), None) => return,
            (Entry::Vacant(entry), Some(deadline)) => {
                entry.insert(Timer { deadline, rank: deadline.at });
                self.order.insert((deadline.at, session));
            }
            (Entry::Occupied(entry), None) => {
                self.order.remove(&(entry.remove().rank, session));
            }
            (Entry::Occupied(entry), Some(deadline)) => {
                let timer = entry.into_mut();
                timer.deadline = deadline;
                if deadline.at < timer.rank {
                    self.order.remove(&(timer.rank, session));
                    timer.rank = deadline.at;
                    self.order.insert((deadline.at, session));
                } else if self.order.first() != Some(&(timer.rank, session)) {
                    return;
                }
            }
        }
        self.settle();
    }

    /// Moves back whoever is first and was put off.
    fn settle(&mut self) {
        while let Some((rank, session)) = self.order.first().copied() {
            match self.of.get_mut(&session) {
                Some(timer) if timer.deadline.at == rank => return,
                Some(timer) => {
                    timer.rank = timer.deadline.at;
                    self.order.insert((timer.deadline.at, session));
                }
                None => {}
            }
            self.order.remove(&(rank, session));
        }
    }

    pub(crate) fn first(&self) -> Option<Deadline> {
        self.order.first().and_then(|(_, session)| Some(self.of.get(session)?.deadline))
    }

    /// The sessions whose deadline has come, in order.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<SessionId> {
        let ranked = self.order.iter().take_while(|(rank, _)| *rank <= now.monotonic);
        let all = ranked.filter_map(|(_, session)| Some((self.of.get(session)?.deadline, *session)));
        let mut due: Vec<(Deadline, SessionId)> = all.filter(|(deadline, _)| deadline.is_due(now)).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, session)| session).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork_base::Monotonic;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_and_the_due_are_those_of_all_deadlines(
            steps in prop::collection::vec((0u8..6, prop::option::of(0u64..40), 0u64..40), 1..80)
        ) {
            let (mut timers, mut all) = (Timers::default(), BTreeMap::new());
            for (session, at, now) in steps {
                let session = SessionId([session; 16]);
                let deadline = at.map(|at| Deadline { at: Monotonic(at), why: "a test" });
                timers.set(session, deadline);
                match deadline {
                    Some(deadline) => all.insert(session, deadline),
                    None => all.remove(&session),
                };
                prop_assert_eq!(timers.first(), all.values().min().copied());
                let now = Timestamp { monotonic: Monotonic(now), wall_ms: 0 };
                let mut due: Vec<_> = all.iter().filter(|(_, deadline)| deadline.is_due(now)).collect();
                due.sort_unstable_by_key(|(session, deadline)| (**deadline, **session));
                let due: Vec<SessionId> = due.into_iter().map(|(session, _)| *session).collect();
                prop_assert_eq!(timers.due(now), due);
            }
        }
    }
}
