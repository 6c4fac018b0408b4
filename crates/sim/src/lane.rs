//! Things on their way, in order.

use std::collections::VecDeque;

use meshwork::Monotonic;

/// A one-way stream: each arrival takes the oldest, so its order is kept whatever happens.
#[derive(Debug)]
pub(crate) struct Lane<T> {
    waiting: VecDeque<T>,
    last_arrival: Monotonic,
    /// Arrivals that found the way cut.
    stalled: usize,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), last_arrival: Monotonic::default(), stalled: 0 }
    }
}

impl<T> Lane<T> {
    /// Something sets out that would arrive at `at`; returns when it does, behind what set out before.
    pub(crate) fn send(&mut self, thing: T, at: Monotonic) -> Monotonic {
        self.waiting.push_back(thing);
        self.last_arrival = self.last_arrival.max(at);
        self.last_arrival
    }

    /// When all that is under way has arrived.
    pub(crate) fn last_arrival(&self) -> Monotonic {
        self.last_arrival
    }

    /// Whether nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The oldest arrives.
    pub(crate) fn arrive(&mut self) -> Option<T> {
        self.waiting.pop_front()
    }

    /// The oldest should arrive, and the way is cut.
    pub(crate) fn stall(&mut self) {
        self.stalled += 1;
    }

    /// The way is free again: so many arrivals are due.
    pub(crate) fn resume(&mut self) -> usize {
        std::mem::take(&mut self.stalled)
    }
}
