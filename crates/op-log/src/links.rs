//! The linked peers, and which of them wants attention first.

use std::collections::BTreeMap;

use meshwork_base::{Deadline, SessionId};

use crate::sync::Link;

/// Every linked peer. What happens mostly concerns one of them, so that the others need not be asked what they wait for.
#[derive(Default)]
pub(crate) struct Links {
    of: BTreeMap<SessionId, Box<Link>>,
    /// The earliest deadline and whose it is, before what was touched.
    first: Option<(Deadline, SessionId)>,
    touched: Touched,
}

/// Whose deadline may have changed since the last [`Links::settle`].
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Touched {
    #[default]
    Nobody,
    One(SessionId),
    Many,
}

impl Links {
    pub(crate) fn insert(&mut self, peer: SessionId, link: Link) {
        self.touch(peer);
        self.of.insert(peer, Box::new(link));
    }

    pub(crate) fn remove(&mut self, peer: &SessionId) -> Option<Link> {
        self.touch(*peer);
        self.of.remove(peer).map(|link| *link)
    }

    pub(crate) fn contains(&self, peer: &SessionId) -> bool {
        self.of.contains_key(peer)
    }

    pub(crate) fn get(&self, peer: &SessionId) -> Option<&Link> {
        self.of.get(peer).map(|link| &**link)
    }

    pub(crate) fn get_mut(&mut self, peer: &SessionId) -> Option<&mut Link> {
        self.touch(*peer);
        self.of.get_mut(peer).map(|link| &mut **link)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&SessionId, &Link)> {
        self.of.iter().map(|(peer, link)| (peer, &**link))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Link> {
        self.of.values().map(|link| &**link)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&SessionId, &mut Link)> {
        self.touched = Touched::Many;
        self.of.iter_mut().map(|(peer, link)| (peer, &mut **link))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Link> {
        self.iter_mut().map(|(_, link)| link)
    }

    /// Everybody, to be gone through while links change.
    pub(crate) fn peers(&self) -> Vec<SessionId> {
        self.of.keys().copied().collect()
    }

    fn touch(&mut self, peer: SessionId) {
        self.touched = match self.touched {
            Touched::Nobody => Touched::One(peer),
            Touched::One(before) if before == peer => Touched::One(peer),
            _ => Touched::Many,
        };
    }

    /// The earliest deadline of all.
    pub(crate) fn due(&self) -> Option<Deadline> {
        self.first().map(|(deadline, _)| deadline)
    }

    fn first(&self) -> Option<(Deadline, SessionId)> {
        let touched = match self.touched {
            Touched::Nobody => return self.first,
            Touched::One(peer) => self.of.get(&peer).and_then(|link| Some((link.deadline()?, peer))),
            Touched::Many => return self.earliest(),
        };
        match (self.first, touched) {
            // Others may be earlier than it is now.
            (Some(first), after) if self.touched == Touched::One(first.1) && after != Some(first) => {
                self.earliest()
            }
            (Some(first), Some(touched)) => Some(first.min(touched)),
            (first, touched) => first.or(touched),
        }
    }

    fn earliest(&self) -> Option<(Deadline, SessionId)> {
        self.of.iter().filter_map(|(peer, link)| Some((link.deadline()?, *peer))).min()
    }

    /// Works out anew what [`due`](Self::due) tells. Call it when nobody will be touched for now.
    pub(crate) fn settle(&mut self) {
        self.first = self.first();
        self.touched = Touched::Nobody;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork_base::Monotonic;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_earliest_deadline_is_known_whoever_was_touched(
            steps in prop::collection::vec((0u8..5, prop::option::of(0u64..20), 0u8..4), 1..60)
        ) {
            let mut links = Links::default();
            for (peer, at, what) in steps {
                let (peer, announce_due) = (SessionId([peer; 16]), at.map(Monotonic));
                if what == 0 {
                    links.insert(peer, Link::default());
                }
                match what {
                    1 => drop(links.remove(&peer)),
                    2 => links.values_mut().for_each(|link| link.announce_due = announce_due),
                    _ => links.get_mut(&peer).into_iter().for_each(|link| link.announce_due = announce_due),
                }
                prop_assert_eq!(links.due(), links.values().filter_map(Link::deadline).min());
                if at.is_none_or(|at| at % 2 == 0) {
                    links.settle();
                    prop_assert_eq!(links.due(), links.values().filter_map(Link::deadline).min());
                }
            }
        }
    }
}
