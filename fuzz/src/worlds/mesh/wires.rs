//! Everything between two nodes and a hub: lanes on which things arrive in order.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, Ipv4Addr},
};

use meshwork::{Bytes, Deadline, HubAction, HubEvent, Input, Seed, Timestamp};
use meshwork_discovery::{HubId, ServerMessage};
use meshwork_hub::{ConnectionId, Effect, Hub, HubConfig, Input as HubInput};
use meshwork_transport::{ConnectionAction, ConnectionEvent, Fingerprints, LinkId};
use meshwork_wire::Channel;

use super::node::Node;
use crate::{Gullible, driven::Twins};

/// One end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct End {
    pub(super) at: usize,
    /// Which life of the node.
    pub(super) life: u64,
    pub(super) link: LinkId,
}

impl End {
    fn describe(self) -> String {
        format!("{} {} {}", self.at, self.life, self.link.0)
    }

    /// The end that a description describes. The fuzzer may have written it.
    fn described(text: &str) -> Option<Self> {
        let mut numbers = text.split(' ').map(|word| word.parse::<u64>().ok());
        let (at, life, link) = (numbers.next()??, numbers.next()??, numbers.next()??);
        (at < 2).then_some(Self { at: at as usize, life, link: LinkId(link) })
    }
}

/// Where things are in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Lane {
    /// A node's disk.
    Disk(usize),
    /// From a node to the hub.
    ToHub(usize),
    /// From the hub to a node.
    FromHub(usize),
    /// To a node, on one channel of all its connections.
    Link(usize, usize),
}

/// What is under way to a node.
enum Parcel {
    Hub(ConnectionId, HubEvent),
    Connection(End, ConnectionEvent),
    /// A frame, and who learns that it has left, with its length when sent.
    Frame {
        to: End,
        channel: Channel,
        frame: Bytes,
        sender: Option<(End, usize)>,
    },
}

pub(super) struct Wires {
    parcels: BTreeMap<Lane, VecDeque<Parcel>>,
    to_hub: [VecDeque<HubInput>; 2],
    writes: [usize; 2],
    /// Ends by whether and with whom they are connected.
    ends: BTreeMap<End, Option<End>>,
    hub: Twins<Hub>,
    hubs: u64,
    sockets: [Option<ConnectionId>; 2],
    connections: u64,
    /// Nothing passes between the nodes.
    pub(super) cut: bool,
}

impl Wires {
    pub(super) fn new() -> Self {
        let (parcels, to_hub, writes, ends, sockets) = Default::default();
        let hub = hub(0);
        Self { parcels, to_hub, writes, ends, hub, hubs: 0, sockets, connections: 0, cut: false }
    }

    /// The lanes on which something can arrive.
    pub(super) fn busy(&self) -> impl Iterator<Item = Lane> {
        let disks = [0, 1].into_iter().filter(|at| self.writes[*at] > 0).map(Lane::Disk);
        let hubs = [0, 1].into_iter().filter(|at| !self.to_hub[*at].is_empty()).map(Lane::ToHub);
        let open = |lane: &Lane| !(self.cut && matches!(lane, Lane::Link(..)));
        let parcels = self.parcels.iter().filter(|(_, waiting)| !waiting.is_empty()).map(|(lane, _)| *lane);
        disks.chain(hubs).chain(parcels.filter(open))
    }

    /// So many writes wait for a node's disk.
    pub(super) fn persisting(&mut self, at: usize, writes: usize) {
        self.writes[at] = writes;
    }

    /// A node is gone without a word; the hub notices.
    pub(super) fn gone(&mut self, at: usize) {
        self.writes[at] = 0;
        self.ends.retain(|end, _| end.at != at);
        if let Some(connection) = self.sockets[at].take() {
            self.to_hub[at].push_back(HubInput::Disconnected { connection });
        }
    }

    fn send(&mut self, lane: Lane, parcel: Parcel) {
        self.parcels.entry(lane).or_default().push_back(parcel);
    }

    /// The oldest thing of a lane arrives: what a node is told by it.
    pub(super) fn arrive(&mut self, now: Timestamp, lane: Lane, nodes: &[Node; 2]) -> Option<(usize, Input)> {
        if let Lane::ToHub(at) = lane {
            let input = self.to_hub[at].pop_front()?;
            self.tell_hub(now, Some(input));
            return None;
        }
        let is_alive = |end: End| nodes[end.at].is_up() && nodes[end.at].life == end.life;
        match self.parcels.get_mut(&lane)?.pop_front()? {
            Parcel::Hub(connection, event) => {
                let Lane::FromHub(at) = lane else { return None };
                if self.sockets[at] != Some(connection) {
                    return None;
                }
                if matches!(event, HubEvent::Closed { .. }) {
                    self.sockets[at] = None;
                }
                Some((at, Input::Hub { hub: HubId(0), event }))
            }
            Parcel::Connection(end, event) => {
                is_alive(end).then_some((end.at, Input::Connection { link: end.link, event }))
            }
            Parcel::Frame { to, channel, frame, sender } => {
                if let Some((sender, bytes)) = sender {
                    self.event(sender, ConnectionEvent::Sent { channel, bytes });
                }
                let event = ConnectionEvent::Received { channel, frame };
                is_alive(to).then_some((to.at, Input::Connection { link: to.link, event }))
            }
        }
    }

    // Connections.

    fn event(&mut self, end: End, event: ConnectionEvent) {
        self.send(Lane::Link(end.at, Channel::Control.index()), Parcel::Connection(end, event));
    }

