//! Ways between nodes, links over them, and what happens to packets.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use meshwork::{Bytes, Monotonic, Random, Seed};
use meshwork_transport::LinkId;
use meshwork_wire::Channel;

use crate::{Plan, lane::Lane, scenario::Packets};

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

/// One direction between two nodes.
struct Way {
    random: Random,
    delay: Duration,
    jitter: Duration,
    loss: f64,
    duplication: f64,
    /// 0 for no limit.
    bytes_per_s: u64,
    /// When what was sent has left the sender.
    free_at: Monotonic,
}

/// Something about each end of a node, by life and link.
type Ends<T> = BTreeMap<(u64, LinkId), T>;

/// Frames on their way to one end, by channel. (What machines send on the lossy one is not among them.)
struct Frames {
    from: usize,
    lanes: [Lane<Frame>; Channel::ALL.len()],
}

/// A frame on its way.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// When it set out.
    pub(crate) sent: Monotonic,
    /// What it holds.
    pub(crate) bytes: Bytes,
}

impl End {
    /// Which among those of its node.
    fn own(&self) -> (u64, LinkId) {
        (self.life, self.link)
    }
}

/// The network between the nodes.
pub(crate) struct Network {
    nodes: usize,
    /// By sender and receiver.
    ways: Vec<Way>,
    /// By sender and receiver: how many reasons there are why nothing passes.
    cuts: Vec<u32>,
    unlinkable: BTreeSet<(usize, usize)>,
    /// Extra loss, by the fault that causes it.
    storms: BTreeMap<usize, f64>,
    /// By node: the other end of each connected end.
    connected: Vec<Ends<End>>,
    /// By receiver.
    frames: Vec<Ends<Frames>>,
}

impl Network {
    /// The network of a run.
    pub(crate) fn new(plan: &Plan, seed: &Seed) -> Self {
        let nodes = plan.all_nodes();
        let way = |index: usize| Way::draw(&plan.network, seed.fork(&format!("way {index}")).random());
        Self {
            nodes,
            ways: (0..nodes * nodes).map(way).collect(),
            cuts: vec![0; nodes * nodes],
            unlinkable: plan.unlinkable.clone(),
            storms: BTreeMap::new(),
            connected: vec![Ends::new(); nodes],
            frames: (0..nodes).map(|_| Ends::new()).collect(),
        }
    }

    fn way(&mut self, from: usize, to: usize) -> &mut Way {
        &mut self.ways[from * self.nodes + to]
    }

    /// Ends loss and duplication; delays and narrow ways stay.
    pub(crate) fn heal(&mut self) {
        for way in &mut self.ways {
            (way.loss, way.duplication) = (0.0, 0.0);
        }
    }

