//! How much leaves at a time of what a peer asks for.
//!
//! A kilobyte of requests can ask for gigabytes. A link says by `Congested` that it cannot keep up, but only after it was
//! handed what it cannot carry; so what is handed over in any short span is bounded, and the rest waits for the next.

use std::time::Duration;

use meshwork_base::{Monotonic, Timestamp};

/// So many digests of one peer are looked at in one [`DIGEST_SPAN`]: each costs a hash over the whole version. Of those
/// beyond, the last is looked at when the span is over.
pub(crate) const DIGESTS_MAX: u64 = 16;
pub(crate) const DIGEST_SPAN: Duration = Duration::from_millis(160);

/// So many bytes of proofs leave in one [`PROOF_SPAN`] (and whatever the last of them is longer): they must not hold up
/// what else is on their channel.
pub(crate) const PROOF_BYTES: u64 = 64 * 1024;
pub(crate) const PROOF_SPAN: Duration = Duration::from_millis(100);

/// An amount that may be spent in each span of time. The last one to spend may overdraw it.
#[derive(Default, Debug)]
pub(crate) struct Window {
    left: u64,
    until: Option<Monotonic>,
}

impl Window {
    /// Whether anything is left, now that the last span may be over.
    pub(crate) fn is_open(&mut self, now: Timestamp, span: Duration, amount: u64) -> bool {
        if self.until.is_none_or(|until| until <= now.monotonic) {
            self.left = amount;
            self.until = Some(now.monotonic + span);
        }
        self.left > 0
    }

    pub(crate) fn spend(&mut self, amount: u64) {
        self.left = self.left.saturating_sub(amount);
    }

    /// When it opens again, if it ever was open.
    pub(crate) fn until(&self) -> Option<Monotonic> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_comes_back_with_the_next_span() {
        let at = |us| Timestamp { monotonic: Monotonic(us), wall_ms: 0 };
        let span = Duration::from_micros(10);
        let mut window = Window::default();
        assert!(window.is_open(at(5), span, 100));
        window.spend(99);
        assert!(window.is_open(at(14), span, 100));
        window.spend(50);
        assert!(!window.is_open(at(14), span, 100));
        assert_eq!(window.until(), Some(Monotonic(15)));
        assert!(window.is_open(at(15), span, 100));
    }
}
