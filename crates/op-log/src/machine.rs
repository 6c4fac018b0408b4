//! The machine: dispatch, storage, timers. What it does with each input lies in the files named in the match.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use meshwork_base::{
    Bytes, Deadline, Hash, Machine, Random, ReplicaId, Row, SessionId, SpaceId, Timestamp, Tip, Version,
    WriteId,
};
use meshwork_identity::{Signer, Verifier};
use meshwork_wire::Channel;

use crate::{
    Config, Effect, Event, Input, MergeError, Message, Operation,
    causal::Bounds,
    flush::Author,
    history::{Accepted, History, without},
    links::Links,
    overdue::Overdue,
    proofs::Proofs,
    recovery,
};

/// Whose log it is, and how it signs and verifies.
#[derive(Clone)]
pub struct Context {
    /// The space.
    pub space: SpaceId,
    /// Signs as this node.
    pub signer: Arc<dyn Signer>,
    /// Checks everybody's signatures.
    pub verifier: Arc<dyn Verifier>,
}

/// The log of one space on one node. See the [crate](crate) for what it does; made by [`OpLog::open`] or
/// [`Opening`](crate::Opening).
pub struct OpLog {
    pub(crate) config: Config,
    pub(crate) context: Context,
    pub(crate) random: Random,
    pub(crate) history: History,
    pub(crate) author: Author,
    /// What is durable here.
    pub(crate) stored: Version,
    /// What peers are told of and may have: all that was accepted, own operations once released.
    pub(crate) shown: Version,
    writes: VecDeque<Write>,
    last_write: u64,
    /// The durable mark is in storage: own operations may leave.
    pub(crate) marked: bool,
    pub(crate) links: Links,
    /// Which replica is being fetched from whom.
    pub(crate) fetches: BTreeMap<ReplicaId, SessionId>,
    /// Why replicas are closed.
    pub(crate) proofs: Proofs,
    pub(crate) overdue: Overdue,
    /// The replicas for which nothing is to wait from now on.
    pub(crate) to_sever: BTreeSet<ReplicaId>,
    closing: Closing,
    pub(crate) effects: VecDeque<Effect>,
}

