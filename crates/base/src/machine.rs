//! The shape of every subsystem.

use crate::{Deadline, Timestamp};

/// A subsystem that is told everything and performs nothing.
///
/// The rules, which [`step`] keeps for its callers:
/// 1. feed one input, or the timeout;
/// 2. drain every effect;
/// 3. read the deadline again.
///
/// A panic means a bug in the machine, never a bad input.
pub trait Machine {
    /// What it can be told.
    type Input;
    /// What it can ask for.
    type Effect;

    /// Takes one input.
    fn handle(&mut self, now: Timestamp, input: Self::Input);

    /// Does what is due at `now`; harmless when nothing is.
    fn handle_timeout(&mut self, now: Timestamp);

    /// The next effect, oldest first.
    fn poll_effect(&mut self) -> Option<Self::Effect>;

    /// The next moment at which this machine wants [`handle_timeout`](Self::handle_timeout), and why.
    fn poll_timeout(&self) -> Option<Deadline>;
}

/// The only driver: feeds one input (`None`: the timeout), hands every effect to `perform`, returns the next deadline.
pub fn step<M: Machine>(
    machine: &mut M,
    now: Timestamp,
    input: Option<M::Input>,
    mut perform: impl FnMut(M::Effect),
) -> Option<Deadline> {
    match input {
        Some(input) => machine.handle(now, input),
        None => machine.handle_timeout(now),
    }
    while let Some(effect) = machine.poll_effect() {
        perform(effect);
    }
    machine.poll_timeout()
}
