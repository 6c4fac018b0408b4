//! Machines, driven as a host drives them.

use std::{convert::Infallible, fmt::Debug, time::Duration};

use meshwork_base::{Deadline, Machine, Timestamp, step};

/// Two copies of one machine that are told the same: they ask for the same.
pub struct Twins<M> {
    one: M,
    other: M,
}

impl<M: Machine<Input: Clone, Effect: PartialEq + Debug>> Twins<M> {
    /// Makes both.
    pub fn new(make: impl Fn() -> M) -> Self {
        Self { one: make(), other: make() }
    }

    /// Makes both, or neither.
    pub fn try_new<E>(make: impl Fn() -> Result<M, E>) -> Result<Self, E> {
        Ok(Self { one: make()?, other: make()? })
    }

    /// One of the two, to ask it questions.
    pub fn machine(&self) -> &M {
        &self.one
    }

    /// When they want to be woken.
    pub fn deadline(&self) -> Option<Deadline> {
        self.one.poll_timeout()
    }

    /// One input, or the timeout.
    pub fn step(&mut self, now: Timestamp, input: Option<M::Input>) -> Vec<M::Effect> {
        let drive = |machine: &mut M, input| {
            let mut effects = Vec::new();
            let deadline = step(machine, now, input, |effect| effects.push(effect));
            (effects, deadline)
        };
        let (effects, deadline) = drive(&mut self.one, input.clone());
        let (again, deadline_again) = drive(&mut self.other, input);
        assert_eq!(effects, again, "the same inputs give the same effects");
        assert_eq!(deadline, deadline_again, "the same inputs give the same deadline");
        effects
    }

    /// One input, or the timeout, and every timeout that is due at this moment.
    pub fn settle(&mut self, now: Timestamp, input: Option<M::Input>) -> Vec<M::Effect> {
        let mut effects = self.step(now, input);
        // A machine that is never content would be a busy loop in a host.
        for round in 0.. {
            let Some(deadline) = self.deadline().filter(|deadline| deadline.is_due(now)) else { break };
            assert!(round < 100, "the deadline stays due: {deadline:?}");
            effects.extend(self.step(now, None));
        }
        effects
    }
}

/// How time passes.
#[derive(Clone, Copy)]
pub enum Passing {
    /// Everything that falls due on the way is done at its moment.
    Awake(Duration),
    /// The host sleeps: what fell due on the way is late.
    Asleep(Duration),
    /// Somebody sets the wall clock back.
    SetBack,
}

impl Passing {
    /// What a byte of a fuzz input chooses.
    pub fn chosen(how: u8) -> Self {
        const AWAKE_MS: [u64; 8] = [1, 5, 40, 250, 1_000, 3_000, 15_000, 60_000];
        const ASLEEP_MS: [u64; 7] = [500, 2_000, 5_000, 20_000, 600_000, 86_400_000, 31_536_000_000];
        let how = usize::from(how % 16);
        match AWAKE_MS.iter().map(|ms| Self::Awake(Duration::from_millis(*ms))).nth(how) {
            Some(awake) => awake,
            None => {
                ASLEEP_MS.get(how - 8).map_or(Self::SetBack, |ms| Self::Asleep(Duration::from_millis(*ms)))
            }
        }
    }

    /// An hour back.
    pub fn set_back(now: Timestamp) -> Timestamp {
        Timestamp { wall_ms: now.wall_ms.saturating_sub(3_600_000), ..now }
    }

    /// How often a machine may want to be woken in `span`.
    pub fn wakes_max(span: Duration) -> u128 {
        1_000 + span.as_millis()
    }
}

/// Twins and their clock.
pub struct Driven<M> {
    twins: Twins<M>,
    now: Timestamp,
}

impl<M: Machine<Input: Clone, Effect: PartialEq + Debug>> Driven<M> {
    /// Starts at [`start`].
    pub fn new(make: impl Fn() -> M) -> Self {
        let made = Self::try_new(|| Ok::<_, Infallible>(make()));
        made.unwrap_or_else(|never| match never {})
    }

    /// Starts at [`start`], or not at all.
    pub fn try_new<E>(make: impl Fn() -> Result<M, E>) -> Result<Self, E> {
        Ok(Self { twins: Twins::try_new(make)?, now: start() })
    }

    /// The machine, to ask it questions.
    pub fn machine(&self) -> &M {
        self.twins.machine()
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Feeds one input and every timeout that is due; returns the effects.
    pub fn feed(&mut self, input: M::Input) -> Vec<M::Effect> {
        self.twins.settle(self.now, Some(input))
    }

    /// Lets time pass as a byte of a fuzz input chooses; returns the effects.
    pub fn pass(&mut self, how: u8) -> Vec<M::Effect> {
        match Passing::chosen(how) {
            Passing::Awake(span) => self.wait(span),
            Passing::Asleep(span) => {
                self.now = self.now.after(span);
                self.twins.settle(self.now, None)
            }
            Passing::SetBack => {
                self.now = Passing::set_back(self.now);
                Vec::new()
            }
        }
    }

    /// Lets time pass, awake.
    pub fn wait(&mut self, span: Duration) -> Vec<M::Effect> {
        let (begin, end) = (self.now, self.now.after(span));
        // A machine may hold effects of its making.
        let mut effects = self.twins.step(begin, None);
        let mut wakes = 0;
        while let Some(deadline) = self.twins.deadline().filter(|deadline| deadline.is_due(end)) {
            wakes += 1;
            assert!(wakes <= Passing::wakes_max(span), "a busy loop: {deadline:?}");
            self.now = begin.after(deadline.at.max(self.now.monotonic).since(begin.monotonic));
            effects.extend(self.twins.step(self.now, None));
        }
        self.now = end;
        effects
    }
}

/// Some time after the epoch.
pub fn start() -> Timestamp {
    Timestamp { wall_ms: 1_000_000_000_000, ..Timestamp::default() }
}