/// A write that is not answered yet.
#[derive(Debug)]
struct Write {
    id: WriteId,
    /// What is durable once it is answered.
    tips: BTreeMap<ReplicaId, Tip>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Closing {
    /// Not asked to.
    Open,
    /// Waiting for writes to be answered.
    Storing,
    /// Waiting for the durable mark to be deleted.
    Unmarking,
    Closed,
}

impl OpLog {
    pub(crate) fn new(
        config: Config,
        context: Context,
        random: Random,
        mut history: History,
        author: Author,
    ) -> Self {
        let version = history.version.clone();
        history.own = Some((author.replica, author.sent));
        Self {
            config,
            context,
            random,
            history,
            author,
            stored: version.clone(),
            shown: version,
            writes: VecDeque::new(),
            last_write: 0,
            marked: false,
            links: Links::default(),
            fetches: BTreeMap::new(),
            proofs: Proofs::default(),
            overdue: Overdue::default(),
            to_sever: BTreeSet::new(),
            closing: Closing::Open,
            effects: VecDeque::new(),
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing != Closing::Open
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.effects.push_back(Effect::Event(event));
    }

    pub(crate) fn send(&mut self, to: SessionId, channel: Channel, message: Message) {
        if !self.is_closing() {
            self.effects.push_back(Effect::Send { to, channel, message });
        }
    }

    pub(crate) fn misbehaved(&mut self, peer: SessionId, reason: impl Into<String>) {
        self.effects.push_back(Effect::Misbehaved { peer, reason: reason.into() });
    }

    pub(crate) fn deliver(&mut self, operations: Vec<Operation>) {
        let max = self.config.deliver_operations_max;
        if operations.len() <= max {
            self.effects.extend((!operations.is_empty()).then_some(Effect::Deliver(operations)));
            return;
        }
        let mut rest = operations.into_iter();
        while rest.len() > 0 {
            self.effects.push_back(Effect::Deliver(rest.by_ref().take(max).collect()));
        }
    }

    /// Asks for rows to be stored; `tips` are durable with them.
    pub(crate) fn persist(&mut self, rows: Vec<Row>, tips: impl IntoIterator<Item = (ReplicaId, Tip)>) {
        if rows.is_empty() {
            match self.writes.back_mut() {
                Some(write) => write.tips.extend(tips),
                None => self.note_stored(tips),
            }
            return;
        }
        self.last_write += 1;
        let write = WriteId(self.last_write);
        self.writes.push_back(Write { id: write, tips: tips.into_iter().collect() });
        self.effects.push_back(Effect::Persist { write, rows });
    }

    fn note_stored(&mut self, tips: impl IntoIterator<Item = (ReplicaId, Tip)>) {
        let mut grown = false;
        for (replica, tip) in tips {
            if tip.sequence > self.stored.sequence(&replica) {
                self.stored.set(replica, tip);
                grown = true;
            }
        }
        if grown {
            self.effects.push_back(Effect::Stored { version: self.stored.clone() });
        }
    }

    fn persisted(&mut self, now: Timestamp, answered: WriteId) {
        while let Some(write) = self.writes.pop_front_if(|write| write.id <= answered) {
            self.marked = true;
            self.note_stored(write.tips);
        }
        self.release(now);
        self.close_on();
    }

    /// Takes back what was said of `replica` beyond what the history now holds.
    pub(crate) fn forget_beyond(&mut self, replica: &ReplicaId) {
        let left = self.history.version.tip(replica).copied();
        let end = left.map_or(0, |tip| tip.sequence);
        for write in &mut self.writes {
            if write.tips.get(replica).is_some_and(|tip| tip.sequence > end) {
                // What is left of it is durable with the write all the same.
                match left {
                    Some(tip) => write.tips.insert(*replica, tip),
                    None => write.tips.remove(replica),
                };
            }
        }
        for version in [&mut self.shown, &mut self.stored] {
            match left {
                Some(tip) if version.sequence(replica) > end => version.set(*replica, tip),
                None => *version = without(version, replica),
                Some(_) => {}
            }
        }
    }

    fn close(&mut self, now: Timestamp) {
        if self.is_closing() {
            return;
        }
        self.flush(now);
        self.closing = Closing::Storing;
        self.close_on();
    }

    /// Goes on closing once all writes are answered. Operations may still be appended meanwhile, even while the mark is
    /// being deleted: they are not sent any more, so their numbers are known to nobody until they are stored.
    pub(crate) fn close_on(&mut self) {
        if !self.writes.is_empty() {
            return;
        }
        match self.closing {
            Closing::Open | Closing::Closed => {}
            Closing::Storing => {
                self.closing = Closing::Unmarking;
                let rows = vec![self.author.record().row(), recovery::mark_deleted()];
                self.persist(rows, []);
            }
            Closing::Unmarking => {
                self.closing = Closing::Closed;
                self.effects.push_back(Effect::Closed);
            }
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { bytes_max: self.config.buffered_bytes_max, blocks_max: self.config.buffered_blocks_max }
    }

    /// Takes blocks up to the first that is refused or, when no peer brought them, does not fit.
    pub(crate) fn receive(
        &mut self,
        blocks: &[Bytes],
        from: Option<SessionId>,
    ) -> (Accepted, Result<(), MergeError>) {
        let mut accepted = Accepted::default();
        let bounds = self.bounds();
        for (index, bytes) in blocks.iter().enumerate() {
            let with = (&*self.context.verifier, bounds);
            match self.history.receive(bytes, from, with, &mut accepted) {
                Ok(true) => {}
                Ok(false) => {
                    let Bounds { bytes_max, blocks_max } = bounds;
                    return (accepted, Err(MergeError::Full { index, bytes_max, blocks_max }));
                }
                Err(reason) => return (accepted, Err(MergeError::Refused { index, reason })),
            }
        }
        (accepted, Ok(()))
    }

    /// Stores, shows and tells what was accepted; returns the operations.
    pub(crate) fn settle(
        &mut self,
        now: Timestamp,
        from: Option<SessionId>,
        accepted: Accepted,
    ) -> Vec<Operation> {
        let Accepted { mut operations, rows, changed, conflicts, own, shared } = accepted;
        let author = self.author.replica;
        self.author.sent = self.author.sent.max(shared);
        let version = &self.history.version;
        let tips: Vec<_> =
            changed.iter().filter_map(|replica| version.tip(replica).map(|tip| (*replica, *tip))).collect();
        for (replica, tip) in &tips {
            self.shown.set(*replica, *tip);
        }
        self.persist(rows, tips.iter().copied());
        for (replica, _) in &tips {
            self.note_change(now, replica, from);
        }
        self.note_progress(now, from, &changed);
        for block in conflicts {
            self.contradict(now, block);
        }
        for block in own {
            let before = self.author.replica;
            let met = self.meet_own(now, from, block);
            if self.author.replica != before {
                // All that was accepted so far is delivered again, behind the `Rebuild`.
                operations.clear();
            }
            operations.extend(met);
        }
        operations.extend(self.wake_own(now));
        if self.author.replica != author {
            self.deliver(std::mem::take(&mut operations));
        }
        operations
    }

    /// Accepts what waited for own operations that others may know by now. Returns it.
    pub(crate) fn wake_own(&mut self, now: Timestamp) -> Vec<Operation> {
        let own = Some((self.author.replica, self.author.sent));
        let before = std::mem::replace(&mut self.history.own, own);
        if before == own {
            return Vec::new();
        }
        let mut accepted = Accepted::default();
        for (replica, _) in before.into_iter().chain(own) {
            let held = self.history.version.sequence(&replica);
            for waiter in self.history.buffer.wake(&replica, held) {
                self.history.advance(waiter, &mut accepted);
            }
        }
        self.settle(now, None, accepted)
    }

    /// What peers compare: closed replicas are left out, since holders of different branches would never agree.
    pub(crate) fn digest(&self) -> Hash {
        if self.proofs.is_empty() {
            return self.shown.digest();
        }
        let closed = |replica| self.proofs.contains(replica) || self.history.is_closed(replica);
        let open = self.shown.iter().filter(|(replica, _)| !closed(*replica));
        open.map(|(replica, tip)| (*replica, *tip)).collect::<Version>().digest()
    }
}

impl Machine for OpLog {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Persisted { write } => self.persisted(now, write),
            Input::Close => self.close(now),
            Input::Append(operations) if self.closing != Closing::Closed => self.append(now, operations),
            Input::Append(operations) => {
                tracing::error!(
                    operations = operations.len(),
                    "edits are lost: they come after the log was closed"
                );
            }
            _ if self.is_closing() => {}
            Input::PeerUp { peer } => self.peer_up(now, peer),
            Input::PeerDown { peer } => self.peer_down(now, peer),
            Input::Received { from, message } => self.hear(now, from, message),
            Input::Congested { peer } => self.congested(peer),
            Input::Drained { peer } => self.drained(now, peer),
            Input::Sync => self.compare_all(),
        }
        // The timers of a hidden tab fire once a minute, while messages reach it at once.
        self.flush_if_due(now);
        let operations = self.wake_own(now);
        self.deliver(operations);
        self.notice_waits(now);
        self.links.settle();
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        if self.is_closing() {
            return;
        }
        self.flush_if_due(now);
        self.link_timeouts(now);
        if self.overdue.due().is_some_and(|due| due.is_due(now)) {
            self.look_at_waits(now);
        }
        self.links.settle();
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        if self.is_closing() {
            return None;
        }
        let own = Deadline::earliest(self.author.flush_due(), self.overdue.due());
        Deadline::earliest(own, self.links.due())
    }
}
