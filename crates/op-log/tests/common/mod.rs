//! A few logs, their stores and the network between them, in one thread.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

pub mod stores;

pub mod backup;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use meshwork_base::{
    Bytes, DocumentId, Dot, Hash, HybridTime, Machine, Monotonic, NodeId, Random, ReplicaId, Row, Seed,
    SessionId, SpaceId, Table, Timestamp, Version, WriteId, step,
};
use meshwork_identity::KeyedHash;
use meshwork_op_log::{
    Config, Context, Effect, Event, Incarnation, Input, MergeError, Message, NewOperation, OpLog, OpenError,
    Operation,
};
use meshwork_wire::Channel;

pub const SPACE: SpaceId = SpaceId([5; 16]);

pub fn context(node: u8) -> Context {
    let key = Arc::new(KeyedHash { node: NodeId([node; 32]), world: [9; 32] });
    Context { space: SPACE, signer: key.clone(), verifier: key }
}

pub fn session(host: usize) -> SessionId {
    SessionId([host as u8; 16])
}

pub type Rows = BTreeMap<(Table, Bytes), Bytes>;

pub fn apply(rows: &mut Rows, write: &[Row]) {
    for row in write {
        match &row.value {
            Some(value) => rows.insert((row.table, row.key.clone()), value.clone()),
            None => rows.remove(&(row.table, row.key.clone())),
        };
    }
}

pub fn rows(rows: &Rows) -> Vec<Row> {
    rows.iter().map(|((table, key), value)| Row::put(*table, key.clone(), value.clone())).collect()
}

/// The replicas of the proofs that a store holds.
fn disproved(disk: &Rows) -> BTreeSet<ReplicaId> {
    let proofs = disk.keys().filter(|(table, _)| *table == Table::Proofs);
    proofs.map(|(_, key)| ReplicaId(*key.first_chunk().unwrap())).collect()
}

/// One node: its log, its store, and documents that only remember what they were told.
pub struct Host {
    pub log: OpLog,
    pub node: u8,
    pub disk: Rows,
    pub writes: VecDeque<(WriteId, Vec<Row>)>,
    pub incarnation: Incarnation,
    pub next: u64,
    /// In the order in which they became visible; own ones included.
    pub visible: Vec<Operation>,
    pub applied: BTreeSet<Dot>,
    pub stored: Version,
    pub events: Vec<Event>,
    pub misbehaved: Vec<String>,
    pub rebuilds: usize,
    pub closed: bool,
    /// Replicas under which their author contradicts itself, as it knows: it may go on without their operations.
    pub disproved: BTreeSet<ReplicaId>,
    /// What became visible and was not looked at by the world.
    fresh: Vec<(Dot, Hash)>,
    /// The newest operations of others that no own one depends on yet.
    unnamed: BTreeMap<ReplicaId, u64>,
}

impl Host {
    pub fn open(node: u8, seed: u64, now: Timestamp, disk: Rows) -> Result<Self, OpenError> {
        Self::open_with(Config::default(), node, seed, now, disk)
    }

    pub fn open_with(
        config: Config,
        node: u8,
        seed: u64,
        now: Timestamp,
        disk: Rows,
    ) -> Result<Self, OpenError> {
        let log = OpLog::open(config, context(node), now, Seed::from_number(seed), rows(&disk))?;
        Ok(Self {
            incarnation: log.incarnation(),
            disproved: disproved(&disk),
            log,
            node,
            disk,
            writes: VecDeque::new(),
            next: 0,
            visible: Vec::new(),
            applied: BTreeSet::new(),
            stored: Version::default(),
            events: Vec::new(),
            misbehaved: Vec::new(),
            rebuilds: 0,
            closed: false,
            fresh: Vec::new(),
            unnamed: BTreeMap::new(),
        })
    }

    /// Feeds one input; returns what is to be sent.
    pub fn feed(&mut self, now: Timestamp, input: Option<Input>) -> Vec<(SessionId, Channel, Message)> {
        let mut effects = Vec::new();
        step(&mut self.log, now, input, |effect| effects.push(effect));
        let mut sent = Vec::new();
        for effect in effects {
            match effect {
                Effect::Incarnation(incarnation) => {
                    self.incarnation = incarnation;
                    self.next = incarnation.next_sequence;
                }
                Effect::Persist { write, rows } => self.writes.push_back((write, rows)),
                Effect::Send { to, channel, message } => sent.push((to, channel, message)),
                Effect::Deliver(operations) => {
                    operations.into_iter().for_each(|operation| self.show(operation))
                }
                Effect::Rebuild => {
                    self.rebuilds += 1;
                    self.visible.clear();
                    self.applied.clear();
                    self.unnamed.clear();
                }
                Effect::Stored { version } => {
                    assert!(self.rebuilds > 0 || version.covers(&self.stored), "stored shrinks");
                    self.stored = version;
                }
                Effect::Misbehaved { reason, .. } => self.misbehaved.push(reason),
                Effect::Event(event) => {
                    if let Event::Equivocation { dot, .. } = &event {
                        self.disproved.insert(dot.replica);
                    }
                    self.events.push(event);
                }
                Effect::Closed => self.closed = true,
            }
        }
        sent
    }

