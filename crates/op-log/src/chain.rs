//! One replica's operations, as blocks that lie end to end.

use std::collections::VecDeque;

use meshwork_base::{Bytes, Dot, Hash, ReplicaId, Row, Table};

use crate::{Operation, block::Format};

/// A verified block that is part of a chain.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// The hash of its last header.
    pub(crate) tip: Hash,
    /// The order in which blocks of all replicas were linked: what its first operation depends on lies in blocks with
    /// smaller numbers, and what depends on one of its operations lies in blocks with greater ones.
    pub(crate) arrival: u64,
}

/// The chain of one replica.
///
/// Blocks have strictly ascending ends and leave no gap; they may overlap, since peers merge them differently. Only the
/// last one may hold operations that still wait for dependencies: these are linked, but not yet accepted.
#[derive(Default, Debug)]
pub(crate) struct Chain {
    pub(crate) blocks: Vec<Held>,
    /// Accepted: delivered, shown to peers, part of the version.
    pub(crate) held: u64,
    pub(crate) held_hash: Hash,
    /// Linked but not accepted.
    pub(crate) unready: VecDeque<Operation>,
    /// Its author equivocated: it only grows as far as the operations of others need it.
    pub(crate) closed: bool,
}

impl Chain {
    /// The last linked sequence.
    pub(crate) fn end(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.last)
    }

    pub(crate) fn end_hash(&self) -> Hash {
        self.blocks.last().map_or(Hash::ZERO, |block| block.tip)
    }

    /// The position of the block that holds `sequence`; the number of blocks when none does.
    pub(crate) fn position(&self, sequence: u64) -> usize {
        self.blocks.partition_point(|block| block.last < sequence)
    }

    /// The block that holds `sequence`.
    pub(crate) fn block(&self, sequence: u64) -> Option<&Held> {
        self.blocks.get(self.position(sequence)).filter(|block| block.first <= sequence)
    }

    /// The header hash of `sequence` where it is at hand without hashing.
    pub(crate) fn known_hash(&self, sequence: u64) -> Option<Hash> {
        if sequence == 0 {
            return Some(Hash::ZERO);
        }
        if sequence == self.held {
            return Some(self.held_hash);
        }
        self.block(sequence).filter(|block| block.last == sequence).map(|block| block.tip)
    }

    /// The header hash of `sequence`, if linked.
    pub(crate) fn hash_at(&self, format: &Format, sequence: u64) -> Option<Hash> {
        self.known_hash(sequence).or_else(|| {
            let block = self.block(sequence)?;
            let hashes = format.hashes(&format.outline(&block.bytes).ok()?).ok()?;
            hashes.get(usize::try_from(sequence - block.first).ok()?).copied()
        })
    }

    /// Puts a block at the end. Returns those that it makes superfluous; it takes the place of the first of them, since
    /// others depend on that.
    pub(crate) fn link(&mut self, mut block: Held) -> Vec<Held> {
        let keep = self.blocks.partition_point(|held| held.first < block.first);
        let superfluous = self.blocks.split_off(keep);
        block.arrival = superfluous.iter().map(|held| held.arrival).fold(block.arrival, u64::min);
        self.blocks.push(block);
        superfluous
    }

    /// Cuts off all blocks that reach beyond `keep`, and returns them.
    pub(crate) fn truncate(&mut self, keep: u64) -> Vec<Held> {
        let cut = self.blocks.split_off(self.blocks.partition_point(|held| held.last <= keep));
        self.unready.clear();
        self.held = self.end();
        self.held_hash = self.end_hash();
        cut
    }
}

/// The key of a block's row: rows of one replica lie together, in order.
pub(crate) fn row_key(replica: &ReplicaId, first: u64) -> Bytes {
    [&replica.0[..], &first.to_be_bytes()].concat().into()
}

pub(crate) fn put_row(replica: &ReplicaId, block: &Held) -> Row {
    Row::put(Table::Blocks, row_key(replica, block.first), block.bytes.clone())
}

pub(crate) fn delete_row(replica: &ReplicaId, block: &Held) -> Row {
    Row::delete(Table::Blocks, row_key(replica, block.first))
}

/// The key of a proof's row.
pub(crate) fn proof_key(dot: Dot) -> Bytes {
    row_key(&dot.replica, dot.sequence)
}
