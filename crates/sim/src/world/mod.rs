//! The world: nodes, their disks, a hub, the network, and virtual time.

mod attacks;
mod faults;
mod hosting;
mod hub;
mod lies;
mod links;
mod scale;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use meshwork::{Command, Effect, Input, Monotonic, NodeId, Random, RequestId, Seed, SpaceId, Timestamp};
use meshwork_hub::ConnectionId;
use meshwork_identity::KeyedHash;
use meshwork_wire::Channel;

use crate::{
    Attack, Plan, Trace,
    clock::Clock,
    invariants::{self, Invariant, Scene, Settled, Verdict, Violation},
    network::{End, Frame, Network},
    node::Node,
    plant::Bug,
    queue::Queue,
    workload,
};

use attacks::Hostile;
use hub::{Hubs, Towards};

pub use scale::Scale;

/// How often invariants that need time are asked, while faults happen and afterwards.
const LOOK_EVERY: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(1)];

/// Something that will happen.
#[derive(Debug)]
enum Event {
    /// A node wants to be woken.
    Wake { node: usize, life: u64 },
    /// A node is told something.
    Tell { node: usize, life: u64, input: Box<Input> },
    /// The oldest frame of a lane arrives, and leaves its sender's hands.
    Carried { from: End, to: End, channel: Channel, bytes: usize },
    /// The oldest frame of a lane arrives.
    Frame { to: End, channel: Channel },
    /// A datagram of a lossy channel arrives.
    Datagram { from: usize, to: End, frame: Box<Frame> },
    /// A frame has left the sender's hands.
    Sent { from: End, channel: Channel, bytes: usize },
    /// A node's disk syncs its oldest write.
    Sync { node: usize, life: u64 },
    /// The oldest message of a connection to the hub arrives.
    Hub { connection: ConnectionId, towards: Towards },
    /// The hub is told something.
    HubTold { life: u64, input: Box<meshwork_hub::Input> },
    /// The hub wants to be woken.
    HubWake { life: u64 },
    /// A hub that lies, by the fault of that index, does so.
    HubLie(usize),
    /// A node starts for the first time.
    Start { node: usize },
    /// A planned edit is made.
    Edit(usize),
    /// A hostile node does something.
    Attack { node: usize },
    /// A planned fault begins.
    Begin(usize),
    /// It ends.
    End(usize),
    /// Faults end.
    Heal,
    /// Invariants are asked.
    Look,
}

/// An end of a connection that has described itself.
#[derive(Clone)]
struct Described {
    end: End,
    /// The offer that it answers, if any.
    answers: Option<String>,
}

