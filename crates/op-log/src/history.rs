//! All chains and the buffer: where a received block is verified, linked and accepted.
//!
//! A block is *linked* once the one before it is and its first new operation is ready; its operations are *accepted* one
//! by one, each as soon as all that it depends on is accepted. (Accepting only whole blocks would deadlock when peers
//! merge blocks of two authors who answer each other.)

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use meshwork_base::{Bytes, Hash, NodeId, ReplicaId, Row, SessionId, Tip, Version};
use meshwork_identity::Verifier;

use crate::{
    BlockError, Operation,
    advance::Next,
    block::{Block, Format, Outline},
    causal::{Bounds, Buffer},
    chain::{Chain, Held, delete_row, put_row},
};

/// What taking blocks led to.
#[derive(Default, Debug)]
pub(crate) struct Accepted {
    /// In causal order.
    pub(crate) operations: Vec<Operation>,
    /// To be stored.
    pub(crate) rows: Vec<Row>,
    /// The replicas of which operations were accepted.
    pub(crate) changed: BTreeSet<ReplicaId>,
    /// Verified blocks that contradict what is held.
    pub(crate) conflicts: Vec<Block>,
    /// Verified blocks of the current replica that this node does not know of.
    pub(crate) own: Vec<Block>,
    /// How much of the current replica came back as it is here.
    pub(crate) shared: u64,
}

/// The log's content.
pub(crate) struct History {
    pub(crate) format: Format,
    pub(crate) chains: BTreeMap<ReplicaId, Box<Chain>>,
    /// The accepted part of every chain.
    pub(crate) version: Version,
    pub(crate) buffer: Buffer,
    /// The replica that only this node extends, and how much of it others may know. Who depends on more has met another
    /// copy of this store, and waits for what that one wrote.
    pub(crate) own: Option<(ReplicaId, u64)>,
    arrivals: u64,
    /// All that they write is closed.
    liars: BTreeSet<NodeId>,
    /// The replicas for which nothing waits; see [`sever`](crate::sever).
    pub(crate) severed: BTreeSet<ReplicaId>,
}

