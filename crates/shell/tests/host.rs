//! The host's wiring: timers, order, back-pressure, death.

use std::{cell::RefCell, rc::Rc, time::Duration};

use actix::prelude::*;
use meshwork_base::{Deadline, Machine, Monotonic, Timestamp};
use meshwork_shell::{Clock, Host, Inbox, Read, Shutdown, Stopped, Tell};
use tokio::sync::{mpsc, oneshot};

/// Sets an alarm for each number of milliseconds it is told, and says when it rang; panics when told zero.
#[derive(Default)]
struct Alarm {
    set: Vec<(Monotonic, u64)>,
    rung: Vec<u64>,
}

impl Machine for Alarm {
    type Input = u64;
    type Effect = u64;

    fn handle(&mut self, now: Timestamp, milliseconds: u64) {
        assert_ne!(milliseconds, 0, "a bug in the machine");
        self.set.push((now.monotonic + Duration::from_millis(milliseconds), milliseconds));
        self.set.sort();
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        let due = self.set.iter().take_while(|(at, _)| *at <= now.monotonic).count();
        self.rung.extend(self.set.drain(..due).map(|(_, milliseconds)| milliseconds));
    }

    fn poll_effect(&mut self) -> Option<u64> {
        (!self.rung.is_empty()).then(|| self.rung.remove(0))
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.set.first().map(|(at, _)| Deadline { at: *at, why: "alarm" })
    }
}

fn host() -> (Addr<Host<Alarm>>, mpsc::UnboundedReceiver<u64>, oneshot::Receiver<&'static str>) {
    let (rings, heard) = mpsc::unbounded_channel();
    let (dies, died) = oneshot::channel();
    let host = Host::new("alarm", Alarm::default(), Clock::system(), move |ring| {
        let _ = rings.send(ring);
    });
    let host = host.on_death(move |name| {
        let _ = dies.send(name);
    });
    (host.start(), heard, died)
}

#[actix::test]
async fn alarms_ring_in_the_order_of_their_deadlines() {
    let (host, mut heard, _died) = host();
    for milliseconds in [30, 5, 60, 10] {
        host.do_send(Tell::new(milliseconds));
    }
    let mut rung = Vec::new();
    for _ in 0..4 {
        rung.push(heard.recv().await.unwrap());
    }
    assert_eq!(rung, [5, 10, 30, 60]);
}

#[actix::test]
async fn a_shutdown_comes_after_what_was_told_before_and_is_not_a_death() {
    let (host, _heard, died) = host();
    host.do_send(Tell::new(10_000));
    let waiting = host.send(Read::new(|alarm: &Alarm| alarm.set.len())).await.unwrap();
    host.send(Shutdown).await.unwrap();
    assert_eq!(waiting, 1);
    assert!(died.await.is_err(), "the closure was dropped, not called");
    assert!(!host.connected());
}

#[actix::test]
async fn a_panic_is_told_and_takes_down_one_actor_only() {
    let (host, _heard, died) = host();
    let (other, ..) = self::host();
    host.do_send(Tell::new(0));
    assert_eq!(died.await, Ok("alarm"));
    assert_eq!(other.send(Read::new(|alarm: &Alarm| alarm.set.len())).await, Ok(0));
    assert_eq!(Inbox::new(host.recipient(), 1).send(1).await, Err(Stopped));
}

#[actix::test]
async fn an_inbox_holds_senders_back_until_inputs_are_handled() {
    let (host, ..) = host();
    let inbox = Inbox::new(host.clone().recipient(), 2);
    let sent = Rc::new(RefCell::new(0));
    let count = sent.clone();
    // The test and the actor share one thread: nothing is handled before the test awaits the actor.
    let sender = async move {
        for _ in 0..5 {
            inbox.send(10_000).await.unwrap();
            *count.borrow_mut() += 1;
        }
    };
    let mut sender = Box::pin(sender);
    assert!(futures_poll_once(sender.as_mut()).is_none());
    assert_eq!(*sent.borrow(), 2);
    sender.await;
    assert_eq!(host.send(Read::new(|alarm: &Alarm| alarm.set.len())).await, Ok(5));
}

fn futures_poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}
