//! Sending peers what they asked for: merged into full blocks, in causal order, under their credit.

use meshwork_base::{Bytes, ReplicaId, SessionId, Timestamp};
use meshwork_wire::{BLOCK_BYTES_MAX, BLOCK_OPERATIONS_MAX, Channel};

use crate::{
    Message, OpLog, builder,
    config::CREDIT_BYTES_MAX,
    message::{ENTRIES_MAX, Range},
};

impl OpLog {
    pub(crate) fn hear_want(&mut self, now: Timestamp, from: SessionId, ranges: &[Range], credit_bytes: u64) {
        if ranges.len() > ENTRIES_MAX || ranges.iter().any(|range| range.after >= range.tip.sequence) {
            return self.misbehaved(from, "wants too many ranges at once, or empty ones");
        }
        for range in ranges {
            self.serve_from(from, &range.replica, range.after);
        }
        self.hear_credit(now, from, credit_bytes);
    }

    pub(crate) fn hear_credit(&mut self, now: Timestamp, from: SessionId, bytes: u64) {
        if let Some(link) = self.links.get_mut(&from) {
            link.credit = link.credit.saturating_add(bytes).min(CREDIT_BYTES_MAX);
        }
        self.pump(now, from);
    }

    /// How much of `replica` may leave. While a peer claims to know another branch of our own, nothing new of it does.
    pub(crate) fn may_leave(&self, replica: &ReplicaId) -> u64 {
        let shown = self.shown.sequence(replica);
        let suspected = *replica == self.author.replica && self.fetches.contains_key(replica);
        if suspected { shown.min(self.author.sent) } else { shown }
    }

    /// Queues the next block of `replica` after `after`, if there is one to show. Ranges of replicas that are not here
    /// are skipped, so a peer can queue no more than there are replicas.
    fn serve_from(&mut self, peer: SessionId, replica: &ReplicaId, after: u64) {
        if after >= self.may_leave(replica) {
            return;
        }
        let Some(block) = self.history.chains.get(replica).and_then(|chain| chain.block(after + 1)) else {
            return;
        };
        let Some(link) = self.links.get_mut(&peer) else { return };
        if let Some(queued) = link.serving.insert(*replica, after) {
            let queued = self.history.chains.get(replica).and_then(|chain| chain.block(queued + 1));
            link.order.remove(&(queued.map_or(0, |block| block.arrival), *replica));
        }
        link.order.insert((block.arrival, *replica));
    }

    /// Sends what waits for the peer, as far as it may leave by now.
    pub(crate) fn pump(&mut self, now: Timestamp, peer: SessionId) {
        self.hear_late_digest(now, peer);
        self.tell_more(now, peer);
        self.send_proofs(now, peer);
        self.serve(now, peer);
        let Some(link) = self.links.get_mut(&peer) else { return };
        // Whatever still waits, and for nothing but time.
        let digest = link.late_digest.and(link.digest_window.until());
        let proofs = link.proof_window.until().filter(|_| !link.congested && !link.proofs.is_empty());
        let serves = link.credit > 0 && !link.order.is_empty();
        let serve = link.serve_window.until();
        let serve = serve.filter(|_| !link.congested && (serves || link.telling.is_some()));
        link.pump_due = [digest, proofs, serve].into_iter().flatten().min();
    }

    /// Whether more of what the peer asked for may leave by now.
    pub(crate) fn may_serve(&mut self, now: Timestamp, peer: SessionId) -> bool {
        let (span, bytes_max) = (self.config.serve_interval(), self.config.serve_bytes_max);
        let link = self.links.get_mut(&peer).filter(|link| !link.congested);
        link.is_some_and(|link| link.serve_window.is_open(now, span, bytes_max))
    }

    /// Sends as much as the peer's credit and queue allow. What arrived here first goes first, so that every block
    /// finds what its first operation depends on.
    fn serve(&mut self, now: Timestamp, peer: SessionId) {
        let mut batch = Vec::new();
        while self.may_serve(now, peer)
            && let Some(link) = self.links.get_mut(&peer)
            && link.credit > 0
            && let Some((_, replica)) = link.order.pop_first()
        {
            let Some(after) = link.serving.remove(&replica) else { continue };
            let Some((bytes, last)) = self.next_block(&replica, after) else { continue };
            if let Some(link) = self.links.get_mut(&peer) {
                link.credit = link.credit.saturating_sub(bytes.len() as u64);
                link.serve_window.spend(bytes.len() as u64);
                if replica == self.author.replica {
                    link.note_sent(last);
                    self.author.sent = self.author.sent.max(last);
                }
            }
            batch.push(bytes);
            self.serve_from(peer, &replica, last);
        }
        self.send_blocks(peer, true, batch);
    }

    /// What follows `after`, merged as far as it fits in one block, and where it ends.
    pub(crate) fn next_block(&self, replica: &ReplicaId, after: u64) -> Option<(Bytes, u64)> {
        let chain = self.history.chains.get(replica)?;
        let shown = self.may_leave(replica);
        let blocks = chain.blocks.iter().skip(chain.position(after.checked_add(1)?));
        let blocks = blocks.take_while(|block| block.first <= shown).take(BLOCK_OPERATIONS_MAX);
        let bytes: Vec<Bytes> = blocks.map(|block| block.bytes.clone()).collect();
        let (merged, _) = builder::merge(&self.history.format, &bytes).ok()?;
        let last = self.history.format.outline(&merged).ok()?.last;
        Some((merged, last))
    }

    /// Sends blocks in messages of about one frame.
    pub(crate) fn send_blocks(&mut self, to: SessionId, wanted: bool, blocks: Vec<Bytes>) {
        let channel = if wanted { Channel::Bulk } else { Channel::Live };
        let (mut batch, mut size) = (Vec::new(), 0);
        for block in blocks {
            if !batch.is_empty() && (size + block.len() > BLOCK_BYTES_MAX || batch.len() >= ENTRIES_MAX) {
                let blocks = std::mem::take(&mut batch);
                self.send(to, channel, Message::Blocks { wanted, blocks });
                size = 0;
            }
            size += block.len();
            batch.push(block);
        }
        if !batch.is_empty() {
            self.send(to, channel, Message::Blocks { wanted, blocks: batch });
        }
    }
}
