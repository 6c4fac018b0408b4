//! The world: nodes, their disks, a hub, the network, and virtual time.

mod links;
mod signalling;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
    time::Duration,
};

use meshwork::{
    Command, Dot, Effect, Event as NodeEvent, Input, Monotonic, NodeId, Random, RequestId, Seed, SpaceId,
    SpaceSecret, Timestamp, WriteId, step,
};
use meshwork_hub::{ConnectionId, Hub, HubConfig};
use meshwork_identity::KeyedHash;
use meshwork_transport::ConnectionEvent;
use meshwork_wire::Channel;

use crate::{
    Scenario, Trace,
    invariants::{Violation, convergence::Convergence, durability::Durability},
    network::{End, Network},
    node::Node,
    workload,
};

/// Where virtual wall clocks begin.
const WALL_START_MS: u64 = 1_800_000_000_000;
/// How often a settled world is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a disk takes to sync.
const SYNC: Duration = Duration::from_millis(2);

/// Something that will happen.
#[derive(Debug)]
enum Event {
    /// A node wants to be woken.
    Wake { node: usize, life: u64 },
    /// A node is told something.
    Tell { node: usize, life: u64, input: Input },
    /// The oldest frame of a lane arrives.
    Frame { to: End, channel: Channel },
    /// A frame has left the sender's hands.
    Sent { from: End, channel: Channel, bytes: usize },
    /// A node's disk syncs its oldest write.
    Sync { node: usize, life: u64 },
    /// The hub is told something.
    HubTold(meshwork_hub::Input),
    /// The hub wants to be woken.
    HubWake,
    /// A node edits.
    Edit { node: usize },
    /// The network is cut.
    Partition,
    /// It is whole again.
    Join,
    /// A node loses power.
    Crash { node: usize },
    /// It starts again.
    Restart { node: usize },
    /// Faults end.
    Heal,
    /// Has everybody agreed yet?
    Look,
}

/// One run.
pub struct World {
    scenario: Scenario,
    random: Random,
    now: Monotonic,
    queue: BinaryHeap<Reverse<(Monotonic, u64)>>,
    events: BTreeMap<u64, Event>,
    next_event: u64,
    nodes: Vec<Node>,
    network: Network,
    /// Ends by what their description says.
    offers: BTreeMap<String, End>,
    hub: Hub,
    hub_connections: BTreeMap<ConnectionId, (usize, u64)>,
    next_connection: u64,
    trace: Trace,
    convergence: Convergence,
    durability: Durability,
    violation: Option<Violation>,
    healed: bool,
    agreed: bool,
    edits: u64,
}

/// How a run went.
#[derive(Debug)]
pub struct Outcome {
    /// Edits that were made.
    pub edits: u64,
    /// Events that happened.
    pub events: u64,
    /// Virtual time that passed.
    pub elapsed: Duration,
    /// One hash for all of it.
    pub trace: meshwork::Hash,
    /// The first invariant that was broken.
    pub violation: Option<Violation>,
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(scenario: Scenario, seed: u64, trace: Trace) -> Self {
        let seed = Seed::from_number(seed);
        let world_key: [u8; 32] = seed.fork("world key").random().bytes();
        let space = SpaceId(seed.fork("space").random().bytes());
        let nodes = (0..scenario.nodes)
            .map(|index| {
                let node = NodeId(seed.fork(&format!("node {index}")).random().bytes());
                let keys = Arc::new(KeyedHash { node, world: world_key });
                Node::new(index, keys, space, SpaceSecret::open(&space), seed.fork(&format!("seed {index}")))
            })
            .collect();
        let verifier = Arc::new(KeyedHash { node: NodeId::default(), world: world_key });
        Self {
            random: seed.fork("faults").random(),
            now: Monotonic(1_000_000),
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            next_event: 0,
            nodes,
            network: Network::new(scenario.nodes, scenario.network.clone()),
            offers: BTreeMap::new(),
            hub: Hub::new(HubConfig::default(), verifier, seed.fork("hub")),
            hub_connections: BTreeMap::new(),
            next_connection: 0,
            trace,
            convergence: Convergence::default(),
            durability: Durability::default(),
            violation: None,
            healed: false,
            agreed: false,
            edits: 0,
            scenario,
        }
    }

