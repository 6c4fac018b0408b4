//! The machine.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use meshwork_base::{
    Deadline, Dot, Fill, Machine, Monotonic, NodeId, ReplicaId, SessionId, SpaceId, Timestamp, Tip, Version,
};
use meshwork_identity::{Signer, Verifier};

use crate::{
    Config, Effect, Input, LINKED_MAX, Message, RECEIPT_ENTRIES_MAX, RECEIPT_FORMAT, RECEIPTS_MAX, Receipt,
    ReceiptError, SignedReceipt,
    frontier::Frontier,
    record::{Limits, News, Record},
    relay::{Relay, receipt},
};

/// Own receipts alive at most (a full set that is longer stays whole).
const OWN_KEPT_MAX: usize = 32;

/// All that is stored here is named; what is kept of it is bounded by repeating it.
const OWN_LIMITS: Limits = Limits { replicas_max: usize::MAX, bytes_max: usize::MAX };

/// What consensus is told once.
#[derive(Clone)]
pub struct Context {
    /// The space.
    pub space: SpaceId,
    /// Whether this node's storage outlives the process. Only then does it issue receipts, and count for a quorum.
    pub durable: bool,
    /// Signs as this node.
    pub signer: Arc<dyn Signer>,
    /// Checks the receipts of others.
    pub verifier: Arc<dyn Verifier>,
}

/// Who has stored what, and when an operation is confirmed. See the [crate](crate).
pub struct Consensus {
    config: Config,
    context: Context,
    frontier: Frontier,
    own: Option<Own>,
    /// What the other nodes said.
    records: BTreeMap<NodeId, Box<Record>>,
    relay: Relay,
    /// Numbers the receipts in the order in which they were taken.
    heard: u64,
    receipt_due: Option<Monotonic>,
    relay_due: Option<Monotonic>,
    effects: VecDeque<Effect>,
}

/// This node as an issuer.
struct Own {
    epoch: u64,
    replica: ReplicaId,
    record: Record,
    /// The counter of the last receipt. Starts at the wall clock: a replica that is opened again goes on from there.
    counter: u64,
    /// Nobody was told of this incarnation yet, which voids the receipts of the one before.
    unannounced: bool,
    /// Before this, no receipt leaves.
    next_at: Monotonic,
}

impl Consensus {
    /// A machine that knows of nobody and has stored nothing.
    pub fn new(config: Config, context: Context) -> Self {
        Self {
            config,
            frontier: Frontier::default(),
            own: None,
            records: BTreeMap::new(),
            relay: Relay::new(context.signer.node()),
            context,
            heard: 0,
            receipt_due: None,
            relay_due: None,
            effects: VecDeque::new(),
        }
    }

