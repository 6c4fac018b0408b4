//! Blocks that wait: for the block before them, or for what their first operation depends on.

use std::collections::{BTreeMap, BTreeSet};

use meshwork_base::{Dot, ReplicaId, SessionId};

use crate::{Operation, block::Block};

/// What each peer may leave waiting here, and what may wait that no peer brought.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes_max: usize,
    pub(crate) blocks_max: usize,
}

/// A verified block that cannot be linked yet.
#[derive(Debug)]
struct Waiting {
    block: Block,
    from: Option<SessionId>,
}

#[derive(Default, Debug)]
struct Usage {
    bytes: usize,
    blocks: usize,
}

/// The buffer, bounded for each peer: what it drops is asked for again by anti-entropy. For what no peer brought, whoever
/// hands it in is told to wait ([`has_room`](Self::has_room)).
#[derive(Default, Debug)]
pub(crate) struct Buffer {
    waiting: BTreeMap<(ReplicaId, u64), Waiting>,
    usage: BTreeMap<Option<SessionId>, Usage>,
    operations: usize,
    /// Which replica waits for which operation, and the same by replica: each waits for one.
    waiters: BTreeSet<(Dot, ReplicaId)>,
    waits_for: BTreeMap<ReplicaId, Box<Wait>>,
}

/// What a replica waits for.
#[derive(Clone, Copy, Debug)]
struct Wait {
    dot: Dot,
    /// The beginning of the waiting block that needs it; none when an operation that is linked already does.
    block: Option<u64>,
}

/// What a block takes in memory.
fn cost(block: &Block) -> usize {
    block.outline.bytes.len() + block.operations.len() * size_of::<Operation>()
}

impl Buffer {
    /// How many operations wait.
    pub(crate) fn operations(&self) -> usize {
        self.operations
    }

    /// How many of `replica` do.
    pub(crate) fn operations_of(&self, replica: &ReplicaId) -> usize {
        let blocks = self.waiting.range((*replica, 0)..=(*replica, u64::MAX));
        blocks.map(|(_, waiting)| waiting.block.operations.len()).sum()
    }

    /// The most bytes and the most blocks that one peer left waiting.
    pub(crate) fn fullest(&self) -> (usize, usize) {
        let usage = self.usage.values();
        usage.fold((0, 0), |(bytes, blocks), one| (bytes.max(one.bytes), blocks.max(one.blocks)))
    }

    /// Whether exactly these bytes wait already: they are verified.
    pub(crate) fn contains(&self, replica: &ReplicaId, first: u64, bytes: &[u8]) -> bool {
        self.waiting.get(&(*replica, first)).is_some_and(|waiting| waiting.block.outline.bytes == bytes)
    }

    /// Adds a block; of two with one beginning the longer stays.
    pub(crate) fn insert(&mut self, block: Block, from: Option<SessionId>) {
        let key = (block.outline.replica, block.outline.first);
        if self.waiting.get(&key).is_some_and(|waiting| waiting.block.outline.last >= block.outline.last) {
            return;
        }
        self.remove(&key);
        self.operations += block.operations.len();
        let usage = self.usage.entry(from).or_default();
        usage.bytes += cost(&block);
        usage.blocks += 1;
        self.waiting.insert(key, Waiting { block, from });
    }

    /// Drops a block, and what it alone waits for.
    fn remove(&mut self, key: &(ReplicaId, u64)) {
        if self.waits_for.get(&key.0).is_some_and(|wait| wait.block == Some(key.1)) {
            match (self.overlapping(key), self.waits_for.get_mut(&key.0)) {
                (Some(first), Some(wait)) => wait.block = Some(first),
                _ => drop(self.stop_waiting(&key.0)),
            }
        }
        self.take(key);
    }

    /// Where an earlier block begins that also holds the first operation of this one: peers merge blocks differently.
    fn overlapping(&self, (replica, first): &(ReplicaId, u64)) -> Option<u64> {
        let mut before = self.waiting.range((*replica, 0)..(*replica, *first)).rev();
        let other = before.find(|(_, waiting)| waiting.block.outline.last >= *first);
        other.map(|((_, begins), _)| *begins)
    }

    fn take(&mut self, key: &(ReplicaId, u64)) -> Option<Block> {
        let Waiting { block, from } = self.waiting.remove(key)?;
        self.operations -= block.operations.len();
        if let Some(usage) = self.usage.get_mut(&from) {
            usage.bytes -= cost(&block);
            usage.blocks -= 1;
            if usage.blocks == 0 {
                self.usage.remove(&from);
            }
        }
        Some(block)
    }

    /// Whether a block that no peer brought may wait.
    pub(crate) fn has_room(&self, block: &Block, bounds: Bounds) -> bool {
        let (bytes, blocks) = self.usage.get(&None).map_or((0, 0), |usage| (usage.bytes, usage.blocks));
        bytes + cost(block) <= bounds.bytes_max && blocks < bounds.blocks_max
    }

    /// Takes out a block that begins at or before `end + 1`, the last such first.
    pub(crate) fn take_next(&mut self, replica: &ReplicaId, end: u64) -> Option<(Block, Option<SessionId>)> {
        let range = (*replica, 0)..=(*replica, end.saturating_add(1));
        let (key, waiting) = self.waiting.range(range).next_back()?;
        let (key, from) = (*key, waiting.from);
        self.take(&key).map(|block| (block, from))
    }