/// One run.
pub struct World {
    plan: Plan,
    seed: Seed,
    /// Of disks.
    random: Random,
    now: Monotonic,
    queue: Queue<Event>,
    /// What the node that is driven asks for; kept for its space.
    effects: Vec<Effect>,
    nodes: Vec<Node>,
    network: Network,
    /// Ends by what their description says.
    offers: BTreeMap<String, Described>,
    hubs: Hubs,
    hostile: Hostile,
    trace: Trace,
    invariants: Vec<Box<dyn Invariant>>,
    scale: Option<Scale>,
    violation: Option<Violation>,
    /// The faults that are going on.
    begun: BTreeSet<usize>,
    /// When the last fault ended that kept somebody from hearing of somebody.
    last_loud: Monotonic,
    /// When the last fault began or ended.
    last_fault: Monotonic,
    injected: u64,
    healed: bool,
    settled: bool,
    /// What has not come true yet.
    missing: (&'static str, String),
    edits: u64,
}

/// How a run went.
#[derive(Debug)]
pub struct Outcome {
    /// Edits that were made.
    pub edits: u64,
    /// Faults that began.
    pub faults: u64,
    /// Frames that hostile nodes sent beside those of their machines.
    pub attacks: BTreeMap<Attack, u64>,
    /// Events that happened.
    pub events: u64,
    /// Virtual time that passed.
    pub elapsed: Duration,
    /// How much of it after the faults had ended.
    pub settling: Duration,
    /// One hash for all of it.
    pub trace: meshwork::Hash,
    /// The first invariant that was broken.
    pub violation: Option<Violation>,
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(plan: Plan, trace: Trace) -> Self {
        let seed = Seed::from_number(plan.seed);
        let world_key: [u8; 32] = seed.fork("world key").random().bytes();
        let space = SpaceId(seed.fork("space").random().bytes());
        let mut nodes: Vec<Node> = (0..plan.all_nodes())
            .map(|index| {
                let node = NodeId(seed.fork(&format!("node {index}")).random().bytes());
                let keys = Arc::new(KeyedHash { node, world: world_key });
                let clock = plan.clocks.get(index).copied().unwrap_or_default();
                Node::new(index, keys, space, seed.fork(&format!("seed {index}")), clock)
            })
            .collect();
        // Hostile nodes accuse nobody.
        nodes[plan.nodes..]
            .iter_mut()
            .for_each(|node| (node.bug, node.is_eager) = (Some(Bug::NeverCut), true));
        let verifier = Arc::new(KeyedHash { node: NodeId::default(), world: world_key });
        Self {
            random: seed.fork("disks").random(),
            now: Monotonic(1_000_000),
            queue: Queue::default(),
            effects: Vec::new(),
            hostile: Hostile::new(&plan, &nodes, space, &seed),
            nodes,
            network: Network::new(&plan, &seed.fork("network")),
            offers: BTreeMap::new(),
            hubs: Hubs::new(plan.all_nodes(), verifier, seed.fork("hub")),
            trace,
            invariants: invariants::all(&plan),
            scale: None,
            violation: None,
            begun: BTreeSet::new(),
            last_loud: Monotonic(1_000_000),
            last_fault: Monotonic(1_000_000),
            injected: 0,
            healed: false,
            settled: false,
            missing: ("convergence", String::new()),
            edits: 0,
            seed,
            plan,
        }
    }

    /// The same world, with something wrong with every correct node: for tests of the simulator itself.
    #[must_use]
    pub fn with_bug(mut self, bug: Bug) -> Self {
        for node in &mut self.nodes[..self.plan.nodes] {
            node.bug = Some(bug);
        }
        self
    }

    /// Runs until everything that has to come true has, time is up, or an invariant breaks.
    pub fn run(mut self) -> Outcome {
        let start = self.now;
        let healed = start + Duration::from_millis(self.plan.active_ms);
        let end = start + self.plan.longest();
        self.schedule_plan(healed);
        while let Some((at, event)) = self.queue.pop() {
            if at > end || self.settled || self.violation.is_some() {
                break;
            }
            self.now = at;
            self.happen(event);
        }
        self.weigh_all();
        if !self.settled && self.violation.is_none() {
            let (invariant, missing) = self.missing.clone();
            let what = format!("{missing}, {} s after the faults ended", self.plan.settle_ms / 1000);
            self.broken(invariant, None, what);
        }
        Outcome {
            edits: self.edits,
            faults: self.injected,
            attacks: self.hostile.ledger.frames,
            events: self.trace.events(),
            elapsed: self.now.since(start),
            settling: self.now.since(healed),
            trace: self.trace.hash(),
            violation: self.violation,
        }
    }

    fn schedule_plan(&mut self, healed: Monotonic) {
        let start = self.now;
        let mut random = self.seed.fork("starts").random();
        for node in 0..self.nodes.len() {
            let delay = random.duration(Duration::ZERO, Duration::from_secs(1));
            self.schedule(delay, Event::Start { node });
        }
        for index in 0..self.plan.edits.len() {
            let at = start + Duration::from_millis(self.plan.edits[index].at_ms);
            self.schedule_at(at, Event::Edit(index));
        }
        for index in 0..self.plan.faults.len() {
            let at = start + Duration::from_millis(self.plan.faults[index].at_ms);
            self.schedule_at(at, Event::Begin(index));
        }
        self.schedule_attacks();
        self.schedule_at(healed, Event::Heal);
        self.schedule(LOOK_EVERY[0], Event::Look);
    }

    fn schedule(&mut self, delay: Duration, event: Event) {
        self.schedule_at(self.now + delay, event);
    }

