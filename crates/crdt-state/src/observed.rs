//! Naming the operations whose values a mutation takes away.
//!
//! A body lists each replica once ([`Names`]) and then speaks of it by index. The author is listed like the others,
//! because the log may issue an operation again under another replica. [`Observed`] holds runs of sequences, written
//! as distances, so the ten thousand values of a freshly imported map are named in a few bytes.

use std::fmt;

use meshwork_base::{Dot, ReplicaId};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor},
    ser::SerializeSeq,
};

/// The replicas that one operation speaks of.
#[derive(Clone, Default, Debug)]
pub(crate) struct Names {
    listed: Vec<ReplicaId>,
    /// The same by id, each with its index.
    sorted: Vec<(ReplicaId, u32)>,
}

impl Names {
    /// The names as a body lists them; `None` when it lists one twice.
    pub(crate) fn new(listed: Vec<ReplicaId>) -> Option<Self> {
        let mut sorted: Vec<_> = listed.iter().copied().zip(0..).collect();
        sorted.sort_unstable();
        let distinct = sorted.is_sorted_by(|(a, _), (b, _)| a < b);
        distinct.then_some(Self { listed, sorted })
    }

    /// The replicas in the order of their indices.
    pub(crate) fn listed(&self) -> &[ReplicaId] {
        &self.listed
    }

    pub(crate) fn replica(&self, index: u32) -> Option<ReplicaId> {
        self.listed.get(index as usize).copied()
    }

    fn index(&self, replica: &ReplicaId) -> Option<u32> {
        let at = self.sorted.binary_search_by_key(replica, |(id, _)| *id).ok()?;
        self.sorted.get(at).map(|(_, index)| *index)
    }

    /// The index of `replica`, which is listed if it was not.
    pub(crate) fn intern(&mut self, replica: ReplicaId) -> u32 {
        if let Some(index) = self.index(&replica) {
            return index;
        }
        let index = self.listed.len() as u32;
        self.listed.push(replica);
        let at = self.sorted.partition_point(|(id, _)| *id < replica);
        self.sorted.insert(at, (replica, index));
        index
    }
}

/// The operations `first` to `last` of one replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    pub(crate) replica: u32,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// A set of dots: runs in ascending order of replica index and sequence, not overlapping.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Observed(Vec<Run>);

impl Observed {
    /// The given dots, in any order and with repetitions.
    pub(crate) fn of(mut dots: Vec<Dot>, names: &mut Names) -> Self {
        if dots.len() > 1 {
            dots.sort_unstable();
            dots.dedup();
        }
        let mut runs: Vec<Run> = Vec::with_capacity(1.min(dots.len()));
        let mut previous: Option<Dot> = None;
        for dot in dots {
            match (runs.last_mut(), previous) {
                (Some(run), Some(before))
                    if before.replica == dot.replica
                        && before.sequence.checked_add(1) == Some(dot.sequence) =>
                {
                    run.last = dot.sequence;
                }
                _ => runs.push(Run {
                    replica: names.intern(dot.replica),
                    first: dot.sequence,
                    last: dot.sequence,
                }),
            }
            previous = Some(dot);
        }
        runs.sort_unstable_by_key(|run| (run.replica, run.first));
        Self(runs)
    }

    pub(crate) const EMPTY: Self = Self(Vec::new());

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps what lies within `bounds`, one for each index; `None` when an index has none.
    pub(crate) fn within(mut self, bounds: &[u64]) -> Option<Self> {
        if self.0.iter().any(|run| run.replica as usize >= bounds.len()) {
            return None;
        }
        self.0.retain_mut(|run| {
            run.last = bounds.get(run.replica as usize).copied().unwrap_or(0).min(run.last);
            run.first <= run.last
        });
        Some(self)
    }

    pub(crate) fn contains(&self, names: &Names, dot: Dot) -> bool {
        Self::any_contains(&[self], names, dot)
    }

    /// Whether any of `sets` holds `dot`.
    pub(crate) fn any_contains(sets: &[&Self], names: &Names, dot: Dot) -> bool {
        let Some(replica) = names.index(&dot.replica) else { return false };
        sets.iter().any(|set| set.holds(replica, dot.sequence))
    }

    fn holds(&self, replica: u32, sequence: u64) -> bool {
        let after = self.0.partition_point(|run| (run.replica, run.first) <= (replica, sequence));
        let run = after.checked_sub(1).and_then(|at| self.0.get(at));
        run.is_some_and(|run| run.replica == replica && sequence <= run.last)
    }

