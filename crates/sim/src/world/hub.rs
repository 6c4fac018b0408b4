//! Performs WebSockets to the hub, and hosts the hub's machine.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use meshwork::{HubAction, HubEvent, Input, Random, Seed, SessionId, step};
use meshwork_discovery::{ClientMessage, HubId, ServerMessage, Signal, SignalKind};
use meshwork_hub::{ConnectionId, Hub, HubConfig};
use meshwork_identity::KeyedHash;

use super::{Event, World};
use crate::{fault::Fault, hostile::Bodies, lane::Lane};

/// How long a message takes between a node and the hub.
const HUB_DELAY: Duration = Duration::from_millis(5);
/// How soon an attempt to connect to a dead hub fails.
const REFUSED: Duration = Duration::from_millis(5);

/// The hub: its machine while it is up, and the TCP connections to it.
pub(super) struct Hubs {
    machine: Option<Hub>,
    verifier: Arc<KeyedHash>,
    seed: Seed,
    life: u64,
    /// How many reasons there are why it is down.
    down: u32,
    /// Why it is slow, and by how much.
    slow: BTreeMap<usize, Duration>,
    /// By node, how many reasons there are why it does not reach the hub.
    cuts: Vec<u32>,
    connections: BTreeMap<ConnectionId, Connection>,
    next_connection: u64,
    /// Of the lies of one that lies, and what it makes them of.
    pub(super) random: Random,
    pub(super) bodies: Bodies,
}

/// A TCP connection: in order, and never lossy while it lasts.
struct Connection {
    node: usize,
    life: u64,
    up: Lane<meshwork_hub::Input>,
    down: Lane<HubEvent>,
}

/// Which way of a TCP connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Towards {
    Hub,
    Node,
}

impl Hubs {
    pub(super) fn new(nodes: usize, verifier: Arc<KeyedHash>, seed: Seed) -> Self {
        let mut hubs = Self {
            machine: None,
            verifier,
            life: 0,
            down: 0,
            slow: BTreeMap::new(),
            cuts: vec![0; nodes],
            connections: BTreeMap::new(),
            next_connection: 0,
            random: seed.fork("lies").random(),
            bodies: Bodies::default(),
            seed,
        };
        hubs.start();
        hubs
    }

    fn start(&mut self) {
        self.life += 1;
        let config = HubConfig { peers_per_room_max: 512, ..HubConfig::default() };
        let seed = self.seed.fork(&format!("life {}", self.life));
        self.machine = Some(Hub::new(config, self.verifier.clone(), seed));
    }

    fn delay(&self) -> Duration {
        HUB_DELAY + self.slow.values().max().copied().unwrap_or_default()
    }

    /// The open connections, and whose they are.
    pub(super) fn joined(&self) -> Vec<(ConnectionId, usize)> {
        self.connections.iter().map(|(id, connection)| (*id, connection.node)).collect()
    }

    /// The open connection of a node's life.
    fn of_node(&self, node: usize, life: u64) -> Option<ConnectionId> {
        let mut own = self.connections.iter().rev();
        own.find(|(_, connection)| (connection.node, connection.life) == (node, life)).map(|(id, _)| *id)
    }
}

impl World {
    pub(super) fn hub_action(&mut self, node: usize, action: HubAction) {
        let life = self.nodes[node].life;
        match action {
            HubAction::Open { .. } => self.hub_open(node, life),
            HubAction::Send(message) => {
                if let (Some(connection), Ok(message)) = (self.hubs.of_node(node, life), message.to_json()) {
                    self.send_up(connection, meshwork_hub::Input::Received { connection, message });
                }
            }
            HubAction::Close => {
                if let Some(connection) = self.hubs.of_node(node, life) {
                    self.hub_hung_up(connection);
                }
            }
        }
    }

