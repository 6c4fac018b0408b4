//! What came over links and waits for its turn.

use std::collections::VecDeque;

use meshwork::Input;
use meshwork_transport::{ConnectionEvent, LinkId};
use meshwork_wire::Channel;

/// What may wait, in bytes: what all links are granted fits. What comes beyond it is dealt with as it comes.
pub(crate) const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A frame, or the end of a link behind its frames.
pub(crate) struct Arrival {
    pub(crate) link: LinkId,
    pub(crate) event: ConnectionEvent,
    /// Called once it is dealt with.
    pub(crate) heard: Option<Box<dyn FnOnce()>>,
}

impl Arrival {
    /// Whether it may wait. What is short, or makes room for what is sent, never does; channels keep their order, not
    /// that among each other.
    pub(crate) fn may_wait(&self) -> bool {
        match &self.event {
            ConnectionEvent::Received { channel, .. } => matches!(channel, Channel::Live | Channel::Bulk),
            ConnectionEvent::Closed { .. } => true,
            _ => false,
        }
    }

    fn bytes(&self) -> usize {
        match &self.event {
            ConnectionEvent::Received { frame, .. } => frame.len(),
            _ => 0,
        }
    }

    /// For the machines, and what to call when they have dealt with it.
    pub(crate) fn open(self) -> (Input, Option<Box<dyn FnOnce()>>) {
        (Input::Connection { link: self.link, event: self.event }, self.heard)
    }
}

/// First come, first served.
#[derive(Default)]
pub(crate) struct Arrivals {
    queue: VecDeque<Arrival>,
    bytes: usize,
}

impl Arrivals {
    pub(crate) fn push(&mut self, arrival: Arrival) {
        self.bytes += arrival.bytes();
        self.queue.push_back(arrival);
    }

    pub(crate) fn pop(&mut self) -> Option<Arrival> {
        let arrival = self.queue.pop_front()?;
        self.bytes -= arrival.bytes();
        Some(arrival)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn is_over_full(&self) -> bool {
        self.bytes > WAITING_BYTES_MAX
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(channel: Channel, bytes: usize) -> Arrival {
        let event = ConnectionEvent::Received { channel, frame: vec![0; bytes].into() };
        Arrival { link: LinkId(1), event, heard: None }
    }

    #[test]
    fn operations_and_the_end_of_a_link_may_wait() {
        let event = |event| Arrival { link: LinkId(1), event, heard: None };
        for channel in Channel::ALL {
            let waits = matches!(channel, Channel::Live | Channel::Bulk);
            assert_eq!(frame(channel, 1).may_wait(), waits);
        }
        assert!(event(ConnectionEvent::Closed { reason: String::new() }).may_wait());
        assert!(!event(ConnectionEvent::Sent { channel: Channel::Bulk, bytes: 1 }).may_wait());
    }

    #[test]
    fn what_waits_is_counted() {
        let mut arrivals = Arrivals::default();
        arrivals.push(frame(Channel::Bulk, WAITING_BYTES_MAX));
        assert!(!arrivals.is_over_full());
        arrivals.push(frame(Channel::Bulk, 1));
        assert!(arrivals.is_over_full());
        assert!(arrivals.pop().is_some());
        assert!(!arrivals.is_over_full() && !arrivals.is_empty());
        arrivals.clear();
        assert!(arrivals.pop().is_none());
    }
}