impl History {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            chains: BTreeMap::new(),
            version: Version::default(),
            buffer: Buffer::default(),
            own: None,
            arrivals: 0,
            liars: BTreeSet::new(),
            severed: BTreeSet::new(),
        }
    }

    /// The last linked sequence of `replica`.
    pub(crate) fn end(&self, replica: &ReplicaId) -> u64 {
        self.chains.get(replica).map_or(0, |chain| chain.end())
    }

    /// The header hash of one operation where it is at hand without hashing.
    pub(crate) fn known_hash(&self, replica: &ReplicaId, sequence: u64) -> Option<Hash> {
        self.chains.get(replica)?.known_hash(sequence)
    }

    /// The header hash of one operation, if linked.
    pub(crate) fn hash_at(&self, replica: &ReplicaId, sequence: u64) -> Option<Hash> {
        self.chains.get(replica)?.hash_at(&self.format, sequence)
    }

    /// Takes a block as it came. False, and nothing changed, when it
    /// would have to wait and there is no room for that; what a peer brings always finds room, at the cost of what it
    /// brought before.
    pub(crate) fn receive(
        &mut self,
        bytes: &Bytes,
        from: Option<SessionId>,
        (verifier, bounds): (&dyn Verifier, Bounds),
        accepted: &mut Accepted,
    ) -> Result<bool, BlockError> {
        let outline = self.format.outline(bytes)?;
        let replica = outline.replica;
        let own = self.own.is_some_and(|(own, _)| own == replica);
        if self.buffer.contains(&replica, outline.first, bytes) || self.is_stored(&outline) {
            accepted.shared = accepted.shared.max(if own { outline.last } else { 0 });
            return Ok(true);
        }
        let block = self.format.decode(outline)?;
        let held =
            self.chains.get(&replica).and_then(|chain| chain.hash_at(&self.format, block.outline.last));
        if held == Some(block.tip) {
            accepted.shared = accepted.shared.max(if own { block.outline.last } else { 0 });
            return Ok(true);
        }
        block.outline.verify(&block.tip, verifier)?;
        if own {
            accepted.own.push(block);
            return Ok(true);
        }
        if from.is_none() && self.must_wait(&block) && !self.buffer.has_room(&block, bounds) {
            return Ok(false);
        }
        self.insert(block, from, accepted);
        if let Some(peer) = from {
            let chains = &self.chains;
            self.buffer.shrink(&peer, bounds, |replica| chains.get(replica).map_or(0, |chain| chain.end()));
        }
        Ok(true)
    }

    /// Whether a verified block has to wait for the one before it, or for what its first new operation depends on.
    fn must_wait(&self, block: &Block) -> bool {
        let replica = &block.outline.replica;
        let end = self.end(replica);
        if block.outline.first > end.saturating_add(1) {
            return true;
        }
        let stuck = self.chains.get(replica).is_some_and(|chain| !chain.unready.is_empty());
        let next = block.operations.iter().find(|operation| operation.dot.sequence > end);
        let ready = |next| matches!(self.readiness(next, self.limit(replica)), Next::Ready);
        self.continues(block) && (stuck || !next.is_some_and(ready))
    }

    /// Whether exactly these bytes are part of a chain.
    fn is_stored(&self, outline: &Outline) -> bool {
        let block = self.chains.get(&outline.replica).and_then(|chain| chain.block(outline.last));
        block.is_some_and(|block| block.bytes == outline.bytes)
    }

    /// Takes a verified block.
    pub(crate) fn insert(&mut self, block: Block, from: Option<SessionId>, accepted: &mut Accepted) {
        let replica = self.put(block, from);
        self.advance(replica, accepted);
    }

    /// Takes a verified block, and accepts nothing yet. Returns whose it is.
    pub(crate) fn put(&mut self, block: Block, from: Option<SessionId>) -> ReplicaId {
        let replica = block.outline.replica;
        if self.liars.contains(&block.outline.author) {
            self.close(&replica);
        }
        self.buffer.insert(block, from);
        replica
    }

    /// Whether the block holds operations beyond the end of its chain, and agrees with it up to there.
    pub(crate) fn continues(&self, block: &Block) -> bool {
        let chain = self.chains.get(&block.outline.replica);
        let (end, hash) = chain.map_or((0, Hash::ZERO), |chain| (chain.end(), chain.end_hash()));
        block.outline.last > end && block.hash_at(end) == Some(hash)
    }

    /// Whether all of the block is linked already.
    pub(crate) fn holds(&self, block: &Block) -> bool {
        self.hash_at(&block.outline.replica, block.outline.last) == Some(block.tip)
    }

    /// Puts a block that continues its chain at the end of it; its new operations become linked.
    pub(crate) fn link(&mut self, block: Block, accepted: &mut Accepted) {
        let Outline { bytes, replica, first, last, .. } = block.outline;
        let chain = self.chains.entry(replica).or_default();
        let end = chain.end();
        let held = Held { bytes, first, last, tip: block.tip, arrival: self.arrivals };
        self.arrivals += 1;
        accepted.rows.push(put_row(&replica, &held));
        let superfluous = chain.link(held);
        let others = superfluous.iter().filter(|old| old.first != first);
        accepted.rows.extend(others.map(|old| delete_row(&replica, old)));
        chain.unready = VecDeque::from(block.operations);
        while chain.unready.front().is_some_and(|operation| operation.dot.sequence <= end) {
            chain.unready.pop_front();
        }
    }

    /// Puts a block that this node has just signed at the end of its chain. Returns its row.
    pub(crate) fn append(&mut self, outline: Outline, tip: Hash) -> Row {
        let Outline { bytes, replica, first, last, .. } = outline;
        let held = Held { bytes, first, last, tip, arrival: self.arrivals };
        self.arrivals += 1;
        self.extend(replica, held)
    }

    /// Puts a block of this node at the end of its chain; all of it is accepted. Returns its row.
    pub(crate) fn extend(&mut self, replica: ReplicaId, block: Held) -> Row {
        let row = put_row(&replica, &block);
        let tip = Tip { sequence: block.last, hash: block.tip };
        let chain = self.chains.entry(replica).or_default();
        chain.link(block);
        (chain.held, chain.held_hash) = (tip.sequence, tip.hash);
        self.version.set(replica, tip);
        row
    }

    /// Cuts a chain off after the last block that ends at or before `keep`. Returns the blocks.
    pub(crate) fn truncate(&mut self, replica: &ReplicaId, keep: u64) -> Vec<Held> {
        let Some(chain) = self.chains.get_mut(replica) else { return Vec::new() };
        let cut = chain.truncate(keep);
        if chain.held == 0 {
            // A closed chain stays closed.
            if !chain.closed {
                self.chains.remove(replica);
            }
            self.version = without(&self.version, replica);
        } else {
            self.version.set(*replica, Tip { sequence: chain.held, hash: chain.held_hash });
        }
        cut
    }

    /// From now on the chain grows only as far as others need it.
    pub(crate) fn close(&mut self, replica: &ReplicaId) {
        self.chains.entry(*replica).or_default().closed = true;
    }

    pub(crate) fn is_closed(&self, replica: &ReplicaId) -> bool {
        self.chains.get(replica).is_some_and(|chain| chain.closed)
    }

    /// From now on every chain of `author` does.
    pub(crate) fn close_author(&mut self, author: NodeId) {
        self.liars.insert(author);
        for chain in self.chains.values_mut() {
            let block = chain.blocks.first().and_then(|block| self.format.outline(&block.bytes).ok());
            chain.closed |= block.is_some_and(|outline| outline.author == author);
        }
    }

    /// The last sequence at which a block with these header hashes is the same as what is linked; `None` if it differs
    /// already before its first operation, or if that is not linked.
    pub(crate) fn shares(&self, outline: &Outline, hashes: &[Hash]) -> Option<u64> {
        let before = outline.first - 1;
        let chain = self.chains.get(&outline.replica);
        let hash_at = |sequence| match chain {
            Some(chain) => chain.hash_at(&self.format, sequence),
            None => (sequence == 0).then_some(Hash::ZERO),
        };
        if hash_at(before) != Some(outline.previous) {
            return None;
        }
        // Each hash covers the ones before it.
        let numbered: Vec<_> = (outline.first..).zip(hashes).collect();
        Some(before + numbered.partition_point(|(at, hash)| hash_at(*at) == Some(**hash)) as u64)
    }

    /// The newest operations of others that a chain's own operations name.
    pub(crate) fn named_by(&self, replica: &ReplicaId) -> BTreeMap<ReplicaId, u64> {
        let blocks = self.chains.get(replica).into_iter().flat_map(|chain| &chain.blocks);
        let mut named = BTreeMap::new();
        for dot in blocks.flat_map(|block| self.decode(block)).flat_map(|operation| operation.dependencies) {
            let newest = named.entry(dot.replica).or_default();
            *newest = dot.sequence.max(*newest);
        }
        named
    }

    /// The operations of a linked block.
    pub(crate) fn decode(&self, block: &Held) -> Vec<Operation> {
        let outline = self.format.outline(&block.bytes);
        // It was decoded before it was linked.
        outline
            .and_then(|outline| self.format.decode(outline))
            .map(|block| block.operations)
            .unwrap_or_default()
    }

    /// Every accepted operation, in causal order.
    pub(crate) fn replay(&self) -> Vec<Operation> {
        let chains = self.chains.iter();
        let mut blocks: Vec<&Held> = chains.flat_map(|(_, chain)| &chain.blocks).collect();
        blocks.sort_unstable_by_key(|block| block.arrival);
        let mut again = Self { severed: self.severed.clone(), ..Self::new(self.format.clone()) };
        let mut accepted = Accepted::default();
        for held in blocks {
            if let Ok(block) =
                self.format.outline(&held.bytes).and_then(|outline| self.format.decode(outline))
            {
                again.insert(block, None, &mut accepted);
            }
        }
        accepted.operations.retain(|operation| self.version.contains(operation.dot));
        accepted.operations
    }

    /// The most bytes and the most blocks that one peer left waiting.
    pub(crate) fn buffered(&self) -> (usize, usize) {
        self.buffer.fullest()
    }
}

/// `version` without `replica`.
pub(crate) fn without(version: &Version, replica: &ReplicaId) -> Version {
    version.iter().filter(|(id, _)| *id != replica).map(|(id, tip)| (*id, *tip)).collect()
}