    fn hub_open(&mut self, node: usize, life: u64) {
        if self.hubs.machine.is_none() || self.hubs.cuts[node] > 0 {
            let event = HubEvent::Closed { reason: "connection refused".into() };
            let input = Box::new(Input::Hub { hub: HubId(0), event });
            return self.schedule(REFUSED, Event::Tell { node, life, input });
        }
        self.hubs.next_connection += 1;
        let connection = ConnectionId(self.hubs.next_connection);
        let open = Connection { node, life, up: Lane::default(), down: Lane::default() };
        self.hubs.connections.insert(connection, open);
        let [.., high, low] = (node as u32).to_be_bytes();
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, high, low));
        self.send_up(connection, meshwork_hub::Input::Connected { connection, address });
        self.send_down(connection, HubEvent::Opened);
    }

    /// A node's side of a connection is gone.
    fn hub_hung_up(&mut self, connection: ConnectionId) {
        self.hubs.connections.remove(&connection);
        let input = Box::new(meshwork_hub::Input::Disconnected { connection });
        self.schedule(self.hubs.delay(), Event::HubTold { life: self.hubs.life, input });
    }

    /// A node has died, and its connections with it.
    pub(super) fn hub_lost(&mut self, node: usize) {
        let gone = self.hubs.connections.iter().filter(|(_, connection)| connection.node == node);
        for connection in gone.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.hub_hung_up(connection);
        }
    }

    /// A node has the hub carry a signal that its machines did not ask for.
    pub(super) fn carry(&mut self, node: usize, to: SessionId, signal: Signal) {
        let life = self.nodes[node].life;
        let message = ClientMessage::signal(to, signal).to_json();
        if let (Some(connection), Ok(message)) = (self.hubs.of_node(node, life), message) {
            self.send_up(connection, meshwork_hub::Input::Received { connection, message });
        }
    }

    fn send_up(&mut self, connection: ConnectionId, input: meshwork_hub::Input) {
        let at = self.now + self.hubs.delay();
        if let Some(open) = self.hubs.connections.get_mut(&connection) {
            let at = open.up.send(input, at);
            self.schedule_at(at, Event::Hub { connection, towards: Towards::Hub });
        }
    }

    pub(super) fn send_down(&mut self, connection: ConnectionId, event: HubEvent) {
        let at = self.now + self.hubs.delay();
        if let Some(open) = self.hubs.connections.get_mut(&connection) {
            let at = open.down.send(event, at);
            self.schedule_at(at, Event::Hub { connection, towards: Towards::Node });
        }
    }

    pub(super) fn hub_arrival(&mut self, connection: ConnectionId, towards: Towards) {
        let Some(open) = self.hubs.connections.get_mut(&connection) else { return };
        let (node, life, cut) = (open.node, open.life, self.hubs.cuts[open.node] > 0);
        match towards {
            Towards::Hub if cut => open.up.stall(),
            Towards::Node if cut => open.down.stall(),
            Towards::Hub => {
                let input = open.up.arrive();
                self.step_hub(input);
            }
            Towards::Node => {
                if let Some(event) = open.down.arrive() {
                    if matches!(event, HubEvent::Closed { .. }) {
                        self.hubs.connections.remove(&connection);
                    }
                    self.tell(node, life, Input::Hub { hub: HubId(0), event });
                }
            }
        }
    }

    pub(super) fn hub_told(&mut self, life: u64, input: Option<meshwork_hub::Input>) {
        if self.hubs.life == life {
            self.step_hub(input);
        }
    }

    fn step_hub(&mut self, input: Option<meshwork_hub::Input>) {
        let now = self.wall();
        let Some(machine) = &mut self.hubs.machine else { return };
        let mut effects = Vec::new();
        let deadline = step(machine, now, input, |effect| effects.push(effect));
        for effect in effects {
            match effect {
                meshwork_hub::Effect::Send { connection, message } => self.hub_says(connection, message),
                meshwork_hub::Effect::Close { connection, reason } => {
                    self.send_down(connection, HubEvent::Closed { reason });
                }
            }
        }
        if let Some(deadline) = deadline {
            let soonest = self.now + Duration::from_millis(100);
            self.schedule_at(deadline.at.max(soonest), Event::HubWake { life: self.hubs.life });
        }
    }

    /// A signal may be lost with a connection that breaks and is replaced, or come again by another one.
    fn hub_says(&mut self, connection: ConnectionId, message: ServerMessage) {
        let signal = signal_of(&message);
        let is_signal = signal.is_some();
        let lies = self.begun.iter().any(|fault| self.plan.faults[*fault].fault == Fault::HubLies);
        let (connection, message) =
            if is_signal && lies { self.mislead(connection, message) } else { (connection, message) };
        let Some(node) = self.hubs.connections.get(&connection).map(|open| open.node) else { return };
        self.overhear(node, signal);
        if is_signal && self.network.loses(node, node) {
            return;
        }
        if is_signal && self.network.duplicates(node, node) {
            self.send_down(connection, HubEvent::Received(message.clone()));
        }
        self.send_down(connection, HubEvent::Received(message));
    }

    pub(super) fn hub_dies(&mut self) {
        self.hubs.down += 1;
        if self.hubs.machine.take().is_some() {
            self.hubs.life += 1;
            let open: Vec<_> = self.hubs.connections.keys().copied().collect();
            for connection in open {
                self.send_down(connection, HubEvent::Closed { reason: "connection reset".into() });
            }
        }
    }

    pub(super) fn hub_returns(&mut self) {
        self.hubs.down -= 1;
        if self.hubs.down == 0 {
            self.hubs.start();
        }
    }

    pub(super) fn hub_slows(&mut self, fault: usize, by: Option<Duration>) {
        match by {
            Some(by) => self.hubs.slow.insert(fault, by),
            None => self.hubs.slow.remove(&fault),
        };
    }

    pub(super) fn hub_cut(&mut self, node: usize) {
        self.hubs.cuts[node] += 1;
    }

    pub(super) fn hub_rejoin(&mut self, node: usize) {
        self.hubs.cuts[node] -= 1;
        if self.hubs.cuts[node] > 0 {
            return;
        }
        let mut due = Vec::new();
        for (connection, open) in self.hubs.connections.iter_mut().filter(|(_, open)| open.node == node) {
            due.extend(std::iter::repeat_n((*connection, Towards::Hub), open.up.resume()));
            due.extend(std::iter::repeat_n((*connection, Towards::Node), open.down.resume()));
        }
        for (connection, towards) in due {
            self.schedule(HUB_DELAY, Event::Hub { connection, towards });
        }
    }
}

/// The signal that a message brings, if it does.
fn signal_of(message: &ServerMessage) -> Option<Signal> {
    let (kind, attempt, body) = match message {
        ServerMessage::Offer { attempt, body, .. } => (SignalKind::Offer, attempt, body),
        ServerMessage::Answer { attempt, body, .. } => (SignalKind::Answer, attempt, body),
        ServerMessage::Candidate { attempt, body, .. } => (SignalKind::Candidate, attempt, body),
        _ => return None,
    };
    Some(Signal { attempt: *attempt, kind, body: body.clone() })
}
