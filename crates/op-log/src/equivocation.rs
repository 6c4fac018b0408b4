//! Two different headers under one dot: the author told different peers different things.
//!
//! The two blocks are the proof; whoever holds it closes the replica. A closed chain grows only as far as operations of
//! honest replicas depend on it: otherwise one liar would cut newcomers off from everybody who had believed it.

use meshwork_base::{Bytes, Dot, ReplicaId, Row, SessionId, Table, Timestamp};
use meshwork_wire::Channel;

use crate::{
    Event, Message, OpLog,
    block::{Block, Outline},
    chain::proof_key,
};

impl OpLog {
    /// A verified block contradicts what is held.
    pub(crate) fn contradict(&mut self, now: Timestamp, theirs: Block) {
        let replica = theirs.outline.replica;
        let Some(chain) = self.history.chains.get(&replica).filter(|chain| !chain.closed) else { return };
        let at = theirs.outline.last.min(chain.end());
        let Some(ours) = chain.block(at) else { return };
        let ours = self.history.format.outline(&ours.bytes).and_then(|outline| outline.without_bodies());
        if let (Ok(first), Ok(second)) = (ours, theirs.outline.without_bodies()) {
            self.close_replica(now, Dot::new(replica, at), &theirs.outline, (first, second));
        }
    }

    /// A peer says that it holds a proof.
    pub(crate) fn hear_proof(&mut self, now: Timestamp, from: SessionId, first: Bytes, second: Bytes) {
        let known = |outline: &Outline| self.proofs.contains_key(&outline.replica);
        match self.history.format.outline(&first) {
            Ok(outline) if known(&outline) => {}
            Ok(outline) => match self.check_proof(&outline, &second) {
                Some(dot) => self.close_replica(now, dot, &outline, (first, second)),
                None => self.misbehaved(from, "sends a proof of equivocation that proves nothing"),
            },
            Err(error) => self.misbehaved(from, error.to_string()),
        }
    }

    /// The dot under which both blocks, validly signed, have different headers.
    fn check_proof(&self, first: &Outline, second: &Bytes) -> Option<Dot> {
        let second = self.history.format.outline(second).ok()?;
        let at = first.last.min(second.last);
        if first.replica != second.replica || at < first.first.max(second.first).saturating_sub(1) {
            return None;
        }
        let signed_hash_at = |outline: &Outline| {
            let hashes = self.history.format.hashes(outline).ok()?;
            outline.verify(hashes.last()?, &*self.context.verifier).ok()?;
            if at < outline.first {
                return Some(outline.previous);
            }
            hashes.get(usize::try_from(at - outline.first).ok()?).copied()
        };
        (signed_hash_at(first)? != signed_hash_at(&second)?).then_some(Dot::new(first.replica, at))
    }

    fn close_replica(&mut self, now: Timestamp, dot: Dot, outline: &Outline, proof: (Bytes, Bytes)) {
        let replica: ReplicaId = dot.replica;
        self.history.close(&replica);
        if let Ok(value) = meshwork_wire::encode(&proof) {
            self.persist(vec![Row::put(Table::Proofs, proof_key(dot), value)], []);
        }
        self.proofs.insert(replica, proof.clone());
        self.emit(Event::Equivocation { dot, author: outline.author });
        for peer in self.links.keys().copied().collect::<Vec<_>>() {
            let (first, second) = proof.clone();
            self.send(peer, Channel::Control, Message::Proof { first, second });
        }
        self.note_change(now, &replica, None);
        self.abandon_fetch(&replica);
        if replica == self.author.replica {
            self.retire(now, self.author.next, "another copy of this store wrote under it".into());
        }
    }
}
