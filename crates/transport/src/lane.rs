//! One channel of one link: what waits, and what is under way.

use bytes::Bytes;
use meshwork_wire::{Assembler, FRAME_BYTES_MAX, FrameWriter};

/// The most that is outstanding on one channel of one link, in bytes: transmitted, but not yet `Sent`.
pub const IN_FLIGHT_BYTES_MAX: usize = 128 * 1024;

/// The header of a frame, which its writer adds to what waits.
const FRAME_HEADER_BYTES: usize = 2;

#[derive(Default, Debug)]
pub(crate) struct Lane {
    pub(crate) writer: FrameWriter,
    pub(crate) assembler: Assembler,
    in_flight: usize,
}

impl Lane {
    /// The next frame to transmit now. An idle lane sends what there is; a busy one waits for a full frame or for
    /// `Sent`, so that small messages travel together.
    pub(crate) fn next_frame(&mut self, batch_above_bytes: usize) -> Option<Bytes> {
        let waiting = self.writer.waiting_bytes();
        if self.in_flight > batch_above_bytes && waiting < FRAME_BYTES_MAX {
            return None;
        }
        if self.in_flight + (waiting + FRAME_HEADER_BYTES).min(FRAME_BYTES_MAX) > IN_FLIGHT_BYTES_MAX {
            return None;
        }
        let frame = self.writer.finish()?;
        self.in_flight += frame.len();
        Some(frame)
    }

    /// Takes note that transmitted bytes have left our hands.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork_wire::Protocol;
    use proptest::prelude::*;

    fn push(lane: &mut Lane, size: usize) {
        // Bytes that do not compress.
        let mut bytes = vec![0; size];
        let mut state = size as u64 | 1;
        bytes.fill_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        });
        lane.writer.push(Protocol::OpLog, bytes.into()).unwrap();
    }

    #[test]
    fn an_idle_lane_sends_at_once_and_a_busy_one_gathers() {
        let mut lane = Lane::default();
        push(&mut lane, 5_000);
        let first = lane.next_frame(4_096).unwrap();
        for _ in 0..10 {
            push(&mut lane, 100);
            assert_eq!(lane.next_frame(4_096), None);
        }
        lane.sent(first.len());
        let second = lane.next_frame(4_096).unwrap();
        assert_eq!(lane.assembler.open(second).unwrap().len(), 10);
        assert!(lane.writer.is_empty());
    }

    proptest! {
        #[test]
        fn never_more_in_flight_than_allowed(sizes in prop::collection::vec((1usize..200_000, any::<bool>()), 1..20)) {
            let mut lane = Lane::default();
            let mut outstanding = std::collections::VecDeque::new();
            for (size, acknowledge) in sizes {
                push(&mut lane, size);
                while let Some(frame) = lane.next_frame(4_096) {
                    outstanding.push_back(frame.len());
                }
                prop_assert!(outstanding.iter().sum::<usize>() <= IN_FLIGHT_BYTES_MAX);
                if acknowledge && let Some(bytes) = outstanding.pop_front() {
                    lane.sent(bytes);
                }
            }
            // Acknowledged to the end, everything leaves.
            loop {
                while let Some(frame) = lane.next_frame(4_096) {
                    outstanding.push_back(frame.len());
                }
                let Some(bytes) = outstanding.pop_front() else { break };
                lane.sent(bytes);
            }
            prop_assert!(lane.writer.is_empty());
        }
    }
}
