//! Two different headers under one dot: the author told different peers different things.
//!
//! The two blocks are the proof; whoever holds it closes the replica. A closed chain grows only as far as operations of
//! honest replicas depend on it: otherwise one liar would cut newcomers off from everybody who had believed it.
//!
//! Proofs are kept and told without bodies, within the bounds of [`Proofs`](crate::proofs::Proofs), a few at a time.

use meshwork_base::{Bytes, Dot, Row, SessionId, Table, Timestamp};
use meshwork_wire::Channel;

use crate::{
    Event, Message, OpLog,
    block::{Block, Outline},
    chain::proof_key,
    pace::{PROOF_BYTES, PROOF_SPAN},
    proofs::Proof,
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
            let proof = Proof { author: theirs.outline.author, first, second };
            self.close_replica(now, None, Dot::new(replica, at), proof);
        }
    }

    /// A peer says that it holds a proof.
    pub(crate) fn hear_proof(&mut self, now: Timestamp, from: SessionId, first: Bytes, second: Bytes) {
        let outline = match self.history.format.outline(&first) {
            Ok(outline) => outline,
            Err(error) => return self.misbehaved(from, error.to_string()),
        };
        if self.history.is_closed(&outline.replica) || self.proofs.is_liar(&outline.author) {
            if let Some(link) = self.links.get_mut(&from) {
                link.proofs.remove(&outline.replica);
            }
            return;
        }
        match self.check_proof(&outline, &second) {
            Some((dot, proof)) => self.close_replica(now, Some(from), dot, proof),
            None => self.misbehaved(from, "sends a proof of equivocation that proves nothing"),
        }
    }

    /// The dot under which both blocks, validly signed, have different headers, and the proof as it is kept.
    fn check_proof(&self, first: &Outline, second: &Bytes) -> Option<(Dot, Proof)> {
        let stripped = |outline: &Outline| self.history.format.outline(&outline.without_bodies().ok()?).ok();
        let first = stripped(first)?;
        let second = stripped(&self.history.format.outline(second).ok()?)?;
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
        let differ = signed_hash_at(&first)? != signed_hash_at(&second)?;
        let proof = Proof { author: first.author, first: first.bytes, second: second.bytes };
        differ.then_some((Dot::new(first.replica, at), proof))
    }

    /// Closes a replica that is not closed yet. A proof that finds no room closes what is here of it, and is not kept.
    fn close_replica(&mut self, now: Timestamp, from: Option<SessionId>, dot: Dot, proof: Proof) {
        let (replica, author) = (dot.replica, proof.author);
        let blocks = [proof.first.clone(), proof.second.clone()];
        let mut rows = Vec::new();
        if self.proofs.has_room(&proof, self.config.proof_bytes_max) {
            let value = meshwork_wire::encode(&(&proof.first, &proof.second));
            rows.extend(value.map(|value| Row::put(Table::Proofs, proof_key(dot), value)));
            self.keep_proof(now, from, dot, proof);
        } else {
            tracing::warn!(%dot, %author, "no room to keep a proof of equivocation: `proof_bytes_max` is reached");
            if !self.history.chains.contains_key(&replica) {
                return;
            }
        }
        self.history.close(&replica);
        self.emit(Event::Equivocation { dot, author });
        self.note_change(now, &replica, None);
        self.abandon_fetch(&replica);
        if replica == self.author.replica {
            blocks.iter().for_each(|bytes| self.note_shared(bytes));
            let fork = self.author.sent + 1;
            self.retire(now, fork, "another copy of this store wrote under it".into(), rows);
        } else {
            self.persist(rows, []);
        }
    }

    /// What a block of the current replica shares with ours, others hold.
    fn note_shared(&mut self, bytes: &Bytes) {
        let shared = self.history.format.outline(bytes).ok().and_then(|outline| {
            let hashes = self.history.format.hashes(&outline).ok()?;
            self.history.shares(&outline, &hashes)
        });
        self.author.sent = self.author.sent.max(shared.unwrap_or(0));
    }

    fn keep_proof(&mut self, now: Timestamp, from: Option<SessionId>, dot: Dot, proof: Proof) {
        let author = proof.author;
        self.proofs.insert(dot.replica, proof);
        if !self.proofs.has_patience(&author) {
            self.to_sever.insert(dot.replica);
        }
        if self.proofs.is_liar(&author) {
            tracing::warn!(%author, "it contradicted itself too often: all that it writes is closed");
            self.history.close_author(author);
        }
        for peer in self.links.peers() {
            if let Some(link) = self.links.get_mut(&peer).filter(|_| Some(peer) != from) {
                link.proofs.insert(dot.replica);
                self.pump(now, peer);
            }
        }
    }

    /// Sends some of the proofs that the peer was not told of yet.
    pub(crate) fn send_proofs(&mut self, now: Timestamp, peer: SessionId) {
        while let Some(link) = self.links.get_mut(&peer)
            && !link.congested
            && !link.proofs.is_empty()
            && link.proof_window.is_open(now, PROOF_SPAN, PROOF_BYTES)
            && let Some(replica) = link.proofs.pop_first()
        {
            let Some(proof) = self.proofs.get(&replica) else { continue };
            link.proof_window.spend(proof.bytes() as u64);
            let (first, second) = (proof.first.clone(), proof.second.clone());
            self.send(peer, Channel::Control, Message::Proof { first, second });
        }
    }
}