    /// Takes blocks that came by other means than a link, and shows what they made ready.
    pub fn merge(&mut self, now: Timestamp, blocks: Vec<Bytes>) -> Result<(), MergeError> {
        let merged = self.log.merge(now, blocks);
        let result = merged.map(|ready| ready.into_iter().for_each(|operation| self.show(operation)));
        assert_eq!(self.feed(now, None), [], "there are no links");
        result
    }

    /// Each operation is seen once, after what it depends on.
    fn show(&mut self, operation: Operation) {
        let Dot { replica, sequence } = operation.dot;
        if sequence > 1 {
            assert!(
                self.applied.contains(&Dot::new(replica, sequence - 1)),
                "{} comes too early",
                operation.dot
            );
        }
        for dot in &operation.dependencies {
            let there = self.applied.contains(dot) || self.disproved.contains(&dot.replica);
            assert!(there, "{} comes before {dot}", operation.dot);
        }
        assert!(self.applied.insert(operation.dot), "{} is delivered twice", operation.dot);
        self.unnamed.insert(replica, sequence);
        self.fresh.push((operation.dot, operation.hash));
        self.visible.push(operation);
    }

    /// The next local operation, with everything newly seen as its dependencies.
    pub fn write(&mut self, body: impl Into<Bytes>) -> NewOperation {
        let mut newest = std::mem::take(&mut self.unnamed);
        newest.remove(&self.incarnation.replica);
        let operation = NewOperation {
            dot: Dot::new(self.incarnation.replica, self.next),
            dependencies: newest.into_iter().map(|(replica, sequence)| Dot::new(replica, sequence)).collect(),
            document: DocumentId::new("document").unwrap(),
            time: HybridTime { wall_ms: 1_700_000_000_000, counter: 0 },
            body: body.into(),
        };
        self.next += 1;
        self.applied.insert(operation.dot);
        operation
    }

    /// Makes the oldest write durable; returns its answer.
    pub fn store_one(&mut self) -> Option<Input> {
        let (write, rows) = self.writes.pop_front()?;
        apply(&mut self.disk, &rows);
        Some(Input::Persisted { write })
    }
}

/// Hosts and what travels between them.
pub struct World {
    pub hosts: Vec<Host>,
    pub now: Timestamp,
    pub network: BTreeMap<(usize, usize, Channel), VecDeque<Message>>,
    pub links: BTreeSet<(usize, usize)>,
    /// Messages that were handed over, and their bytes.
    pub messages: usize,
    pub bytes: usize,
    /// The one operation that anybody ever saw under a dot.
    pub seen: BTreeMap<Dot, Hash>,
    /// Copies of a store run: dots may be seen twice.
    pub forked: bool,
}

impl World {
    pub fn new(hosts: usize) -> Self {
        Self::with(Config::default(), hosts)
    }

    pub fn with(config: Config, hosts: usize) -> Self {
        let now = Timestamp { monotonic: Monotonic(1_000_000), wall_ms: 1_700_000_000_000 };
        let open = |host: usize| {
            Host::open_with(config.clone(), host as u8 + 1, host as u64, now, Rows::new()).unwrap()
        };
        let mut world = Self {
            hosts: (0..hosts).map(open).collect(),
            now,
            network: BTreeMap::new(),
            links: BTreeSet::new(),
            messages: 0,
            bytes: 0,
            seen: BTreeMap::new(),
            forked: false,
        };
        (0..hosts).for_each(|host| world.feed(host, None));
        world
    }

    pub fn feed(&mut self, host: usize, input: Option<Input>) {
        let sent = self.hosts[host].feed(self.now, input);
        self.note_fresh(host);
        for (to, channel, message) in sent {
            let to = usize::from(to.0[0]);
            if self.links.contains(&(host, to)) {
                self.network.entry((host, to, channel)).or_default().push_back(message);
            }
        }
    }

    fn note_fresh(&mut self, host: usize) {
        for (dot, hash) in std::mem::take(&mut self.hosts[host].fresh) {
            let before = *self.seen.entry(dot).or_insert(hash);
            assert!(self.forked || before == hash, "{dot} is used twice");
        }
    }

    /// Hands blocks to a host by other means than a link.
    pub fn merge(&mut self, host: usize, blocks: Vec<Bytes>) -> Result<(), MergeError> {
        let result = self.hosts[host].merge(self.now, blocks);
        self.note_fresh(host);
        result
    }