    /// The nodes that are known to hold the operation durably, ascending. None before it is stored here.
    pub fn holders(&self, dot: Dot) -> Vec<NodeId> {
        if dot.sequence == 0 || !self.frontier.stored().contains(dot) {
            return Vec::new();
        }
        let others =
            self.claims(&dot.replica).filter(|(_, sequence)| *sequence >= dot.sequence).map(|(node, _)| node);
        let own = self.context.durable.then(|| self.context.signer.node());
        others.chain(own).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The last operation of `replica` that is confirmed; 0 when none is.
    pub fn confirmed(&self, replica: &ReplicaId) -> u64 {
        self.frontier.confirmed(replica)
    }

    /// How full its buffers are.
    pub fn fills(&self) -> [Fill; 3] {
        let Config { nodes_max, replicas_max, kept_bytes_max, .. } = self.config;
        [
            Fill { buffer: "nodes_max", held: self.records.len(), bound: nodes_max },
            Fill::fullest(
                "replicas_max",
                self.records.values().map(|record| record.replicas()),
                replicas_max,
            ),
            Fill::fullest(
                "kept_bytes_max",
                self.records.values().map(|record| record.kept_bytes()),
                kept_bytes_max,
            ),
        ]
    }

    /// Whether the operation is confirmed.
    pub fn is_confirmed(&self, dot: Dot) -> bool {
        (1..=self.confirmed(&dot.replica)).contains(&dot.sequence)
    }

    /// How many operations are confirmed, of all replicas.
    pub fn confirmed_operations(&self) -> u64 {
        self.frontier.confirmed_operations()
    }

    /// Up to where each other node holds `replica`, as far as its word counts.
    pub fn claims(&self, replica: &ReplicaId) -> impl Iterator<Item = (NodeId, u64)> {
        self.records.iter().filter_map(|(node, record)| {
            let claim = record.claim(replica).filter(|claim| !claim.forked)?;
            Some((*node, claim.tip.sequence))
        })
    }

    fn set_incarnation(&mut self, now: Timestamp, replica: ReplicaId, epoch: u64) {
        if self.own.as_ref().is_some_and(|own| (own.epoch, own.replica) == (epoch, replica)) {
            return;
        }
        let next_at = self.own.as_ref().map_or(now.monotonic, |own| own.next_at);
        self.own = Some(Own {
            epoch,
            replica,
            record: Record::new(epoch, replica),
            counter: now.wall_ms,
            unannounced: true,
            next_at,
        });
        self.receipt_soon(now);
    }

    fn set_stored(&mut self, now: Timestamp, version: Version) {
        let moved = self.frontier.store(version, self.config.tips_max);
        for (replica, tip) in &moved {
            for record in self.records.values_mut() {
                let at_tip = record.claim_mut(replica).filter(|claim| claim.tip.sequence == tip.sequence);
                at_tip.into_iter().for_each(|claim| claim.forked = claim.tip.hash != tip.hash);
            }
        }
        moved.iter().for_each(|(replica, _)| self.confirm(*replica));
        self.receipt_soon(now);
    }

    fn confirm(&mut self, replica: ReplicaId) {
        let stored = self.frontier.stored().sequence(&replica);
        // Nothing above what we hold is confirmed, so that most receipts need no asking of every node.
        if stored <= self.frontier.confirmed(&replica) {
            return;
        }
        let mut held: Vec<u64> = self.claims(&replica).map(|(_, sequence)| sequence.min(stored)).collect();
        held.extend(self.context.durable.then_some(stored));
        let up_to = self.config.policy.frontier(held);
        if let Some(from) = self.frontier.confirm(replica, up_to) {
            self.effects.push_back(Effect::Confirmed { from, up_to: Dot::new(replica, up_to) });
        }
    }

    fn add_peer(&mut self, now: Timestamp, peer: SessionId, node: NodeId) {
        self.relay.add(peer, node);
        self.relay_soon(now);
        if let Some(own) = self.own.as_ref().filter(|_| self.context.durable) {
            let kept =
                own.record.kept().map(|kept| Effect::Send { to: peer, message: receipt(&kept.signed) });
            self.effects.extend(kept);
        }
        self.receipt_soon(now);
    }

    fn receive(&mut self, now: Timestamp, from: SessionId, message: Message) {
        let outcome = match message {
            Message::Receipt(signed) => {
                self.receive_receipt(now, from, signed).map_err(|error| error.to_string())
            }
            Message::Receipts(receipts) if receipts.len() > RECEIPTS_MAX => {
                Err(format!("{} receipts in one message, where {RECEIPTS_MAX} are allowed", receipts.len()))
            }
            Message::Receipts(receipts) => receipts
                .into_iter()
                .try_for_each(|signed| self.receive_receipt(now, from, signed))
                .map_err(|error| error.to_string()),
            Message::Linked(nodes) if nodes.len() > LINKED_MAX || !nodes.is_sorted_by(|a, b| a < b) => {
                Err(format!("a list of links that is out of order or over {LINKED_MAX}"))
            }
            Message::Linked(nodes) => {
                if self.relay.set_linked(&from, nodes) {
                    self.relay_soon(now);
                }
                Ok(())
            }
        };
        if let Err(reason) = outcome {
            self.effects.push_back(Effect::Misbehaved { peer: from, reason });
        }
    }

    fn receive_receipt(
        &mut self,
        now: Timestamp,
        from: SessionId,
        signed: SignedReceipt,
    ) -> Result<(), ReceiptError> {
        let said = match signed.read(self.context.space) {
            // From a newer build, which does nothing wrong.
            Err(error @ ReceiptError::Format(_)) => {
                tracing::warn!(peer = %from, %error, "a receipt is left out");
                return Ok(());
            }
            said => said?,
        };
        let known = self.records.get(&said.node);
        let news = known.map_or(News::Replaces, |record| record.news(&said));
        // What we hold ourselves we know best, and another tab of this node is the same disk.
        if said.node == self.context.signer.node() || matches!(news, News::Nothing) {
            return Ok(());
        }
        signed.verify(&said.node, &*self.context.verifier)?;
        if known.is_none() && !self.make_room(&said.node) {
            tracing::warn!(node = %said.node, "a receipt is left out: `nodes_max` nodes are known");
            return Ok(());
        }
        self.heard += 1;
        let record =
            self.records.entry(said.node).or_insert_with(|| Box::new(Record::new(said.epoch, said.replica)));
        if matches!(news, News::Replaces) {
            **record = Record::new(said.epoch, said.replica);
        }
        let kept = (signed, from, self.heard);
        let limits = Limits { replicas_max: self.config.replicas_max, bytes_max: self.config.kept_bytes_max };
        record.take(limits, &said, kept, |replica, tip| self.frontier.same_chain(replica, tip));
        said.holds.iter().for_each(|(replica, _)| self.confirm(*replica));
        self.relay_soon(now);
        Ok(())
    }

    /// Makes sure that one more node fits. Only a linked one displaces another.
    fn make_room(&mut self, node: &NodeId) -> bool {
        if self.records.len() < self.config.nodes_max {
            return true;
        }
        if !self.relay.is_linked(node) {
            return false;
        }
        let unlinked = self.records.iter().filter(|(node, _)| !self.relay.is_linked(node));
        let Some(victim) = unlinked.min_by_key(|(_, record)| record.heard).map(|(node, _)| *node) else {
            return false;
        };
        self.records.remove(&victim);
        self.relay.forget(&victim);
        true
    }

    /// The tips that the last receipts do not name as they are now.
    fn unreceipted(&self) -> impl Iterator<Item = (ReplicaId, Tip)> {
        let record = self.own.as_ref().map(|own| &own.record);
        self.frontier.stored().iter().filter_map(move |(replica, tip)| {
            let said = record?.claim(replica).map(|claim| claim.tip);
            let news =
                |said: Tip| tip.sequence > said.sequence || (tip.sequence == said.sequence && *tip != said);
            said.is_none_or(news).then_some((*replica, *tip))
        })
    }

    /// Issues a receipt at once, or when the interval has passed, if there is something to say and somebody to hear it.
    fn receipt_soon(&mut self, now: Timestamp) {
        let Some(own) = self.own.as_ref().filter(|_| self.context.durable && !self.relay.is_empty()) else {
            return;
        };
        if !own.unannounced && self.unreceipted().next().is_none() {
            return;
        }
        if own.next_at <= now.monotonic {
            self.issue(now);
        } else {
            self.receipt_due = Some(own.next_at);
        }
    }

    fn issue(&mut self, now: Timestamp) {
        self.receipt_due = None;
        let mut tips: BTreeMap<ReplicaId, Tip> = self.unreceipted().collect();
        let stored = self.frontier.stored();
        let Some(own) = &mut self.own else { return };
        while own.record.is_crowded(OWN_KEPT_MAX, self.config.kept_bytes_max) {
            let again = own.record.dissolve_smallest();
            tips.extend(again.into_iter().filter_map(|id| Some((id, *stored.tip(&id)?))));
        }
        let tips: Vec<_> = tips.into_iter().collect();
        // An incarnation that holds nothing yet still says so: that voids what the one before it said.
        let chunks =
            if tips.is_empty() { vec![&tips[..]] } else { tips.chunks(RECEIPT_ENTRIES_MAX).collect() };
        for chunk in chunks {
            own.counter = own.counter.saturating_add(1);
            let said = Receipt {
                format: RECEIPT_FORMAT,
                space: self.context.space,
                node: self.context.signer.node(),
                epoch: own.epoch,
                replica: own.replica,
                counter: own.counter,
                holds: chunk.iter().copied().collect(),
            };
            // RECEIPT_ENTRIES_MAX tips always fit a message.
            let Ok(signed) = SignedReceipt::sign(&said, &*self.context.signer) else { continue };
            let sends = self.relay.sessions().map(|to| Effect::Send { to: *to, message: receipt(&signed) });
            self.effects.extend(sends);
            own.record.take(OWN_LIMITS, &said, (signed, SessionId::default(), own.counter), |_, _| None);
        }
        own.unannounced = false;
        own.next_at = now.monotonic + Duration::from_millis(self.config.receipt_interval_ms);
    }

    fn relay_soon(&mut self, now: Timestamp) {
        if !self.relay.is_empty() {
            let due = now.monotonic + Duration::from_millis(self.config.relay_interval_ms);
            self.relay_due.get_or_insert(due);
        }
    }
}

impl Machine for Consensus {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Incarnation { replica, epoch } => self.set_incarnation(now, replica, epoch),
            Input::Stored { version } => self.set_stored(now, version),
            Input::PeerUp { peer, node } => self.add_peer(now, peer, node),
            Input::PeerDown { peer } => {
                self.relay.remove(&peer);
                self.relay_soon(now);
            }
            Input::Received { from, message } => self.receive(now, from, message),
        }
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        let due = |at: &Monotonic| Deadline { at: *at, why: "" }.is_due(now);
        if self.receipt_due.as_ref().is_some_and(due) {
            self.receipt_due = None;
            self.receipt_soon(now);
        }
        if self.relay_due.take_if(|at| due(at)).is_some() {
            let pending = self.relay.pending(&self.records);
            self.effects.extend(pending.into_iter().map(|(to, message)| Effect::Send { to, message }));
            if self.relay.is_restless() {
                self.relay_soon(now);
            }
        }
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        let receipt = self.receipt_due.map(|at| Deadline { at, why: "receipt" });
        let relay = self.relay_due.map(|at| Deadline { at, why: "relay" });
        Deadline::earliest(receipt, relay)
    }
}
