//! Performs what the machines ask of the host. Lives on the actors' thread.

use std::sync::Arc;

use meshwork_storage::Writer;

use super::{connector::Connector, hub_client::HubClients, shared::Shared};
use crate::Effect;

/// The hands of a node.
pub(crate) struct Performer {
    pub(crate) writer: Writer,
    pub(crate) connector: Box<dyn Connector>,
    pub(crate) hubs: Option<HubClients>,
    pub(crate) shared: Arc<Shared>,
}

impl Performer {
    pub(crate) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Persist { write, rows } => self.writer.write(write, rows),
            Effect::Connection { link, action } => self.connector.perform(link, action),
            Effect::Hub { hub, action } => {
                if let Some(hubs) = &mut self.hubs {
                    hubs.perform(hub, action);
                }
            }
            Effect::Edited { request, result } => self.shared.finish_edits(request, vec![result]),
            Effect::EditedMany { request, results } => self.shared.finish_edits(request, results),
            Effect::Incarnation(incarnation) => self.shared.set_incarnation(incarnation),
            Effect::Stored { version } => self.shared.set_stored(version),
            Effect::Event(event) => self.shared.emit(event),
            Effect::Closed => {
                self.shared.closed.send_replace(true);
            }
        }
    }

    /// Closes connections, then storage: the data directory is free when this returns.
    pub(crate) async fn close(self) {
        drop(self.hubs);
        self.connector.close().await;
        if let Err(error) = self.writer.close() {
            tracing::error!(%error, "the store was not closed cleanly");
        }
    }
}
