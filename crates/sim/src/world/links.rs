//! Performs connections: what a WebRTC stack would do.

use std::time::Duration;

use meshwork::{Bytes, Input};
use meshwork_transport::{ConnectionAction, ConnectionEvent, Fingerprints};
use meshwork_wire::Channel;

use super::{Described, Event, World};
use crate::{
    network::{End, Frame},
    plant::Bug,
};

/// A node's links and attempts at links are no more: each of the default's 64 links, and one in the making in its place.
const CONNECTIONS_MAX: usize = 128;
/// How long a description takes to make.
const DESCRIBE: Duration = Duration::from_millis(2);

impl World {
    pub(super) fn connect(&mut self, end: End, action: ConnectionAction) {
        match action {
            ConnectionAction::Offer => {
                let offer = format!("offer {} {} {}", end.node, end.life, end.link.0);
                self.offers.insert(offer.clone(), Described { end, answers: None });
                self.opens(end);
                self.connection_event(DESCRIBE, end, ConnectionEvent::Described(offer));
            }
            ConnectionAction::Answer { offer } => {
                let answer = format!("answer {} {} {}", end.node, end.life, end.link.0);
                self.opens(end);
                // The answering side waits until the offering side has the answer.
                if self.offers.get(&offer).is_some_and(|offer| offer.answers.is_none()) {
                    self.offers.insert(answer.clone(), Described { end, answers: Some(offer) });
                    self.connection_event(DESCRIBE, end, ConnectionEvent::Described(answer));
                } else {
                    self.fails(end);
                }
            }
            ConnectionAction::Accept { answer } => {
                let offer = |of: &Described| of.answers.as_ref().and_then(|offer| self.offers.get(offer));
                let answer = self.offers.get(&answer);
                match answer.filter(|answer| offer(answer).is_some_and(|offer| offer.end == end)) {
                    Some(answer) => self.open(end, answer.end),
                    None => self.fails(end),
                }
            }
            ConnectionAction::AddCandidate(_) => {}
            ConnectionAction::Transmit { channel, frame } => self.transmit(end, channel, frame),
            ConnectionAction::Close => {
                if self.nodes[end.node].bug != Some(Bug::LeaveOpen) {
                    self.nodes[end.node].connections.remove(&end.link);
                }
                self.close(end);
            }
        }
    }

    /// Each connection takes sockets and memory, until it is closed.
    fn opens(&mut self, end: End) {
        let connections = &mut self.nodes[end.node].connections;
        connections.insert(end.link);
        let open = connections.len();
        if open > CONNECTIONS_MAX && end.node < self.plan.nodes {
            self.broken("bounds", Some(end.node), format!("{open} connections are open"));
        }
    }

    /// A description makes no sense here.
    fn fails(&mut self, end: End) {
        let reason = "the description cannot be used".into();
        self.connection_event(DESCRIBE, end, ConnectionEvent::Closed { reason });
    }

    /// Both ends have each other's description.
    fn open(&mut self, end: End, other: End) {
        let there_and_back =
            self.network.reaches(end.node, other.node) && self.network.reaches(other.node, end.node);
        if !there_and_back || !self.network.linkable(end.node, other.node) {
            return;
        }
        self.network.connect(end, other);
        let of = |end: End| format!("sha-256 {:02x}:{:02x}", end.node, end.life);
        for (here, there) in [(end, other), (other, end)] {
            let fingerprints = Fingerprints { local: of(here), remote: of(there) };
            let delay = self.network.delay(there.node, here.node) * 2;
            self.connection_event(delay, here, ConnectionEvent::Opened(fingerprints));
        }
    }

    fn close(&mut self, end: End) {
        if let Some(other) = self.network.disconnect(end)
            && self.network.reaches(end.node, other.node)
        {
            // What was sent before the close arrives before it.
            let delay = self.network.delay(end.node, other.node);
            let at = self.network.last_arrival(other).max(self.now + delay);
            let event = ConnectionEvent::Closed { reason: "closed by the other side".into() };
            let input = Box::new(Input::Connection { link: other.link, event });
            self.schedule_at(at, Event::Tell { node: other.node, life: other.life, input });
        }
    }

    fn connection_event(&mut self, delay: Duration, end: End, event: ConnectionEvent) {
        let input = Box::new(Input::Connection { link: end.link, event });
        self.schedule(delay, Event::Tell { node: end.node, life: end.life, input });
    }

    pub(super) fn transmit(&mut self, from: End, channel: Channel, frame: Bytes) {
        let Some(to) = self.network.other(from) else { return };
        let bytes = frame.len();
        if channel == Channel::Control && self.shake(from, to, &frame) {
            return self.schedule(DESCRIBE, Event::Sent { from, channel, bytes });
        }
        let frame =
            if self.nodes[from.node].bug == Some(Bug::CorruptFrames) { corrupt(&frame) } else { frame };
        if channel == Channel::Lossy {
            return self.transmit_datagram(from, to, frame);
        }
        if self.nodes[from.node].bug == Some(Bug::ForgetLost) && self.network.loses(from.node, to.node) {
            return self.schedule(DESCRIBE, Event::Sent { from, channel, bytes });
        }
        let at = self.network.send(self.now, from, to, channel, frame);
        self.schedule_at(at, Event::Carried { from, to, channel, bytes });
    }

    /// Datagrams are lost, come twice, and overtake each other.
    fn transmit_datagram(&mut self, from: End, to: End, bytes: Bytes) {
        self.schedule(DESCRIBE, Event::Sent { from, channel: Channel::Lossy, bytes: bytes.len() });
        let dropped = self.nodes[from.node].bug == Some(Bug::LoseDatagrams)
            || !self.network.reaches(from.node, to.node)
            || self.network.loses(from.node, to.node);
        if dropped {
            return;
        }
        let leaves = self.network.leaves(self.now, from.node, to.node, bytes.len());
        let copies = 1 + usize::from(self.network.duplicates(from.node, to.node));
        for _ in 0..copies {
            let at = leaves + self.network.delay(from.node, to.node);
            let frame = Box::new(Frame { sent: self.now, bytes: bytes.clone() });
            self.schedule_at(at, Event::Datagram { from: from.node, to, frame });
        }
    }

    pub(super) fn datagram_arrives(&mut self, from: usize, to: End, frame: Frame) {
        self.trace.frame(self.now, to.node, from, &frame);
        self.judge_frame(from, to, Channel::Lossy, frame.bytes);
    }

    pub(super) fn frame_arrives(&mut self, to: End, channel: Channel) {
        if let Some((from, frame)) = self.network.arrive(to, channel) {
            self.trace.frame(self.now, to.node, from, &frame);
            self.judge_frame(from, to, channel, frame.bytes);
        }
    }

    /// Frames that waited for a way that is free now set out again.
    pub(super) fn resume_frames(&mut self) {
        for (to, channel, count) in self.network.resume() {
            for _ in 0..count {
                self.schedule(DESCRIBE, Event::Frame { to, channel });
            }
        }
    }
}

/// The frame with one bit changed in the middle.
fn corrupt(frame: &Bytes) -> Bytes {
    let mut bytes = frame.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 0x10;
    }
    bytes.into()
}
