//! Links between nodes, and what happens to packets.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use meshwork::{Bytes, Monotonic, Random};
use meshwork_transport::LinkId;
use meshwork_wire::Channel;

use crate::scenario::NetworkFaults;

/// A channel of a real link resends what was lost after about this long.
const RETRANSMIT: Duration = Duration::from_millis(400);

/// One end of a connection: a node's life and its name for the link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct End {
    /// Which node.
    pub(crate) node: usize,
    /// Which life of it: links do not survive a restart.
    pub(crate) life: u64,
    /// Its name for the link.
    pub(crate) link: LinkId,
}

/// Two ends that have each other's description.
#[derive(Default)]
pub(crate) struct Network {
    faults: Option<NetworkFaults>,
    /// The other end of each connected end.
    connected: BTreeMap<End, End>,
    /// Frames on their way: each arrival takes the oldest, so a lane keeps its order whatever happens.
    lanes: BTreeMap<(End, Channel), VecDeque<Bytes>>,
    /// When the last frame of each lane arrives.
    last_arrival: BTreeMap<(End, Channel), Monotonic>,
    /// Nodes of different groups do not reach each other.
    groups: Vec<usize>,
}

impl Network {
    /// A network of `nodes` nodes.
    pub(crate) fn new(nodes: usize, faults: NetworkFaults) -> Self {
        Self { faults: Some(faults), groups: vec![0; nodes], ..Self::default() }
    }

    /// Ends loss and duplication; delays stay.
    pub(crate) fn heal(&mut self) {
        if let Some(faults) = &mut self.faults {
            (faults.loss, faults.duplication) = (0.0, 0.0);
        }
        self.groups.fill(0);
    }

    /// Cuts the network in two at random.
    pub(crate) fn partition(&mut self, random: &mut Random) {
        for group in &mut self.groups {
            *group = random.below(2) as usize;
        }
    }

    /// Ends the partition.
    pub(crate) fn join(&mut self) {
        self.groups.fill(0);
    }

    /// Whether packets pass between the two.
    pub(crate) fn reaches(&self, a: usize, b: usize) -> bool {
        self.groups.get(a) == self.groups.get(b)
    }

    /// One one-way delay.
    pub(crate) fn delay(&self, random: &mut Random) -> Duration {
        let Some(faults) = &self.faults else { return Duration::ZERO };
        random.duration(faults.delay_min, faults.delay_max)
    }

    /// Whether a packet is lost.
    pub(crate) fn loses(&self, random: &mut Random) -> bool {
        self.faults.as_ref().is_some_and(|faults| random.chance(faults.loss))
    }

    /// Whether a signal comes twice.
    pub(crate) fn duplicates(&self, random: &mut Random) -> bool {
        self.faults.as_ref().is_some_and(|faults| random.chance(faults.duplication))
    }

    /// Joins two ends.
    pub(crate) fn connect(&mut self, a: End, b: End) {
        self.connected.insert(a, b);
        self.connected.insert(b, a);
    }

    /// The end at the other side.
    pub(crate) fn other(&self, end: End) -> Option<End> {
        self.connected.get(&end).copied()
    }

    /// Forgets a connection; tells the other end, if there was one.
    pub(crate) fn disconnect(&mut self, end: End) -> Option<End> {
        let other = self.connected.remove(&end)?;
        self.connected.remove(&other);
        for channel in Channel::ALL {
            self.last_arrival.remove(&(end, channel));
            self.last_arrival.remove(&(other, channel));
        }
        Some(other)
    }

    /// All connected ends of a node's life.
    pub(crate) fn ends_of(&self, node: usize) -> Vec<End> {
        self.connected.keys().filter(|end| end.node == node).copied().collect()
    }

    /// The frames on their way to one end.
    pub(crate) fn lane(&mut self, to: End, channel: Channel) -> &mut VecDeque<Bytes> {
        self.lanes.entry((to, channel)).or_default()
    }

    /// When a frame sent now on a lane arrives at `to`: after a delay, behind the lane's earlier frames, and behind a
    /// retransmission if it is lost.
    pub(crate) fn arrival(
        &mut self,
        now: Monotonic,
        to: End,
        channel: Channel,
        frame: &Bytes,
        random: &mut Random,
    ) -> Monotonic {
        let mut at = now + self.delay(random) + Duration::from_micros(frame.len() as u64 / 10);
        while self.loses(random) {
            at = at + RETRANSMIT;
        }
        let last = self.last_arrival.entry((to, channel)).or_default();
        *last = at.max(*last);
        *last
    }
}