    /// Drops blocks of `peer`, those farthest ahead of what is linked first, until it is within its bounds.
    pub(crate) fn shrink(&mut self, peer: &SessionId, bounds: Bounds, end: impl Fn(&ReplicaId) -> u64) {
        let over = |usage: &Usage| usage.bytes > bounds.bytes_max || usage.blocks > bounds.blocks_max;
        let peer = Some(*peer);
        if !self.usage.get(&peer).is_some_and(over) {
            return;
        }
        let mine = self.waiting.iter().filter(|(_, waiting)| waiting.from == peer);
        let mut farthest: Vec<_> = mine
            .map(|((replica, first), _)| (first.saturating_sub(end(replica)), *replica, *first))
            .collect();
        farthest.sort_unstable();
        // A quarter at a time, so that a peer at its bound does not cost a scan for every block.
        let target = Bounds { bytes_max: bounds.bytes_max / 4 * 3, blocks_max: bounds.blocks_max / 4 * 3 };
        let over = |usage: &Usage| usage.bytes > target.bytes_max || usage.blocks > target.blocks_max;
        while self.usage.get(&peer).is_some_and(over)
            && let Some((_, replica, first)) = farthest.pop()
        {
            self.remove(&(replica, first));
        }
    }

    /// Drops whatever `peer` left waiting; others are asked for it.
    pub(crate) fn forget(&mut self, peer: &SessionId) {
        let mine = self.waiting.iter().filter(|(_, waiting)| waiting.from == Some(*peer));
        let keys: Vec<_> = mine.map(|(key, _)| *key).collect();
        for key in keys {
            self.remove(&key);
        }
    }

    /// Notes that `replica` goes no further until `dot` is there; false if that was known. `block`: where the waiting
    /// block begins that needs it; none when an operation that is linked already does.
    pub(crate) fn wait(&mut self, replica: ReplicaId, dot: Dot, block: Option<u64>) -> bool {
        let before = self.stop_waiting(&replica);
        self.waits_for.insert(replica, Box::new(Wait { dot, block }));
        self.waiters.insert((dot, replica));
        before != Some(dot)
    }

    fn stop_waiting(&mut self, replica: &ReplicaId) -> Option<Dot> {
        let Wait { dot, .. } = *self.waits_for.remove(replica)?;
        self.waiters.remove(&(dot, *replica));
        Some(dot)
    }

    /// Takes out the replicas that wait for operations of `replica` up to `held`.
    pub(crate) fn wake(&mut self, replica: &ReplicaId, held: u64) -> Vec<ReplicaId> {
        let end = (Dot::new(*replica, held.saturating_add(1)), ReplicaId([0; 16]));
        let range = (Dot::new(*replica, 0), ReplicaId([0; 16]))..end;
        let woken: Vec<_> = self.waiters.range(range).copied().collect();
        for waiter in &woken {
            self.waiters.remove(waiter);
            self.waits_for.remove(&waiter.1);
        }
        woken.into_iter().map(|(_, waiter)| waiter).collect()
    }

    /// The last operation of `replica` that another one waits for; 0 if none.
    pub(crate) fn needed(&self, replica: &ReplicaId) -> u64 {
        let range = (Dot::new(*replica, 0), ReplicaId([0; 16]))
            ..=(Dot::new(*replica, u64::MAX), ReplicaId([255; 16]));
        self.waiters.range(range).next_back().map_or(0, |(dot, _)| dot.sequence)
    }

    /// What is waited for. One dot may come more than once.
    pub(crate) fn missing(&self) -> impl Iterator<Item = Dot> {
        self.waiters.iter().map(|(dot, _)| *dot)
    }

    /// The first block that waits.
    pub(crate) fn first(&self) -> Option<(ReplicaId, u64)> {
        self.waiting.keys().next().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork_base::{Bytes, Hash, NodeId};

    use crate::block::Outline;

    fn block(replica: u8, first: u64) -> Block {
        let (replica, author, previous) = (ReplicaId([replica; 16]), NodeId([7; 32]), Hash::ZERO);
        let outline =
            Outline { bytes: Bytes::from_static(b"x"), replica, author, first, last: first, previous };
        Block { outline, tip: Hash::ZERO, operations: vec![] }
    }

    /// Two blocks of one peer wait, each for an operation of another replica.
    fn waiting(peer: SessionId) -> (Buffer, [Dot; 2]) {
        let mut buffer = Buffer::default();
        let dots = [1, 2].map(|replica| {
            let dot = Dot::new(ReplicaId([replica + 10; 16]), 5);
            buffer.insert(block(replica, 1), Some(peer));
            assert!(buffer.wait(ReplicaId([replica; 16]), dot, Some(1)));
            dot
        });
        (buffer, dots)
    }

    #[test]
    fn what_is_dropped_waits_for_nothing() {
        let peer = SessionId([1; 16]);
        let (mut buffer, dots) = waiting(peer);
        buffer.shrink(&peer, Bounds { bytes_max: 1 << 20, blocks_max: 1 }, |_| 0);
        assert_eq!(buffer.waiting.len(), 0);
        assert_eq!((buffer.waiters.len(), buffer.waits_for.len()), (0, 0));

        let (mut buffer, _) = waiting(peer);
        buffer.forget(&peer);
        assert_eq!((buffer.waiters.len(), buffer.waits_for.len()), (0, 0));
        assert_eq!(buffer.needed(&dots[0].replica), 0);
    }

    #[test]
    fn what_is_linked_waits_on_when_a_block_behind_it_is_dropped() {
        let peer = SessionId([1; 16]);
        let mut buffer = Buffer::default();
        let (replica, dot) = (ReplicaId([1; 16]), Dot::new(ReplicaId([2; 16]), 5));
        buffer.insert(block(1, 2), Some(peer));
        buffer.wait(replica, dot, None);
        buffer.forget(&peer);
        assert_eq!(buffer.needed(&dot.replica), 5);
        assert_eq!(buffer.wake(&dot.replica, 5), [replica]);
        assert!(buffer.waiters.is_empty() && buffer.waits_for.is_empty());
    }
}
