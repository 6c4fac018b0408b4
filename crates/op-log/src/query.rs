//! Questions that change nothing.

use std::collections::BTreeMap;

use meshwork_base::{Dot, Fill, ReplicaId, Version};

use crate::{
    Incarnation, OpLog, Operation,
    chain::{Chain, Held},
};

impl OpLog {
    /// Everything accepted: verified, delivered, causally closed. Own operations are in from their signature on.
    pub fn version(&self) -> &Version {
        &self.history.version
    }

    /// Everything durable here; causally closed.
    pub fn stored_version(&self) -> &Version {
        &self.stored
    }

    /// How many operations the log holds.
    pub fn operations(&self) -> u64 {
        self.history.version.operations()
    }

    /// Whether a linked peer may have operations that are not held here.
    pub fn lacks_any(&self) -> bool {
        self.links.values().any(|link| !link.remote.is_empty())
    }

    /// How many operations are known of: those held, and those that linked peers say they have. Replicas that will not be
    /// fetched are left out.
    pub fn known_operations(&self) -> u64 {
        let mut lacking = BTreeMap::new();
        for (replica, tip) in self.links.values().flat_map(|link| &link.remote) {
            let grows = *replica != self.author.replica && !self.history.is_closed(replica);
            let lack = tip.sequence.saturating_sub(self.history.version.sequence(replica));
            if grows && lack > 0 {
                let most: &mut u64 = lacking.entry(*replica).or_default();
                *most = lack.max(*most);
            }
        }
        lacking.into_values().fold(self.operations(), u64::saturating_add)
    }

    /// How many operations wait: those of others for what they depend on, our own for storage.
    pub fn pending(&self) -> u64 {
        let stored = self.stored.sequence(&self.author.replica);
        self.waiting() + (self.author.next - 1).saturating_sub(stored)
    }

    /// How many operations of others wait. Of a replica that its author contradicts none does unless others need it.
    pub(crate) fn waiting(&self) -> u64 {
        let (chains, buffer) = (&self.history.chains, &self.history.buffer);
        let linked: usize = chains.values().map(|chain| chain.unready.len()).sum();
        let not_needed = |replica, chain: &Chain| chain.closed && buffer.needed(replica) <= chain.held;
        let idle = chains.iter().filter(|(replica, chain)| not_needed(replica, chain));
        let idle = idle.map(|(replica, chain)| chain.unready.len() + buffer.operations_of(replica));
        (buffer.operations() + linked - idle.sum::<usize>()) as u64
    }

    /// How full its buffers are.
    pub fn fills(&self) -> [Fill; 4] {
        let (bytes, blocks) = self.history.buffered();
        let remote = self.links.values().map(|link| link.remote.len());
        [
            Fill { buffer: "buffered_bytes_max", held: bytes, bound: self.config.buffered_bytes_max },
            Fill { buffer: "buffered_blocks_max", held: blocks, bound: self.config.buffered_blocks_max },
            Fill::fullest("remote_replicas_max", remote, self.config.remote_replicas_max),
            Fill { buffer: "proof_bytes_max", held: self.proofs.bytes(), bound: self.config.proof_bytes_max },
        ]
    }

    /// Who authors here.
    pub fn incarnation(&self) -> Incarnation {
        self.author.incarnation()
    }

    /// The operation under `dot`, if it is here.
    pub fn operation(&self, dot: Dot) -> Option<Operation> {
        if !self.history.version.contains(dot) {
            return None;
        }
        let block = self.history.chains.get(&dot.replica)?.block(dot.sequence)?;
        let operations = self.history.decode(block);
        operations.into_iter().find(|operation| operation.dot == dot)
    }

    /// The operations of one replica, the last first. Blocks are decoded as they are reached.
    pub fn operations_back(&self, replica: &ReplicaId) -> impl Iterator<Item = Operation> + use<'_> {
        let blocks =
            self.history.chains.get(replica).map(|chain| chain.blocks.as_slice()).unwrap_or_default();
        // Blocks may overlap; what was linked last may still wait for what it depends on.
        let mut end = self.history.version.sequence(replica);
        blocks.iter().rev().flat_map(move |block| {
            let mut operations = self.history.decode(block);
            operations.retain(|operation| operation.dot.sequence <= end);
            end = end.min(block.first.saturating_sub(1));
            operations.into_iter().rev()
        })
    }

    /// Checks once more that the author signed the operation under `dot`. `None` if it is not here.
    pub fn is_signed(&self, dot: Dot) -> Option<bool> {
        if !self.history.version.contains(dot) {
            return None;
        }
        let block = self.history.chains.get(&dot.replica)?.block(dot.sequence)?;
        let outline = self.history.format.outline(&block.bytes).ok()?;
        let tip = self.history.format.hashes(&outline).ok()?.pop()?;
        Some(outline.verify(&tip, &*self.context.verifier).is_ok())
    }

    /// The last operations that became part of the log, at most `count`, newest block first; inside a block the
    /// highest number first.
    pub fn last_operations(&self, count: usize) -> Vec<Operation> {
        // Each block with the end of the one before it, since blocks of one replica may overlap.
        let mut blocks: Vec<(&Held, u64)> = Vec::new();
        for chain in self.history.chains.values() {
            let ends = std::iter::once(0).chain(chain.blocks.iter().map(|block| block.last));
            let pairs: Vec<_> = chain.blocks.iter().zip(ends).collect();
            blocks.extend(pairs.into_iter().rev().take(count));
        }
        blocks.sort_unstable_by_key(|(block, _)| std::cmp::Reverse(block.arrival));
        let mut last: Vec<Operation> = Vec::new();
        for (block, before) in blocks {
            if last.len() >= count {
                break;
            }
            let new = |operation: &Operation| {
                operation.dot.sequence > before && self.history.version.contains(operation.dot)
            };
            last.extend(self.history.decode(block).into_iter().rev().filter(new).take(count - last.len()));
        }
        last
    }
}