    /// Runs until everybody agrees, time is up, or an invariant breaks.
    pub fn run(mut self) -> Outcome {
        let start = self.now;
        let end = start + self.scenario.active + self.scenario.settle;
        for node in 0..self.nodes.len() {
            let delay = self.random.duration(Duration::ZERO, Duration::from_secs(1));
            self.schedule(delay, Event::Restart { node });
            self.schedule_edit(node);
        }
        self.schedule_fault(self.scenario.partition_every, Event::Partition);
        for node in 0..self.nodes.len() {
            self.schedule_fault(
                self.scenario.crash_every * self.scenario.nodes as u32,
                Event::Crash { node },
            );
        }
        self.schedule(self.scenario.active, Event::Heal);
        while let Some(Reverse((at, id))) = self.queue.pop() {
            self.now = at;
            if at > end || self.agreed || self.violation.is_some() {
                break;
            }
            if let Some(event) = self.events.remove(&id) {
                self.happen(event);
            }
        }
        if !self.agreed && self.violation.is_none() {
            let what = format!(
                "not all nodes hold the same {} s after the faults ended",
                self.scenario.settle.as_secs()
            );
            self.broken("convergence", 0, what);
        }
        Outcome {
            edits: self.edits,
            events: self.trace.events(),
            elapsed: self.now.since(start),
            trace: self.trace.hash(),
            violation: self.violation,
        }
    }

    fn schedule(&mut self, delay: Duration, event: Event) {
        self.schedule_at(self.now + delay, event);
    }

    fn schedule_at(&mut self, at: Monotonic, event: Event) {
        let id = self.next_event;
        self.next_event += 1;
        self.events.insert(id, event);
        self.queue.push(Reverse((at.max(self.now), id)));
    }

    /// Schedules a fault after a random time around `mean`; never, when that is zero.
    fn schedule_fault(&mut self, mean: Duration, event: Event) {
        if !mean.is_zero() {
            let delay = self.random.duration(mean / 4, mean * 2);
            self.schedule(delay, event);
        }
    }

    fn schedule_edit(&mut self, node: usize) {
        let delay = self.random.duration(Duration::ZERO, self.scenario.edit_every * 2);
        self.schedule(delay, Event::Edit { node });
    }

