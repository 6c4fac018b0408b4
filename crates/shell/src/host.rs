//! The actor around a machine.

use std::time::Duration;

use actix::prelude::*;
use meshwork_base::{Machine, Monotonic, step};
use tokio::sync::OwnedSemaphorePermit;

use crate::Clock;

/// Hands the machine an input.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Tell<I> {
    input: I,
    /// Goes back to the inbox when the input has been handled.
    credit: Option<OwnedSemaphorePermit>,
}

impl<I> Tell<I> {
    /// For actors of the same node, whose rate the inboxes already bound.
    pub fn new(input: I) -> Self {
        Self { input, credit: None }
    }

    pub(crate) fn with_credit(input: I, credit: OwnedSemaphorePermit) -> Self {
        Self { input, credit: Some(credit) }
    }
}

/// Asks a question of the machine's state.
pub struct Read<M, R>(Box<dyn FnOnce(&M) -> R + Send>);

impl<M, R> Read<M, R> {
    /// The question.
    pub fn new(question: impl FnOnce(&M) -> R + Send + 'static) -> Self {
        Self(Box::new(question))
    }
}

impl<M: 'static, R: 'static> Message for Read<M, R> {
    type Result = R;
}

/// Ends the actor, once everything told before has been handled.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct Shutdown;

/// Hosts one machine. See the [crate's page](crate).
pub struct Host<M: Machine + Unpin + 'static> {
    name: &'static str,
    machine: M,
    clock: Clock,
    perform: Box<dyn FnMut(M::Effect)>,
    armed: Option<(Monotonic, SpawnHandle)>,
    on_death: Option<Box<dyn FnOnce(&'static str)>>,
}

impl<M: Machine + Unpin + 'static> Host<M> {
    /// A host for `machine`, whose effects go to `perform`, in order. `name` is for diagnostics.
    pub fn new(
        name: &'static str,
        machine: M,
        clock: Clock,
        perform: impl FnMut(M::Effect) + 'static,
    ) -> Self {
        Self { name, machine, clock, perform: Box::new(perform), armed: None, on_death: None }
    }

    /// Calls `tell` with the host's name if it ends other than by [`Shutdown`]: its machine panicked.
    #[must_use]
    pub fn on_death(mut self, tell: impl FnOnce(&'static str) + 'static) -> Self {
        self.on_death = Some(Box::new(tell));
        self
    }

    fn step(&mut self, input: Option<M::Input>, context: &mut Context<Self>) {
        let deadline = step(&mut self.machine, self.clock.now(), input, &mut self.perform);
        let wanted = deadline.map(|deadline| deadline.at);
        if wanted == self.armed.as_ref().map(|(at, _)| *at) {
            return;
        }
        if let Some((_, timer)) = self.armed.take() {
            context.cancel_future(timer);
        }
        self.armed = wanted.map(|at| (at, context.run_later(self.until(at), Self::wake)));
    }

    fn wake(&mut self, context: &mut Context<Self>) {
        // tokio's timers have a resolution of a millisecond and may fire early by less than that.
        let Some((at, _)) = self.armed.take() else { return };
        if at > self.clock.now().monotonic {
            self.armed = Some((at, context.run_later(self.until(at), Self::wake)));
        } else {
            self.step(None, context);
        }
    }

    fn until(&self, at: Monotonic) -> Duration {
        at.since(self.clock.now().monotonic)
    }
}

impl<M: Machine + Unpin + 'static> Actor for Host<M> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // Effects that the machine made while it was opened.
        self.step(None, context);
    }
}

impl<M: Machine + Unpin + 'static> Handler<Tell<M::Input>> for Host<M>
where
    M::Input: 'static,
{
    type Result = ();

    fn handle(&mut self, message: Tell<M::Input>, context: &mut Self::Context) {
        self.step(Some(message.input), context);
        drop(message.credit);
    }
}

impl<M: Machine + Unpin + 'static, R: 'static> Handler<Read<M, R>> for Host<M> {
    type Result = MessageResult<Read<M, R>>;

    fn handle(&mut self, question: Read<M, R>, _: &mut Self::Context) -> Self::Result {
        MessageResult((question.0)(&self.machine))
    }
}

impl<M: Machine + Unpin + 'static> Handler<Shutdown> for Host<M> {
    type Result = ();

    fn handle(&mut self, _: Shutdown, context: &mut Self::Context) {
        self.on_death = None;
        context.stop();
    }
}

impl<M: Machine + Unpin + 'static> Drop for Host<M> {
    fn drop(&mut self) {
        if let Some(tell) = self.on_death.take().filter(|_| std::thread::panicking()) {
            tracing::error!(machine = self.name, "a machine panicked");
            tell(self.name);
        }
    }
}