    pub(super) fn perform(&mut self, end: End, action: ConnectionAction) {
        match action {
            ConnectionAction::Offer => {
                self.ends.insert(end, None);
                self.event(end, ConnectionEvent::Described(end.describe()));
            }
            ConnectionAction::Answer { offer } => {
                self.ends.insert(end, End::described(&offer));
                self.event(end, ConnectionEvent::Described(end.describe()));
            }
            ConnectionAction::Accept { answer } => {
                let Some(other) = End::described(&answer) else { return };
                if self.ends.get(&other) != Some(&Some(end)) || self.ends.get(&end) != Some(&None) {
                    return;
                }
                self.ends.insert(end, Some(other));
                for (local, remote) in [(end, other), (other, end)] {
                    let seen = Fingerprints { local: local.describe(), remote: remote.describe() };
                    self.event(local, ConnectionEvent::Opened(seen));
                }
            }
            ConnectionAction::AddCandidate(_) => {}
            ConnectionAction::Transmit { channel, frame } => {
                let Some(to) = self.ends.get(&end).copied().flatten() else { return };
                let sender = Some((end, frame.len()));
                self.send(Lane::Link(to.at, channel.index()), Parcel::Frame { to, channel, frame, sender });
            }
            ConnectionAction::Close => {
                let other = self.ends.remove(&end).flatten();
                if let Some(other) = other.filter(|other| self.ends.contains_key(other)) {
                    self.event(other, ConnectionEvent::Closed { reason: "the other end closed".into() });
                }
            }
        }
    }

    /// All connections break, and both ends are told.
    pub(super) fn disconnect(&mut self) {
        for (end, other) in std::mem::take(&mut self.ends) {
            match other {
                Some(_) => self.event(end, ConnectionEvent::Closed { reason: "it broke".into() }),
                None => drop(self.ends.insert(end, None)),
            }
        }
    }

    /// The next frame for a node.
    pub(super) fn next_frame(&mut self, at: usize) -> Option<&mut Bytes> {
        let to_node =
            self.parcels.iter_mut().filter(|(lane, _)| matches!(lane, Lane::Link(to, _) if *to == at));
        to_node.flat_map(|(_, waiting)| waiting).find_map(|parcel| match parcel {
            Parcel::Frame { frame, .. } => Some(frame),
            _ => None,
        })
    }

    /// A frame that nobody sent, on every connection of a node.
    pub(super) fn forge(&mut self, at: usize, channel: u8, frame: Bytes) {
        let channel = Channel::ALL[usize::from(channel) % Channel::ALL.len()];
        let ends: Vec<End> = self
            .ends
            .iter()
            .filter(|(end, other)| end.at == at && other.is_some())
            .map(|(end, _)| *end)
            .collect();
        for to in ends {
            let frame = frame.clone();
            self.send(Lane::Link(at, channel.index()), Parcel::Frame { to, channel, frame, sender: None });
        }
    }

    // The hub.

    pub(super) fn hub_action(&mut self, at: usize, action: HubAction) {
        match action {
            HubAction::Open { .. } => {
                self.connections += 1;
                let connection = ConnectionId(self.connections);
                self.sockets[at] = Some(connection);
                let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, at as u8));
                self.send(Lane::FromHub(at), Parcel::Hub(connection, HubEvent::Opened));
                self.to_hub[at].push_back(HubInput::Connected { connection, address });
            }
            HubAction::Send(message) => {
                let connection = self.sockets[at].expect("it speaks on an open connection");
                let message = message.to_json().expect("what a node says can be sent");
                self.to_hub[at].push_back(HubInput::Received { connection, message });
            }
            HubAction::Close => {
                let connection = self.sockets[at].take().expect("it closes an open connection");
                self.to_hub[at].push_back(HubInput::Disconnected { connection });
            }
        }
    }

    pub(super) fn hub_deadline(&self) -> Option<Deadline> {
        self.hub.deadline()
    }

    pub(super) fn wake_hub(&mut self, now: Timestamp) {
        if self.hub.deadline().is_some_and(|deadline| deadline.is_due(now)) {
            self.tell_hub(now, None);
        }
    }

    fn tell_hub(&mut self, now: Timestamp, input: Option<HubInput>) {
        for effect in self.hub.settle(now, input) {
            let (connection, event) = match effect {
                Effect::Send { connection, message } => (connection, HubEvent::Received(message)),
                Effect::Close { connection, reason } => (connection, HubEvent::Closed { reason }),
            };
            if let Some(at) = self.sockets.iter().position(|socket| *socket == Some(connection)) {
                self.send(Lane::FromHub(at), Parcel::Hub(connection, event));
            }
        }
    }

    /// The hub forgets everything, and all connections to it break.
    pub(super) fn restart_hub(&mut self) {
        self.hubs += 1;
        self.hub = hub(self.hubs);
        self.to_hub.iter_mut().for_each(VecDeque::clear);
        for at in [0, 1] {
            if let Some(connection) = self.sockets[at] {
                let event = HubEvent::Closed { reason: "the hub is gone".into() };
                self.send(Lane::FromHub(at), Parcel::Hub(connection, event));
            }
        }
    }

    /// Text that the hub never said.
    pub(super) fn forge_hub(&mut self, at: usize, text: &str) {
        if let (Some(connection), Ok(message)) = (self.sockets[at], ServerMessage::from_json(text)) {
            self.send(Lane::FromHub(at), Parcel::Hub(connection, HubEvent::Received(message)));
        }
    }
}

fn hub(number: u64) -> Twins<Hub> {
    Twins::new(|| Hub::new(HubConfig::default(), Gullible::verifier(), Seed::from_number(number)))
}
