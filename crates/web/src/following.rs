//! A tab that follows: another one writes the store, and what that one holds is durable here too.

use std::collections::{BTreeMap, VecDeque};

use meshwork::{ReplicaId, Version, WriteId};

/// What the writing tab has said to be stored, and the writes of this one that wait for it.
///
/// A write is answered once the writer holds all that this tab held when it asked. That is more than the write's own
/// rows, and all of it is on its way to the writer.
#[derive(Default)]
pub(crate) struct Following {
    held: BTreeMap<ReplicaId, u64>,
    waiting: VecDeque<(WriteId, Version)>,
}

impl Following {
    /// `write` waits until everything up to `version` is stored. Returns what can be answered now.
    pub(crate) fn wait(&mut self, write: WriteId, version: Version) -> Option<WriteId> {
        self.waiting.push_back((write, version.clone()));
        self.answered(&version)
    }

    /// The writer holds these too (`all`: and nothing else, as another writer says). `version`: what this tab holds now,
    /// since what it has given up meanwhile, of an author that contradicted itself, will not be stored. Returns what can
    /// be answered now.
    pub(crate) fn hold(
        &mut self,
        tips: BTreeMap<ReplicaId, u64>,
        all: bool,
        version: &Version,
    ) -> Option<WriteId> {
        if all {
            self.held = tips;
        } else {
            self.held.extend(tips);
        }
        self.answered(version)
    }

    fn answered(&mut self, now: &Version) -> Option<WriteId> {
        let held = |replica: &ReplicaId| self.held.get(replica).copied().unwrap_or(0);
        let is_held = |(_, version): &mut (WriteId, Version)| {
            version.iter().all(|(replica, tip)| held(replica) >= tip.sequence.min(now.sequence(replica)))
        };
        let mut last = None;
        while let Some((write, _)) = self.waiting.pop_front_if(is_held) {
            last = Some(write);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork::{Hash, Tip};

    fn version(tips: &[(u8, u64)]) -> Version {
        tips.iter()
            .map(|(id, sequence)| (ReplicaId([*id; 16]), Tip { sequence: *sequence, hash: Hash::ZERO }))
            .collect()
    }

    fn tips(tips: &[(u8, u64)]) -> BTreeMap<ReplicaId, u64> {
        tips.iter().map(|(id, sequence)| (ReplicaId([*id; 16]), *sequence)).collect()
    }

    #[test]
    fn a_write_is_answered_once_the_writer_holds_all_of_it() {
        let mut following = Following::default();
        let now = version(&[(1, 2), (2, 1)]);
        assert_eq!(following.wait(WriteId(1), version(&[])), Some(WriteId(1)));
        assert_eq!(following.wait(WriteId(2), version(&[(1, 2)])), None);
        assert_eq!(following.wait(WriteId(3), now.clone()), None);
        assert_eq!(following.hold(tips(&[(1, 1)]), true, &now), None);
        assert_eq!(following.hold(tips(&[(1, 2)]), false, &now), Some(WriteId(2)));
        assert_eq!(following.hold(tips(&[(2, 1)]), false, &now), Some(WriteId(3)));
    }

    #[test]
    fn another_writer_begins_with_what_it_holds_itself() {
        let mut following = Following::default();
        let now = version(&[(1, 1)]);
        following.hold(tips(&[(1, 5)]), true, &now);
        following.hold(tips(&[]), true, &now);
        assert_eq!(following.wait(WriteId(1), now.clone()), None);
        assert_eq!(following.hold(tips(&[(1, 1)]), false, &now), Some(WriteId(1)));
    }

    #[test]
    fn what_was_given_up_is_not_waited_for() {
        let mut following = Following::default();
        assert_eq!(following.wait(WriteId(1), version(&[(1, 9)])), None);
        assert_eq!(following.hold(tips(&[(1, 4)]), true, &version(&[(1, 4)])), Some(WriteId(1)));
    }
}