    /// Makes everything durable that a host has asked for.
    pub fn store(&mut self, host: usize) {
        while let Some(input) = self.hosts[host].store_one() {
            self.feed(host, Some(input));
        }
    }

    pub fn link(&mut self, a: usize, b: usize) {
        self.links.extend([(a, b), (b, a)]);
        self.feed(a, Some(Input::PeerUp { peer: session(b) }));
        self.feed(b, Some(Input::PeerUp { peer: session(a) }));
    }

    pub fn cut(&mut self, a: usize, b: usize) {
        if self.links.remove(&(a, b)) {
            self.links.remove(&(b, a));
            self.network.retain(|(from, to, _), _| (*from, *to) != (a, b) && (*from, *to) != (b, a));
            self.feed(a, Some(Input::PeerDown { peer: session(b) }));
            self.feed(b, Some(Input::PeerDown { peer: session(a) }));
        }
    }

    pub fn write(&mut self, host: usize, count: usize, body: &[u8]) {
        let operations = (0..count).map(|_| self.hosts[host].write(body.to_vec())).collect();
        self.feed(host, Some(Input::Append(operations)));
    }

    /// Hands over one message of a lane; false when it is empty.
    pub fn hand_over(&mut self, lane: (usize, usize, Channel)) -> bool {
        let Some(message) = self.network.get_mut(&lane).and_then(VecDeque::pop_front) else { return false };
        let encoded = meshwork_wire::encode(&message).unwrap();
        self.messages += 1;
        self.bytes += encoded.len();
        let message = meshwork_wire::decode(&encoded).unwrap();
        self.feed(lane.1, Some(Input::Received { from: session(lane.0), message }));
        true
    }

    /// Hands over and stores everything that is under way, without letting time pass.
    pub fn drain(&mut self) {
        loop {
            let mut quiet = true;
            for lane in self.network.keys().copied().collect::<Vec<_>>() {
                quiet &= !self.hand_over(lane);
            }
            for host in 0..self.hosts.len() {
                quiet &= self.hosts[host].writes.is_empty();
                self.store(host);
            }
            if quiet {
                return;
            }
        }
    }

    /// Lets time pass, timer by timer.
    pub fn run(&mut self, span: Duration) {
        let end = self.now.monotonic + span;
        loop {
            self.drain();
            let next = self.hosts.iter().filter_map(|host| host.log.poll_timeout()).min();
            let Some(next) = next.filter(|next| next.at <= end) else { break };
            self.now = self.now.after(next.at.since(self.now.monotonic));
            for host in 0..self.hosts.len() {
                if self.hosts[host].log.poll_timeout().is_some_and(|deadline| deadline.is_due(self.now)) {
                    self.feed(host, None);
                }
            }
        }
        self.now = self.now.after(end.since(self.now.monotonic));
    }

    /// One random thing happens: a message, a stored write, a timer.
    pub fn stir(&mut self, random: &mut Random, loss: f64, duplication: f64) {
        let lanes: Vec<_> =
            self.network.iter().filter(|(_, queue)| !queue.is_empty()).map(|(lane, _)| *lane).collect();
        let hosts = self.hosts.len() as u64;
        let pick = random.below(lanes.len() as u64 + hosts + 1) as usize;
        if let Some(lane) = lanes.get(pick) {
            let queue = self.network.get_mut(lane).unwrap();
            if random.chance(loss) {
                queue.pop_front();
            } else {
                if random.chance(duplication) {
                    queue.extend(queue.front().cloned());
                }
                self.hand_over(*lane);
            }
        } else if pick - lanes.len() < hosts as usize {
            let host = pick - lanes.len();
            if let Some(input) = self.hosts[host].store_one() {
                self.feed(host, Some(input));
            }
        } else {
            self.now = self.now.after(random.duration(Duration::ZERO, Duration::from_millis(30)));
            (0..self.hosts.len()).for_each(|host| self.feed(host, None));
        }
    }

    /// All hold and show the same, and nothing waits.
    pub fn assert_converged(&self) {
        self.assert_agreed();
        for (index, host) in self.hosts.iter().enumerate() {
            assert_eq!(host.log.pending(), 0, "host {index} has operations that wait");
        }
    }

    /// All hold and show the same.
    pub fn assert_agreed(&self) {
        let first = &self.hosts[0];
        for (index, host) in self.hosts.iter().enumerate() {
            assert_eq!(host.log.version(), first.log.version(), "host {index} differs");
            assert_eq!(host.log.stored_version(), host.log.version(), "host {index} has not stored all");
            assert_eq!(host.applied, first.applied, "host {index} shows something else");
            assert_eq!(host.log.operations(), host.applied.len() as u64);
            assert_eq!(host.misbehaved, Vec::<String>::new());
        }
    }
}
