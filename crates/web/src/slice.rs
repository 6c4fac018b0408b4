//! What takes long is done a slice at a time, and between two slices it is the page's turn.
//!
//! The log hands its operations to the documents some at a time. These messages wait once a slice is used up, all others
//! are delivered at once: so an edit is visible, and a heartbeat leaves, however much is still to be shown.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use meshwork::{
    Monotonic,
    courier::{Courier, Letter, Part},
};

/// How long a slice is, in microseconds. A frame of the screen has 16 milliseconds.
const SLICE_US: u64 = 8_000;

/// The slice that is being done, as host and courier know it.
#[derive(Default)]
pub(crate) struct Slice {
    /// When it is used up.
    ends: AtomicU64,
    waiting: AtomicUsize,
}

impl Slice {
    /// Another one begins.
    pub(crate) fn begin(&self, now: Monotonic) {
        self.ends.store(now.0.saturating_add(SLICE_US), Relaxed);
    }

    /// None: what waits goes on waiting.
    pub(crate) fn skip(&self) {
        self.ends.store(0, Relaxed);
    }

    /// One without an end: for whom cannot wait.
    pub(crate) fn begin_endless(&self) {
        self.ends.store(u64::MAX, Relaxed);
    }

    pub(crate) fn is_used_up(&self, now: Monotonic) -> bool {
        now.0 >= self.ends.load(Relaxed)
    }

    /// Whether messages wait for another one.
    pub(crate) fn leaves_any(&self) -> bool {
        self.waiting.load(Relaxed) > 0
    }
}

/// Carries the messages between the machines of a tab.
pub(crate) struct Sliced {
    prompt: VecDeque<Letter>,
    /// From the log to the documents: all of them, so that they keep their order.
    patient: VecDeque<Letter>,
    slice: Arc<Slice>,
    clock: fn() -> Monotonic,
}

impl Sliced {
    pub(crate) fn new(slice: Arc<Slice>, clock: fn() -> Monotonic) -> Self {
        slice.waiting.store(0, Relaxed);
        Self { prompt: VecDeque::new(), patient: VecDeque::new(), slice, clock }
    }
}

impl Courier for Sliced {
    fn post(&mut self, letter: Letter) {
        if letter.from == Part::OpLog && letter.message.destination() == Part::Documents {
            self.patient.push_back(letter);
            self.slice.waiting.store(self.patient.len(), Relaxed);
        } else {
            self.prompt.push_back(letter);
        }
    }

    fn next(&mut self) -> Option<Letter> {
        if let Some(letter) = self.prompt.pop_front() {
            return Some(letter);
        }
        if self.patient.is_empty() || self.slice.is_used_up((self.clock)()) {
            return None;
        }
        let letter = self.patient.pop_front();
        self.slice.waiting.store(self.patient.len(), Relaxed);
        letter
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork::{Command, Input, route};
    use meshwork_crdt_state as documents;

    fn deliver() -> Letter {
        let message = route::Routed::Documents(documents::Input::Deliver(Vec::new()));
        Letter { from: Part::OpLog, message }
    }

    fn edit() -> Letter {
        let mut letter = None;
        route::from_host(Input::Command(Command::Close), |message| {
            letter = Some(Letter { from: Part::Host, message });
        });
        letter.unwrap()
    }

    fn from(courier: &mut Sliced) -> Option<Part> {
        courier.next().map(|letter| letter.from)
    }

    #[test]
    fn what_the_log_delivers_waits_for_the_next_slice_and_nothing_else_does() {
        let slice = Arc::new(Slice::default());
        let mut courier = Sliced::new(slice.clone(), || Monotonic(SLICE_US));
        courier.post(deliver());
        courier.post(deliver());
        courier.post(edit());
        slice.begin(Monotonic(0));
        assert_eq!(from(&mut courier), Some(Part::Host));
        assert_eq!(from(&mut courier), None);
        assert!(slice.leaves_any());
        slice.begin(Monotonic(1));
        assert_eq!(from(&mut courier), Some(Part::OpLog));
        slice.skip();
        assert_eq!(from(&mut courier), None);
        slice.begin_endless();
        assert_eq!(from(&mut courier), Some(Part::OpLog));
        assert!(!slice.leaves_any());
        assert_eq!(from(&mut courier), None);
    }
}
