//! Accepting: operations whose past is there become part of the log, and let others follow.

use meshwork_base::{Dot, ReplicaId, Tip};

use crate::{
    Operation,
    history::{Accepted, History},
};

impl History {
    /// Accepts whatever has become ready, beginning with `replica`.
    pub(crate) fn advance(&mut self, replica: ReplicaId, accepted: &mut Accepted) {
        self.advance_some(&mut vec![replica], usize::MAX, accepted);
    }

    /// Accepts what has become ready, beginning with the replicas of `work`, until that are `operations` (or a few more,
    /// of the last block). What is still to be looked at is left in `work`.
    pub(crate) fn advance_some(
        &mut self,
        work: &mut Vec<ReplicaId>,
        operations: usize,
        accepted: &mut Accepted,
    ) {
        let enough = accepted.operations.len().saturating_add(operations);
        while accepted.operations.len() < enough
            && let Some(replica) = work.pop()
        {
            let before = accepted.operations.len();
            let halt = self.run(&replica, enough, accepted);
            if accepted.operations.len() > before
                && let Some(chain) = self.chains.get(&replica)
            {
                self.version.set(replica, Tip { sequence: chain.held, hash: chain.held_hash });
                accepted.changed.insert(replica);
                work.extend(self.buffer.wake(&replica, chain.held));
            }
            match halt {
                Halt::Missing { dot, block } => {
                    let new = self.buffer.wait(replica, dot, block);
                    // A closed chain grows only on demand, and this is one.
                    if new && self.chains.get(&dot.replica).is_some_and(|chain| chain.closed) {
                        work.push(dot.replica);
                    }
                }
                Halt::Enough => work.push(replica),
                Halt::Done => {}
            }
        }
    }

    /// Links and accepts what is ready of one replica, block by block, until `enough` operations are accepted.
    fn run(&mut self, replica: &ReplicaId, enough: usize, accepted: &mut Accepted) -> Halt {
        let limit = self.limit(replica);
        loop {
            match self.accept_linked(replica, limit, accepted) {
                Next::Ready => {}
                Next::Missing(dot) => return Halt::Missing { dot, block: None },
                Next::Closed => return Halt::Done,
            }
            let Some((block, from)) = self.buffer.take_next(replica, self.end(replica)) else {
                return Halt::Done;
            };
            if accepted.operations.len() >= enough {
                self.buffer.insert(block, from);
                return Halt::Enough;
            }
            if !self.continues(&block) {
                accepted.conflicts.extend((!self.holds(&block)).then_some(block));
                continue;
            }
            let end = self.end(replica);
            let next = block.operations.iter().find(|operation| operation.dot.sequence > end);
            // A block that continues its chain brings one.
            let Some(next) = next else { return Halt::Done };
            match self.readiness(next, limit) {
                Next::Ready => self.link(block, accepted),
                Next::Missing(dot) => {
                    let first = block.outline.first;
                    self.buffer.insert(block, from);
                    return Halt::Missing { dot, block: Some(first) };
                }
                Next::Closed => {
                    self.buffer.insert(block, from);
                    return Halt::Done;
                }
            }
        }
    }

    /// How far a chain may grow.
    pub(crate) fn limit(&self, replica: &ReplicaId) -> u64 {
        let closed = self.chains.get(replica).is_some_and(|chain| chain.closed);
        if closed { self.buffer.needed(replica) } else { u64::MAX }
    }

    /// Accepts linked operations until one is not ready.
    fn accept_linked(&mut self, replica: &ReplicaId, limit: u64, accepted: &mut Accepted) -> Next {
        let Some(chain) = self.chains.get_mut(replica) else { return Next::Ready };
        if chain.unready.is_empty() {
            return Next::Ready;
        }
        let mut unready = std::mem::take(&mut chain.unready);
        let mut held = None;
        let mut next = Next::Ready;
        while let Some(operation) = unready.front() {
            next = self.readiness(operation, limit);
            if !matches!(next, Next::Ready) {
                break;
            }
            held = Some((operation.dot.sequence, operation.hash));
            accepted.operations.extend(unready.pop_front());
        }
        if let Some(chain) = self.chains.get_mut(replica) {
            chain.unready = unready;
            if let Some((sequence, hash)) = held {
                (chain.held, chain.held_hash) = (sequence, hash);
            }
        }
        next
    }

    /// Whether an operation of a chain that may grow up to `limit` may be accepted.
    pub(crate) fn readiness(&self, operation: &Operation, limit: u64) -> Next {
        if operation.dot.sequence > limit {
            return Next::Closed;
        }
        let lacks = |dot: &&Dot| {
            let held = self.chains.get(&dot.replica).map_or(0, |chain| chain.held);
            let known = self.own.filter(|(own, _)| *own == dot.replica).map_or(u64::MAX, |(_, left)| left);
            dot.sequence > held.min(known) && !self.severed.contains(&dot.replica)
        };
        operation.dependencies.iter().find(lacks).map_or(Next::Ready, |dot| Next::Missing(*dot))
    }
}

/// Whether an operation may be accepted.
pub(crate) enum Next {
    Ready,
    /// Not before this one.
    Missing(Dot),
    /// Not while nobody needs it.
    Closed,
}

/// Why a replica goes no further.
enum Halt {
    /// It waits for `dot`. `block`: where the waiting block begins that needs it, unless that is linked.
    Missing { dot: Dot, block: Option<u64> },
    /// That is enough for now.
    Enough,
    /// There is no more of it.
    Done,
}
