//! The lossy channel of one link: what waits, and what is under way.

use std::collections::VecDeque;

use bytes::Bytes;

/// The most that is outstanding on the lossy channel of one link, in bytes: transmitted, but not yet `Sent`. What is
/// worth sending again comes again, so there is no use in filling the buffers below.
const IN_FLIGHT_BYTES_MAX: usize = 16 * 1024;

/// Datagrams, of which the oldest give way when the channel takes no more.
#[derive(Default, Debug)]
pub(crate) struct LossyLane {
    waiting: VecDeque<Bytes>,
    in_flight: usize,
}

impl LossyLane {
    /// Queues a datagram; at most `datagrams_max` wait.
    pub(crate) fn push(&mut self, datagram: Bytes, datagrams_max: usize) {
        while self.waiting.len() >= datagrams_max {
            self.waiting.pop_front();
        }
        self.waiting.push_back(datagram);
    }

    /// The next datagram to transmit now.
    pub(crate) fn next_frame(&mut self) -> Option<Bytes> {
        let next = self.waiting.front()?.len();
        if self.in_flight + next > IN_FLIGHT_BYTES_MAX {
            return None;
        }
        self.in_flight += next;
        self.waiting.pop_front()
    }

    /// Takes note that transmitted bytes have left our hands.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(number: usize) -> Bytes {
        vec![number as u8; 1_000].into()
    }

    #[test]
    fn what_does_not_leave_gives_way_to_what_is_newer() {
        let mut lane = LossyLane::default();
        (0..100).for_each(|number| lane.push(datagram(number), 100));
        let mut left: Vec<Bytes> = std::iter::from_fn(|| lane.next_frame()).collect();
        assert_eq!(left, (0..16).map(datagram).collect::<Vec<_>>());
        (100..200).for_each(|number| lane.push(datagram(number), 3));
        assert_eq!(lane.next_frame(), None);
        lane.sent(16 * 1_000);
        left = std::iter::from_fn(|| lane.next_frame()).collect();
        assert_eq!(left, (197..200).map(datagram).collect::<Vec<_>>());
    }
}