    fn broken(&mut self, invariant: &'static str, node: usize, what: String) {
        self.violation.get_or_insert(Violation { invariant, at_us: self.now.0, node, what });
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp { monotonic: self.now, wall_ms: WALL_START_MS + self.now.0 / 1000 }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake { node, life } => {
                if self.nodes[node].wakes(life, self.now) {
                    self.step(node, None);
                }
            }
            Event::Tell { node, life, input } => self.tell(node, life, input),
            Event::Frame { to, channel } => self.frame_arrives(to, channel),
            Event::Sent { from, channel, bytes } => {
                let event = ConnectionEvent::Sent { channel, bytes };
                self.tell(from.node, from.life, Input::Connection { link: from.link, event });
            }
            Event::Sync { node, life } => {
                if self.nodes[node].life == life
                    && let Some(write) = self.nodes[node].disk.sync_one()
                {
                    self.tell(node, life, Input::Persisted { write });
                }
            }
            Event::HubTold(input) => self.step_hub(Some(input)),
            Event::HubWake => self.step_hub(None),
            Event::Edit { node } => self.edit(node),
            Event::Partition if !self.healed => {
                self.network.partition(&mut self.random);
                let length = self.random.duration(Duration::from_millis(100), self.scenario.partition_max);
                self.schedule(length, Event::Join);
            }
            Event::Join if !self.healed => {
                self.network.join();
                self.schedule_fault(self.scenario.partition_every, Event::Partition);
            }
            Event::Crash { node } if !self.healed => {
                self.crash(node);
                let down = self.random.duration(Duration::from_millis(100), self.scenario.down_max);
                self.schedule(down, Event::Restart { node });
                self.schedule_fault(
                    self.scenario.crash_every * self.scenario.nodes as u32,
                    Event::Crash { node },
                );
            }
            Event::Partition | Event::Join | Event::Crash { .. } => {}
            Event::Restart { node } => self.restart(node),
            Event::Heal => {
                self.healed = true;
                self.network.heal();
                self.schedule(LOOK_EVERY, Event::Look);
            }
            Event::Look => self.look(),
        }
    }

    fn edit(&mut self, node: usize) {
        if self.healed {
            return;
        }
        self.schedule_edit(node);
        if self.nodes[node].is_up() {
            let (document, edits) = workload::next(&mut self.random);
            self.edits += 1;
            let command = Command::Edit { request: RequestId(self.edits), document, edits };
            self.step(node, Some(Input::Command(command)));
        }
    }

    fn crash(&mut self, node: usize) {
        if !self.nodes[node].is_up() {
            return;
        }
        self.trace.note(self.now, node, &"crash");
        for end in self.network.ends_of(node) {
            // The other side learns of it by silence.
            self.network.disconnect(end);
        }
        let gone: Vec<ConnectionId> = self.connections_of(node);
        for connection in gone {
            self.hub_connections.remove(&connection);
            self.schedule(Duration::ZERO, Event::HubTold(meshwork_hub::Input::Disconnected { connection }));
        }
        self.nodes[node].crash();
    }

    fn connections_of(&self, node: usize) -> Vec<ConnectionId> {
        let of_node = self.hub_connections.iter().filter(|(_, (at, _))| *at == node);
        of_node.map(|(connection, _)| *connection).collect()
    }

    fn restart(&mut self, node: usize) {
        if self.nodes[node].is_up() {
            return;
        }
        let now = self.timestamp();
        match self.nodes[node].start(now) {
            Ok(found) => {
                if let Err(what) = self.durability.restarted(node, &found) {
                    self.broken("durability", node, what);
                }
            }
            Err(error) => {
                return self.broken("durability", node, format!("its log does not open again: {error}"));
            }
        }
        self.step(node, None);
        self.step(node, Some(Input::Command(Command::Start)));
    }

    fn tell(&mut self, node: usize, life: u64, input: Input) {
        if self.nodes[node].is_up() && self.nodes[node].life == life {
            self.step(node, Some(input));
        }
    }

    /// Drives one node by one input, or by its timeout.
    fn step(&mut self, node: usize, input: Option<Input>) {
        let now = self.timestamp();
        if let Some(input) = &input {
            self.trace.note(self.now, node, input);
        }
        let mut effects = Vec::new();
        let Some(mesh) = &mut self.nodes[node].mesh else { return };
        let deadline = step(mesh, now, input, |effect| effects.push(effect));
        let mut shown = Vec::new();
        for effect in effects {
            self.trace.note(self.now, node, &effect);
            match effect {
                Effect::Event(NodeEvent::OperationReceived { dots, .. }) => shown.extend(dots),
                effect => self.perform(node, effect),
            }
        }
        self.shown(node, &shown);
        if let Err(what) = self.nodes[node].progress.asked(self.now, deadline) {
            self.broken("progress", node, what);
        }
        let life = self.nodes[node].life;
        if let Some(at) = self.nodes[node].arm(deadline) {
            self.schedule_at(at, Event::Wake { node, life });
        }
    }

    fn perform(&mut self, node: usize, effect: Effect) {
        let life = self.nodes[node].life;
        match effect {
            Effect::Persist { write, rows } => self.persist(node, write, rows),
            Effect::Connection { link, action } => self.connect(End { node, life, link }, action),
            Effect::Hub { hub, action } => self.hub_action(node, hub, action),
            Effect::Edited { result: Ok(dot), .. } => self.nodes[node].causality.authored(dot),
            Effect::Edited { result: Err(error), .. } => {
                self.broken("edits", node, format!("a valid edit was refused: {error}"));
            }
            Effect::EditedMany { results, .. } => {
                for dot in results.into_iter().flatten() {
                    self.nodes[node].causality.authored(dot);
                }
            }
            Effect::Stored { version } => self.durability.stored(node, version),
            Effect::Event(NodeEvent::Confirmed { up_to, .. }) => self.durability.confirmed(up_to),
            Effect::Event(NodeEvent::Misbehaved { peer, reason, .. }) => {
                self.broken("trust", node, format!("it accuses the correct peer {peer:?}: {reason}"));
            }
            Effect::Event(NodeEvent::Equivocation { dot, .. }) => {
                self.broken(
                    "trust",
                    node,
                    format!("a correct author is said to have signed two operations {dot:?}"),
                );
            }
            Effect::Event(_) | Effect::Incarnation(_) | Effect::Closed => {}
        }
    }

    fn persist(&mut self, node: usize, write: WriteId, rows: Vec<meshwork::Row>) {
        let life = self.nodes[node].life;
        self.nodes[node].disk.write(write, rows);
        let delay = self.random.duration(SYNC / 4, SYNC * 4);
        // Writes become durable one after the other.
        let at = self.nodes[node].disk_free.max(self.now) + delay;
        self.nodes[node].disk_free = at;
        self.schedule_at(at, Event::Sync { node, life });
    }

    fn shown(&mut self, node: usize, dots: &[Dot]) {
        let broken = self.nodes[node].shown(dots);
        if let Err(what) = broken {
            self.broken("causality", node, what);
        }
    }

    /// Do all nodes hold the same, in the same state?
    fn look(&mut self) {
        self.schedule(LOOK_EVERY, Event::Look);
        let mut versions = Vec::new();
        for node in 0..self.nodes.len() {
            let Some((version, state)) = self.nodes[node].state() else { return };
            if let Err(what) = self.convergence.holds(&version, state) {
                return self.broken("convergence", node, what);
            }
            versions.push(version);
        }
        if versions.windows(2).all(|pair| pair[0] == pair[1]) {
            self.agreed = true;
            if let Some(Err(what)) = versions.first().map(|version| self.durability.settled(version)) {
                self.broken("durability", 0, what);
            }
        }
    }
}
