//! Performs what the machines ask of the host. Lives on the actors' thread.
//!
//! Waking another thread takes tens of microseconds, more than most steps of a machine. So what is for the application
//! and for storage waits until this thread has nothing else to do: by then the frames to peers have left.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use meshwork_base::{Row, WriteId};
use meshwork_storage::Writer;
use tokio::{sync::Notify, task::JoinHandle};

use super::{connector::Connector, hub_client::HubClients, shared::Shared};
use crate::Effect;

/// How many effects for other threads may wait.
const WAITING_MAX: usize = 1024;

/// The hands of a node.
pub(crate) struct Performer {
    writer: Writer,
    connector: Box<dyn Connector>,
    hubs: Option<HubClients>,
    shared: Arc<Shared>,
    /// For other threads, in order.
    waiting: Vec<Effect>,
    has_waiting: Rc<Notify>,
    /// Hands over what waits.
    task: Option<JoinHandle<()>>,
}

/// Taken out when the node closes.
pub(crate) type SharedPerformer = Rc<RefCell<Option<Performer>>>;

impl Performer {
    pub(crate) fn start(
        writer: Writer,
        connector: Box<dyn Connector>,
        hubs: Option<HubClients>,
        shared: Arc<Shared>,
    ) -> SharedPerformer {
        let has_waiting = Rc::<Notify>::default();
        let performer = Self {
            writer,
            connector,
            hubs,
            shared,
            waiting: Vec::new(),
            has_waiting: has_waiting.clone(),
            task: None,
        };
        let performer = Rc::new(RefCell::new(Some(performer)));
        let task = tokio::task::spawn_local(hand_over_at_rest(performer.clone(), has_waiting));
        if let Some(performer) = &mut *performer.borrow_mut() {
            performer.task = Some(task);
        }
        performer
    }

    pub(crate) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Connection { link, action } => self.connector.perform(link, action),
            Effect::Hub { hub, action } => {
                if let Some(hubs) = &mut self.hubs {
                    hubs.perform(hub, action);
                }
            }
            effect => {
                self.waiting.push(effect);
                if self.waiting.len() < WAITING_MAX {
                    self.has_waiting.notify_one();
                } else {
                    self.hand_over();
                }
            }
        }
    }

    /// To the application first: somebody waits for it, while storage gathers writes anyway.
    fn hand_over(&mut self) {
        let mut writes: Vec<(WriteId, Vec<Row>)> = Vec::new();
        for effect in self.waiting.drain(..) {
            match effect {
                Effect::Persist { write, rows } => writes.push((write, rows)),
                Effect::Edited { request, result } => self.shared.finish_edits(request, vec![result]),
                Effect::EditedMany { request, results } => self.shared.finish_edits(request, results),
                Effect::Incarnation(incarnation) => self.shared.set_incarnation(incarnation),
                Effect::Stored { version } => self.shared.set_stored(version),
                Effect::Event(event) => self.shared.emit(event),
                Effect::Closed => _ = self.shared.closed.send_replace(true),
                Effect::Connection { .. } | Effect::Hub { .. } => {}
            }
        }
        for (write, rows) in writes {
            self.writer.write(write, rows);
        }
    }

    /// Closes connections, then storage: the data directory is free when this returns.
    pub(crate) async fn close(mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        self.hand_over();
        drop(self.hubs);
        self.connector.close().await;
        if let Err(error) = self.writer.close() {
            tracing::error!(%error, "the store was not closed cleanly");
        }
    }
}

/// Hands over what waits whenever the thread has nothing else to do.
async fn hand_over_at_rest(performer: SharedPerformer, has_waiting: Rc<Notify>) {
    loop {
        has_waiting.notified().await;
        // tokio runs a task that yields after all others that are ready.
        tokio::task::yield_now().await;
        if let Some(performer) = &mut *performer.borrow_mut() {
            performer.hand_over();
        }
    }
}
