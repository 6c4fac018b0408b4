//! Performs connections: what a WebRTC stack would do.

use std::time::Duration;

use meshwork::{Bytes, Input};
use meshwork_transport::{ConnectionAction, ConnectionEvent, Fingerprints};
use meshwork_wire::Channel;

use super::{Event, World};
use crate::network::End;

impl World {
    pub(super) fn connect(&mut self, end: End, action: ConnectionAction) {
        match action {
            ConnectionAction::Offer => {
                let offer = format!("offer {} {} {}", end.node, end.life, end.link.0);
                self.offers.insert(offer.clone(), end);
                self.connection_event(end, ConnectionEvent::Described(offer));
            }
            ConnectionAction::Answer { offer } => {
                let answer = format!("answer {} {} {}", end.node, end.life, end.link.0);
                self.offers.insert(answer.clone(), end);
                // The answering side waits until the offering side has the answer.
                if self.offers.contains_key(&offer) {
                    self.connection_event(end, ConnectionEvent::Described(answer));
                }
            }
            ConnectionAction::Accept { answer } => {
                if let Some(other) = self.offers.get(&answer).copied()
                    && self.network.reaches(end.node, other.node)
                {
                    self.network.connect(end, other);
                    let of = |end: End| format!("sha-256 {:02x}:{:02x}", end.node, end.life);
                    let fingerprints = |local, remote| Fingerprints { local: of(local), remote: of(remote) };
                    self.connection_event(end, ConnectionEvent::Opened(fingerprints(end, other)));
                    self.connection_event(other, ConnectionEvent::Opened(fingerprints(other, end)));
                }
            }
            ConnectionAction::AddCandidate(_) => {}
            ConnectionAction::Transmit { channel, frame } => self.transmit(end, channel, frame),
            ConnectionAction::Close => {
                if let Some(other) = self.network.disconnect(end)
                    && self.network.reaches(end.node, other.node)
                {
                    // What was sent before the close is still under way.
                    let reason = "closed by the other side".into();
                    let delay = self.scenario.network.delay_max * 2;
                    let event = ConnectionEvent::Closed { reason };
                    let input = Input::Connection { link: other.link, event };
                    self.schedule(delay, Event::Tell { node: other.node, life: other.life, input });
                }
            }
        }
    }

    fn connection_event(&mut self, end: End, event: ConnectionEvent) {
        let delay = self.network.delay(&mut self.random);
        let input = Input::Connection { link: end.link, event };
        self.schedule(delay, Event::Tell { node: end.node, life: end.life, input });
    }

    fn transmit(&mut self, from: End, channel: Channel, frame: Bytes) {
        let Some(to) = self.network.other(from) else { return };
        let at = self.network.arrival(self.now, to, channel, &frame, &mut self.random);
        self.schedule_at(at, Event::Sent { from, channel, bytes: frame.len() });
        self.network.lane(to, channel).push_back(frame);
        self.schedule_at(at, Event::Frame { to, channel });
    }

    pub(super) fn frame_arrives(&mut self, to: End, channel: Channel) {
        // Whoever sent it may have closed since; what is on the way still arrives, unless there is no way.
        let reachable = self.network.other(to).is_none_or(|from| self.network.reaches(to.node, from.node));
        if !reachable {
            // The channel keeps trying until the way is free again, or the link is given up.
            self.schedule(Duration::from_millis(200), Event::Frame { to, channel });
        } else if let Some(frame) = self.network.lane(to, channel).pop_front() {
            let event = ConnectionEvent::Received { channel, frame };
            self.tell(to.node, to.life, Input::Connection { link: to.link, event });
        }
    }
}
