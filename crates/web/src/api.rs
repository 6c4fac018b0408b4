//! What JavaScript calls. Values cross as JSON text.

use std::rc::Rc;

use meshwork::{Command, DocumentId, Dot, Input, ReplicaId};
use meshwork_discovery::ServerMessage;
use meshwork_identity::{Invitation, Signer as _};
use serde_json::{Value as Json, json};
use wasm_bindgen::prelude::*;

use crate::{
    change::{self, Path},
    error::WebError,
    event,
    host::{Host, write_id},
    opening::NodeOpening,
    operations::{self, Wanted},
    rows::RowsToStore,
    tabs::Port,
};

#[wasm_bindgen]
extern "C" {
    /// The writer of `js/store.js`.
    pub(crate) type Store;
    /// Makes rows durable together, then calls [`WebNode::persisted`].
    #[wasm_bindgen(method)]
    pub(crate) fn write(this: &Store, write: f64, rows: RowsToStore);
    /// Keeps the profile, before all rows that are written later.
    #[wasm_bindgen(method, js_name = keepProfile)]
    pub(crate) fn keep_profile(this: &Store, profile: &str);
}

/// A node. `Mesh` of `js/meshwork.js` is what applications use.
#[wasm_bindgen]
pub struct WebNode {
    host: Rc<Host>,
}

#[wasm_bindgen]
impl WebNode {
    /// Begins with what was opened: `store` takes what is to be kept (without one it ends with the tab, or another tab
    /// keeps it), `tabs` leads to this browser's other tabs, and `listener` hears events, as JSON arrays.
    #[wasm_bindgen(constructor)]
    pub fn new(
        opening: NodeOpening,
        store: JsValue,
        tabs: JsValue,
        listener: js_sys::Function,
    ) -> Result<Self, JsValue> {
        let store = (!store.is_null()).then(|| store.unchecked_into::<Store>());
        let tabs = (!tabs.is_null()).then(|| tabs.unchecked_into::<Port>());
        let NodeOpening { options, newcomer } = opening;
        Ok(Self { host: Host::begin(&options, newcomer, store, tabs, listener)? })
    }

    /// Calls the listener with what has happened while nobody could listen yet.
    pub fn listen(&self) {
        self.host.emit();
    }

    /// One transaction, all or nothing. Returns the operation's id.
    pub fn edit(&self, document: &str, changes: &str) -> Result<String, JsValue> {
        let dot = self.host.edit(document, change::edits(changes)?)?;
        Ok(event::dot(&dot).to_string())
    }

    /// What is shown at a path; `undefined` when nothing is.
    pub fn get(&self, document: &str, path: &str) -> Result<Option<String>, JsValue> {
        let document = document_id(document)?;
        let path = Path::parse(path)?;
        let shown = self.host.ask(|mesh| {
            let document = mesh.machines().documents.document(&document);
            document.and_then(|document| document.to_json_at(&path)).map(|json| json.to_string())
        });
        Ok(shown?)
    }

    /// The names of all documents.
    pub fn documents(&self) -> Result<String, JsValue> {
        let names = self.host.ask(|mesh| {
            let names = mesh.machines().documents.documents().map(|document| document.as_str());
            json!(names.collect::<Vec<_>>()).to_string()
        });
        Ok(names?)
    }

    /// One hash of all documents: equal on nodes that hold the same operations.
    #[wasm_bindgen(js_name = stateHash)]
    pub fn state_hash(&self) -> Result<String, JsValue> {
        Ok(self.host.ask(|mesh| mesh.machines().documents.state_hash().to_string())?)
    }

    /// The node at a glance.
    pub fn status(&self) -> Result<String, JsValue> {
        Ok(self.host.status()?.to_string())
    }

    /// On how many nodes an operation is known to be stored.
    pub fn holders(&self, replica: &str, sequence: f64) -> Result<u32, JsValue> {
        let dot = Dot::new(replica_id(replica)?, sequence as u64);
        let holders = self.host.ask(|mesh| {
            let consensus = mesh.machines().consensus.as_ref();
            consensus.map_or(0, |consensus| consensus.holders(dot).len())
        });
        Ok(u32::try_from(holders?).unwrap_or(u32::MAX))
    }

    /// The last operations, the last first: `{ count, author?, document? }` says which.
    pub fn operations(&self, wanted: &str) -> Result<String, JsValue> {
        let wanted = Wanted::parse(wanted)?;
        Ok(self.host.ask(|mesh| operations::list(mesh, &wanted).to_string())?)
    }

    /// One operation with all that is known of it; `undefined` when it is not here.
    pub fn operation(&self, replica: &str, sequence: f64) -> Result<Option<String>, JsValue> {
        let dot = Dot::new(replica_id(replica)?, sequence as u64);
        Ok(self.host.ask(|mesh| operations::detail(mesh, dot).map(|json| json.to_string()))?)
    }

    /// For each replica, who holds how much of it.
    pub fn clocks(&self) -> Result<String, JsValue> {
        Ok(self.host.ask(|mesh| operations::clocks(mesh).to_string())?)
    }

    /// The first entries of what is shown at a path; `undefined` when nothing is.
    pub fn excerpt(&self, document: &str, path: &str, entries_max: u32) -> Result<Option<String>, JsValue> {
        let (document, path) = (document_id(document)?, Path::parse(path)?);
        let excerpt = self.host.ask(|mesh| operations::excerpt(mesh, &document, &path, entries_max as usize));
        Ok(excerpt?.map(|json| json.to_string()))
    }

