//! The log without links: for people who carry blocks by means of their own.

use meshwork_base::{Bytes, Timestamp, Version};

use crate::{MergeError, OpLog, Operation};

impl OpLog {
    /// All that peers may have and a log at `version` lacks, as few blocks as hold it, in an order in which each finds
    /// what it depends on. Own operations are in once they may leave: after `Persist` was answered for what they
    /// depend on, and for the durable mark.
    pub fn blocks_since(&mut self, version: &Version) -> Vec<Bytes> {
        let mut next = std::collections::BTreeSet::new();
        let queue = |log: &Self, next: &mut std::collections::BTreeSet<_>, replica, after: u64| {
            let chain = log.history.chains.get(&replica).filter(|_| after < log.may_leave(&replica));
            next.extend(
                chain.and_then(|chain| chain.block(after + 1)).map(|block| (block.arrival, replica, after)),
            );
        };
        for replica in self.history.chains.keys() {
            queue(self, &mut next, *replica, version.sequence(replica));
        }
        let mut blocks = Vec::new();
        while let Some((_, replica, after)) = next.pop_first() {
            let Some((bytes, last)) = self.next_block(&replica, after) else { continue };
            blocks.push(bytes);
            queue(self, &mut next, replica, last);
            if replica == self.author.replica {
                self.author.sent = self.author.sent.max(last);
            }
        }
        blocks
    }

    /// Takes blocks that came by other means than a link. Returns the operations that became ready, in causal order;
    /// they are not delivered as an effect. The other effects (`Persist` above all) are to be performed as ever.
    ///
    /// Blocks may come in any order and repeatedly. The ones that wait for others are kept, up to
    /// [`buffered_bytes_max`](crate::Config::buffered_bytes_max) and
    /// [`buffered_blocks_max`](crate::Config::buffered_blocks_max). On an error the blocks before the one that it names
    /// were taken, and what they made ready is delivered as an effect.
    ///
    /// Also as an effect, behind `Rebuild`, comes what is ready when the blocks show that another copy of this store
    /// has written under its replica. Where the two part must then be among them: a store that was restored from a
    /// backup asks for what follows an empty version.
    pub fn merge(&mut self, now: Timestamp, blocks: Vec<Bytes>) -> Result<Vec<Operation>, MergeError> {
        let replica = self.author.replica;
        let (accepted, result) = self.receive(&blocks, None);
        let operations = self.settle(now, None, accepted);
        self.notice_waits(now);
        if result.is_ok() && replica == self.author.replica {
            return Ok(operations);
        }
        self.deliver(operations);
        result.map(|()| Vec::new())
    }
}