    /// Nothing passes in one direction until [`rejoin`](Self::rejoin) has been called as often.
    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        self.cuts[from * self.nodes + to] += 1;
    }

    /// One reason less why nothing passes.
    pub(crate) fn rejoin(&mut self, from: usize, to: usize) {
        let cuts = &mut self.cuts[from * self.nodes + to];
        *cuts = cuts.saturating_sub(1);
    }

    /// More packets are lost because of a fault, until [`calm`](Self::calm).
    pub(crate) fn storm(&mut self, fault: usize, loss: f64) {
        self.storms.insert(fault, loss);
    }

    /// That fault is over.
    pub(crate) fn calm(&mut self, fault: usize) {
        self.storms.remove(&fault);
    }

    /// Whether packets pass in this direction.
    pub(crate) fn reaches(&self, from: usize, to: usize) -> bool {
        self.cuts[from * self.nodes + to] == 0
    }

    /// Whether the two can ever link.
    pub(crate) fn linkable(&self, a: usize, b: usize) -> bool {
        !self.unlinkable.contains(&(a.min(b), a.max(b)))
    }

    /// Whether a packet is lost.
    pub(crate) fn loses(&mut self, from: usize, to: usize) -> bool {
        let storm = self.storms.values().copied().fold(0.0, f64::max);
        let way = self.way(from, to);
        way.random.chance(way.loss.max(storm))
    }

    /// Whether a packet comes twice.
    pub(crate) fn duplicates(&mut self, from: usize, to: usize) -> bool {
        let way = self.way(from, to);
        way.random.chance(way.duplication)
    }

    /// One one-way delay.
    pub(crate) fn delay(&mut self, from: usize, to: usize) -> Duration {
        let way = self.way(from, to);
        way.delay + way.random.duration(Duration::ZERO, way.jitter)
    }

    /// Joins two ends.
    pub(crate) fn connect(&mut self, a: End, b: End) {
        self.connected[a.node].insert(a.own(), b);
        self.connected[b.node].insert(b.own(), a);
    }

    /// The end at the other side.
    pub(crate) fn other(&self, end: End) -> Option<End> {
        self.connected[end.node].get(&end.own()).copied()
    }

    /// Forgets a connection; tells the other end, if there was one. What is under way still arrives.
    pub(crate) fn disconnect(&mut self, end: End) -> Option<End> {
        let other = self.connected[end.node].remove(&end.own())?;
        self.connected[other.node].remove(&other.own());
        for end in [end, other] {
            let ends = &mut self.frames[end.node];
            if ends.get(&end.own()).is_some_and(|frames| frames.lanes.iter().all(Lane::is_empty)) {
                ends.remove(&end.own());
            }
        }
        Some(other)
    }

    /// All connected ends of a node.
    pub(crate) fn ends_of(&self, node: usize) -> Vec<End> {
        self.connected[node].keys().map(|(life, link)| End { node, life: *life, link: *link }).collect()
    }

    /// Forgets what is under way to a node's life.
    pub(crate) fn forget(&mut self, node: usize) {
        self.frames[node].clear();
    }

    /// A frame sets out on a reliable channel; returns when it arrives: after the bandwidth and the delay, behind the
    /// lane's earlier frames, and behind a retransmission if it is lost.
    pub(crate) fn send(
        &mut self,
        now: Monotonic,
        from: End,
        to: End,
        channel: Channel,
        frame: Bytes,
    ) -> Monotonic {
        let mut at = self.leaves(now, from.node, to.node, frame.len()) + self.delay(from.node, to.node);
        while self.loses(from.node, to.node) {
            at = at + RETRANSMIT;
        }
        let frames = self.frames[to.node].entry(to.own());
        let frames = frames.or_insert_with(|| Frames { from: from.node, lanes: Default::default() });
        frames.lanes[channel.index()].send(Frame { sent: now, bytes: frame }, at)
    }

    /// When a packet has left its sender.
    pub(crate) fn leaves(&mut self, now: Monotonic, from: usize, to: usize, bytes: usize) -> Monotonic {
        let way = self.way(from, to);
        let micros = (bytes as u64 * 1_000_000).checked_div(way.bytes_per_s).unwrap_or(0);
        way.free_at = way.free_at.max(now) + Duration::from_micros(micros);
        way.free_at
    }

    /// The oldest frame of a lane arrives, from a node; unless the way is cut: then it waits until that is over, or for
    /// ever.
    pub(crate) fn arrive(&mut self, to: End, channel: Channel) -> Option<(usize, Frame)> {
        let frames = self.frames[to.node].get_mut(&to.own())?;
        let lane = &mut frames.lanes[channel.index()];
        if self.cuts[frames.from * self.nodes + to.node] > 0 {
            lane.stall();
            return None;
        }
        Some((frames.from, lane.arrive()?))
    }

    /// When all that is under way to an end has arrived.
    pub(crate) fn last_arrival(&self, to: End) -> Monotonic {
        let lanes = self.frames[to.node].get(&to.own()).into_iter().flat_map(|frames| &frames.lanes);
        lanes.map(Lane::last_arrival).max().unwrap_or_default()
    }

    /// The lanes on which frames have been waiting for a way that is free now, and how many on each.
    pub(crate) fn resume(&mut self) -> Vec<(End, Channel, usize)> {
        let (cuts, nodes) = (&self.cuts, self.nodes);
        let all = self.frames.iter_mut().enumerate().flat_map(|(node, ends)| {
            ends.iter_mut()
                .map(move |((life, link), frames)| (End { node, life: *life, link: *link }, frames))
        });
        let free = all.filter(|(to, frames)| cuts[frames.from * nodes + to.node] == 0);
        let lanes = free.flat_map(|(to, frames)| {
            Channel::ALL.into_iter().zip(&mut frames.lanes).map(move |(channel, lane)| (to, channel, lane))
        });
        lanes
            .map(|(to, channel, lane)| (to, channel, lane.resume()))
            .filter(|(_, _, count)| *count > 0)
            .collect()
    }
}

impl Way {
    fn draw(packets: &Packets, mut random: Random) -> Self {
        let [least, greatest] = packets.delay_ms;
        let up_to = |random: &mut Random, worst: f64| random.below(1_001) as f64 / 1_000.0 * worst;
        let jitter_us = random.below(packets.jitter_ms * 1_000 + 1);
        Self {
            delay: random.duration(Duration::from_millis(least), Duration::from_millis(greatest)),
            jitter: Duration::from_micros(jitter_us),
            loss: up_to(&mut random, packets.loss),
            duplication: up_to(&mut random, packets.duplication),
            bytes_per_s: packets.bandwidth_kib_s * 1_024 * (1 + random.below(4)),
            free_at: Monotonic::default(),
            random,
        }
    }
}
