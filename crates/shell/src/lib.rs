//! Hosts any [`Machine`](meshwork_base::Machine) in an actix actor.
//!
//! ```text
//!            Tell(input) ┌────────────── Host<M> ──────────────┐ effects
//! senders ──────────────►│ step(machine, clock.now(), input, …)│──────────► perform(effect)
//!   Inbox: a credit      │ one run_later for poll_timeout()    │            (sends to other actors)
//!   per waiting input    └─────────────────────────────────────┘
//! ```
//!
//! - [`Host`] is the only actor type of a node; it holds a machine, the clock and a closure that carries effects on.
//! - [`Tell`] hands it an input, [`Read`] asks a question of the machine's state, [`Shutdown`] ends it.
//! - [`Inbox`] is what outsiders send through. An actix mailbox bounds nothing (`do_send` always enqueues), so an inbox
//!   gives out a fixed number of credits, and each comes back when its input was handled.
//! - A machine that panics takes only its own actor down; the closure given to [`Host::on_death`] is told, so that the
//!   node can rebuild itself from storage. (actix's `Supervisor` would restart the same broken instance.)
//!
//! Invariant: handlers are synchronous; no machine is ever held across an await.
//!
//! ```
//! # use meshwork_base::{Deadline, Machine, Timestamp};
//! # use meshwork_shell::{Clock, Host, Read, Shutdown, Tell};
//! # use actix::prelude::*;
//! # #[derive(Default)] struct Sum { total: u32, effects: Vec<u32> }
//! # impl Machine for Sum {
//! #     type Input = u32; type Effect = u32;
//! #     fn handle(&mut self, _: Timestamp, n: u32) { self.total += n; self.effects.push(self.total); }
//! #     fn handle_timeout(&mut self, _: Timestamp) {}
//! #     fn poll_effect(&mut self) -> Option<u32> { self.effects.pop() }
//! #     fn poll_timeout(&self) -> Option<Deadline> { None }
//! # }
//! # #[actix::main] async fn main() {
//! let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
//! let host = Host::new("sum", Sum::default(), Clock::system(), move |total| told.send(total).unwrap()).start();
//! host.do_send(Tell::new(3));
//! host.do_send(Tell::new(4));
//! assert_eq!(host.send(Read::new(|sum: &Sum| sum.total)).await.unwrap(), 7);
//! assert_eq!((heard.recv().await, heard.recv().await), (Some(3), Some(7)));
//! host.send(Shutdown).await.unwrap();
//! # }
//! ```

mod clock;
mod host;
mod inbox;

pub use clock::Clock;
pub use host::{Host, Read, Shutdown, Tell};
pub use inbox::{Inbox, Stopped};