    /// Adds the runs of `other` as they are. To be [settled](Self::settle) before anything is looked up.
    pub(crate) fn append(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// Makes one set of what was appended: runs in order, each dot in one.
    pub(crate) fn settle(&mut self) {
        self.0.sort_unstable_by_key(|run| (run.replica, run.first));
        self.0.dedup_by(|next, run| {
            let meets = next.replica == run.replica && next.first <= run.last.saturating_add(1);
            if meets {
                run.last = run.last.max(next.last);
            }
            meets
        });
    }
}

/// Each run as `(replica, distance from the end of the replica's previous run, length - 1)`.
impl Serialize for Observed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.0.len()))?;
        let mut end = (0u32, 0u64);
        for run in &self.0 {
            let before = if end.0 == run.replica { end.1 } else { 0 };
            sequence.serialize_element(&(run.replica, run.first - before, run.last - run.first))?;
            end = (run.replica, run.last);
        }
        sequence.end()
    }
}

impl<'de> Deserialize<'de> for Observed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Runs;
        impl<'de> Visitor<'de> for Runs {
            type Value = Observed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("runs of dots")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Observed, A::Error> {
                let mut runs: Vec<Run> = Vec::new();
                let mut end = (0u32, 0u64);
                while let Some((replica, distance, more)) = sequence.next_element::<(u32, u64, u64)>()? {
                    let before = if end.0 == replica { end.1 } else { 0 };
                    let first = before.checked_add(distance).filter(|_| distance > 0 && replica >= end.0);
                    let last = first.and_then(|first| first.checked_add(more));
                    let (Some(first), Some(last)) = (first, last) else {
                        return Err(A::Error::custom("runs of dots out of order"));
                    };
                    runs.push(Run { replica, first, last });
                    end = (replica, last);
                }
                Ok(Observed(runs))
            }
        }
        deserializer.deserialize_seq(Runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork_wire::{decode, encode};
    use proptest::prelude::*;

    fn dot((replica, sequence): (u8, u64)) -> Dot {
        Dot::new(ReplicaId([replica; 16]), sequence)
    }

    /// Mostly small, sometimes nothing, sometimes beyond the end.
    fn distance() -> impl Strategy<Value = u64> {
        prop_oneof![1 => Just(0), 12 => 1u64..5, 1 => Just(u64::MAX - 3), 1 => Just(u64::MAX)]
    }

    proptest! {
        #[test]
        fn the_set_holds_exactly_its_dots_and_survives_the_wire(
            dots in prop::collection::vec((0u8..4, 1u64..20), 0..40),
        ) {
            let mut names = Names::default();
            let observed = Observed::of(dots.iter().copied().map(dot).collect(), &mut names);
            let decoded: Observed = decode(&encode(&observed).unwrap()).unwrap();
            prop_assert_eq!(&decoded, &observed);
            for candidate in (0u8..5).flat_map(|replica| (0..21).map(move |sequence| (replica, sequence))) {
                prop_assert_eq!(observed.contains(&names, dot(candidate)), dots.contains(&candidate));
            }
        }

        #[test]
        fn appended_sets_settle_into_their_union(
            parts in prop::collection::vec(prop::collection::vec((0u8..3, 1u64..20), 0..8), 0..5),
        ) {
            let mut names = Names::default();
            let mut union = Observed::default();
            for dots in &parts {
                union.append(&Observed::of(dots.iter().copied().map(dot).collect(), &mut names));
            }
            union.settle();
            let dots = parts.concat().into_iter().map(dot).collect();
            prop_assert_eq!(union, Observed::of(dots, &mut names));
        }

        #[test]
        fn runs_in_order_are_a_set_and_others_an_error(
            mut runs in prop::collection::vec((0u32..3, distance(), distance()), 0..6), sort: bool,
        ) {
            if sort {
                runs.sort_by_key(|(replica, ..)| *replica);
            }
            // Where each run lies, in numbers that do not end.
            let mut end = (0, 0u128);
            let lie = |(replica, distance, more): &(u32, u64, u64)| {
                let first = if end.0 == *replica { end.1 } else { 0 } + u128::from(*distance);
                let last = first + u128::from(*more);
                let valid = *distance > 0 && *replica >= end.0 && last <= u64::MAX.into();
                end = (*replica, last);
                valid.then_some((*replica, first, last))
            };
            let expected: Option<Vec<_>> = runs.iter().map(lie).collect();
            let decoded = decode::<Observed>(&encode(&runs).unwrap()).ok();
            let found = decoded.as_ref().map(|observed| {
                let run = |run: &Run| (run.replica, run.first.into(), run.last.into());
                observed.0.iter().map(run).collect::<Vec<(u32, u128, u128)>>()
            });
            prop_assert_eq!(found, expected);
            if let Some(observed) = decoded {
                prop_assert!(observed.0.is_sorted_by(|a, b| (a.replica, a.last) < (b.replica, b.first)));
                prop_assert_eq!(encode(&observed).unwrap(), encode(&runs).unwrap());
            }
        }
    }

    #[test]
    fn a_fresh_import_is_named_in_a_few_bytes() {
        let mut names = Names::default();
        let dots = (1..=10_000).map(|sequence| dot((1, sequence))).collect();
        assert_eq!(encode(&Observed::of(dots, &mut names)).unwrap().len(), 6);
    }
}
