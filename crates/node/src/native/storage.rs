//! A node's store: held from before its profile is read until the node ends, and opened again for every life.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use actix::Addr;
use meshwork_op_log::{self as op_log, OpLogActor};
use meshwork_shell::Tell;
use meshwork_storage::{Answer, Config, MemoryStore, RedbStore, StorageError, Store, StoreId, Writer};
use tokio::sync::mpsc;

use super::shared::Shared;
use crate::{Event, NodeBuilder};

/// Opens a store that the application chose.
pub(crate) type OpenStore = Arc<dyn Fn() -> Result<Box<dyn Store>, StorageError> + Send + Sync>;

/// Opens the node's store. Once it was open, `known` says which one it is: none is made in its place.
pub(crate) fn open(
    builder: &NodeBuilder,
    known: &Cell<Option<StoreId>>,
) -> Result<Box<dyn Store>, StorageError> {
    let directory = match (&builder.store, &builder.config.data) {
        (Some(open), _) => return open(),
        (None, None) => return Ok(Box::new(MemoryStore::new())),
        (None, Some(directory)) => directory,
    };
    let config = &builder.config.storage;
    let store = match known.get() {
        None => RedbStore::with_config(directory, config)?,
        Some(id) => RedbStore::reopen(directory, config, id)?,
    };
    known.set(store.id());
    Ok(Box::new(store))
}

/// Writes to `store` on a thread of its own. Its answers go to the log; should it panic, the node starts again.
pub(crate) fn spawn_writer(
    store: Box<dyn Store>,
    config: &Config,
    op_log: Addr<OpLogActor>,
    shared: Arc<Shared>,
    deaths: mpsc::UnboundedSender<&'static str>,
) -> Writer {
    // Only a write shows that what stalled the life before is over.
    let inherited = AtomicBool::new(shared.stalled.borrow().is_some());
    Writer::with_config(store, config, move |answer| match answer {
        Answer::Persisted { up_to } => {
            if inherited.swap(false, Ordering::Relaxed) {
                shared.storage_recovered();
            }
            op_log.do_send(Tell::new(op_log::Input::Persisted { write: up_to }));
        }
        Answer::Stalled { reason } => {
            inherited.store(false, Ordering::Relaxed);
            shared.storage_stalled(reason);
        }
        Answer::Recovered => shared.storage_recovered(),
        Answer::Failed { reason } => {
            shared.storage_stalled(reason);
            // The supervisor may have gone first, when the node is closing.
            let _ = deaths.send("storage");
        }
    })
}

impl Shared {
    fn storage_stalled(&self, reason: String) {
        self.stalled.send_replace(Some(reason.clone()));
        self.emit(Event::StorageStalled { reason });
    }

    fn storage_recovered(&self) {
        self.stalled.send_replace(None);
        self.emit(Event::StorageRecovered);
    }
}