    fn schedule_at(&mut self, at: Monotonic, event: Event) {
        self.queue.push(at.max(self.now), event);
    }

    fn broken(&mut self, invariant: &'static str, node: Option<usize>, what: String) {
        self.violation.get_or_insert(Violation { invariant, at_us: self.now.0, node, what });
    }

    /// What a host without a fault of its clock reads.
    fn wall(&self) -> Timestamp {
        Clock::default().read(self.now)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake { node, life } => self.wake(node, life),
            Event::Tell { node, life, input } => self.tell(node, life, *input),
            Event::Carried { from, to, channel, bytes } => {
                self.frame_sent(from, channel, bytes);
                self.frame_arrives(to, channel);
            }
            Event::Frame { to, channel } => self.frame_arrives(to, channel),
            Event::Datagram { from, to, frame } => self.datagram_arrives(from, to, *frame),
            Event::Sent { from, channel, bytes } => self.frame_sent(from, channel, bytes),
            Event::Sync { node, life } => self.sync(node, life),
            Event::Hub { connection, towards } => self.hub_arrival(connection, towards),
            Event::HubTold { life, input } => self.hub_told(life, Some(*input)),
            Event::HubWake { life } => self.hub_told(life, None),
            Event::HubLie(fault) => self.hub_lies(fault),
            Event::Start { node } => self.start(node),
            Event::Edit(index) => self.edit(index),
            Event::Attack { node } => self.attack(node),
            Event::Begin(index) => self.begin(index),
            Event::End(index) => self.end(index),
            Event::Heal => self.heal(),
            Event::Look => self.look(),
        }
    }

    fn edit(&mut self, index: usize) {
        let planned = self.plan.edits[index];
        if self.nodes[planned.node].is_usable() {
            let (document, edits) = workload::edit(&self.seed, planned.number);
            self.edits += 1;
            let command = Command::Edit { request: RequestId(self.edits), document, edits };
            self.step(planned.node, Some(Input::Command(command)));
            if let Some(command) = workload::value(planned.number) {
                self.step(planned.node, Some(Input::Command(command)));
            }
        }
    }

    fn quiet_since(&self) -> Monotonic {
        let loud = self.begun.iter().any(|index| !self.plan.faults[*index].fault.is_quiet());
        if loud { self.now } else { self.last_loud }
    }

    fn calm_since(&self) -> Monotonic {
        if self.begun.is_empty() { self.last_fault } else { self.now }
    }

    /// Asks every invariant.
    fn judge(&mut self, node: Option<usize>, ask: impl Fn(&mut dyn Invariant, &Scene<'_>) -> Verdict) {
        let (quiet_since, calm_since) = (self.quiet_since(), self.calm_since());
        let Self { now, plan, nodes, hostile, .. } = self;
        let scene = Scene { now: *now, quiet_since, calm_since, plan, nodes, ledger: &hostile.ledger };
        for invariant in &mut self.invariants {
            if let Err(what) = ask(invariant.as_mut(), &scene) {
                let violation = Violation { invariant: invariant.name(), at_us: self.now.0, node, what };
                self.violation.get_or_insert(violation);
            }
        }
    }

    fn look(&mut self) {
        self.schedule(LOOK_EVERY[usize::from(self.healed)], Event::Look);
        self.judge(None, |invariant, scene| invariant.looked(scene));
        if !self.healed {
            return;
        }
        let (quiet_since, calm_since) = (self.quiet_since(), self.calm_since());
        let Self { now, plan, nodes, hostile, .. } = self;
        let scene = Scene { now: *now, quiet_since, calm_since, plan, nodes, ledger: &hostile.ledger };
        for invariant in &mut self.invariants {
            match invariant.settled(&scene) {
                Ok(Settled::Yes) => {}
                Ok(Settled::NotYet(what)) => {
                    self.missing = (invariant.name(), what);
                    return;
                }
                Err(what) => {
                    let violation =
                        Violation { invariant: invariant.name(), at_us: self.now.0, node: None, what };
                    self.violation.get_or_insert(violation);
                    return;
                }
            }
        }
        self.settled = true;
    }
}