    /// Cuts this tab off from hubs and peers, as a network that fails would.
    pub fn disconnect(&self) {
        self.host.disconnect();
    }

    /// Goes back to hubs and peers.
    pub fn reconnect(&self) {
        self.host.reconnect();
    }

    /// Whether to tell `receipts` whenever some may have come.
    #[wasm_bindgen(js_name = watchReceipts)]
    pub fn watch_receipts(&self, watching: bool) {
        self.host.watch(watching);
    }

    /// Shows another status to the others.
    #[wasm_bindgen(js_name = setStatus)]
    pub fn set_status(&self, status: String) {
        self.host.command(Command::SetStatus(status));
    }

    /// Says that this tab cannot keep its heartbeat for now, or can again.
    #[wasm_bindgen(js_name = setAway)]
    pub fn set_away(&self, away: bool) {
        self.host.command(Command::SetAway(away));
    }

    /// Shows the others a value for a while.
    #[wasm_bindgen(js_name = setEphemeral)]
    pub fn set_ephemeral(&self, key: String, value: String, ttl_ms: f64) {
        let value = value.into_bytes().into();
        self.host.command(Command::SetEphemeral { key, value, ttl_ms: ttl_ms as u64 });
    }

    /// Shows it no longer.
    #[wasm_bindgen(js_name = clearEphemeral)]
    pub fn clear_ephemeral(&self, key: String) {
        self.host.command(Command::ClearEphemeral { key });
    }

    /// Compares versions with every linked peer now.
    pub fn sync(&self) {
        self.host.command(Command::Sync);
    }

    /// A link that lets others into this space by way of `hub` and `room`.
    pub fn invitation(&self, hub: &str, room: &str) -> Result<String, JsValue> {
        let membership = self.host.membership()?;
        let hub = hub.parse().map_err(|error| WebError::Usage(format!("`{hub}`: {error}")))?;
        let room = room.parse().map_err(|error| WebError::Usage(format!("{error}")))?;
        Ok(Invitation { hub, room, space: membership.space, secret: membership.secret }.to_string())
    }

    /// The write, and every one before it, is durable.
    pub fn persisted(&self, write: f64) {
        self.host.feed(Input::Persisted { write: write_id(write) });
    }

    /// The store takes no writes for this reason, or takes them again.
    pub fn stalled(&self, reason: Option<String>) {
        self.host.stalled(reason);
    }

    /// Who this tab is to the others of this browser: session, node, profile (with its secrets), and all that is stored.
    pub fn identity(&self) -> Result<String, JsValue> {
        let profile = self.host.profile()?;
        let identity = self.host.ask(|mesh| {
            let machines = mesh.machines();
            let stored = machines.op_log.stored_version().iter();
            let held: Json = stored.map(|(replica, tip)| (replica.to_string(), tip.sequence)).collect();
            json!({
                "session": machines.transport.session(), "node": profile.key.node(),
                "profile": profile.to_json(), "held": held,
            })
        });
        Ok(identity?.to_string())
    }

    /// A tab of this browser has come: the one that writes, or one that follows.
    #[wasm_bindgen(js_name = tabCame)]
    pub fn tab_came(&self, session: &str, node: &str) {
        if let (Ok(session), Ok(node)) = (session.parse(), node.parse()) {
            self.host.with_tabs(|tabs| tabs.came(session, node));
        }
    }

    /// It is gone.
    #[wasm_bindgen(js_name = tabGone)]
    pub fn tab_gone(&self, session: &str) {
        if let Ok(session) = session.parse() {
            self.host.with_tabs(|tabs| tabs.gone(session));
        }
    }

    /// It says something that concerns a link to it.
    #[wasm_bindgen(js_name = tabSignal)]
    pub fn tab_signal(&self, text: &str) {
        if let Ok(message) = ServerMessage::from_json(text) {
            self.host.with_tabs(|tabs| tabs.told(message));
        }
    }

    /// The tab that writes has stored these (`all`: and nothing else): the last sequence of each replica.
    pub fn held(&self, tips: &str, all: bool) {
        if let Ok(tips) = serde_json::from_str(tips) {
            self.host.held(tips, all);
        }
    }

    /// Whether the space is known.
    #[wasm_bindgen(js_name = isMember)]
    pub fn is_member(&self) -> bool {
        self.host.membership().is_ok()
    }

    /// The store is lost: another node of this browser is to write.
    pub fn follow(&self) {
        self.host.follow();
    }

    /// Whether everything that `other` holds or shows is stored here.
    #[wasm_bindgen(js_name = hasStored)]
    pub fn has_stored(&self, other: &WebNode) -> bool {
        self.host.has_stored(&other.host)
    }

    /// Stores everything, says goodbye, and tells `left`.
    pub fn leave(&self) {
        self.host.command(Command::Close);
    }

    /// Says goodbye at once, for a page that will not be there when its last write is: what was acknowledged is stored.
    pub fn depart(&self) {
        self.host.command(Command::Close);
        self.host.command(Command::Depart);
    }

    /// Ends at once.
    pub fn stop(&self) {
        self.host.stop();
    }
}

fn document_id(name: &str) -> Result<DocumentId, WebError> {
    DocumentId::new(name).map_err(|error| WebError::Usage(error.to_string()))
}

fn replica_id(text: &str) -> Result<ReplicaId, WebError> {
    text.parse().map_err(|error| WebError::Usage(format!("`{text}` is not a replica: {error}")))
}
