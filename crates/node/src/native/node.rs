//! The handle of a running node.

use std::{collections::BTreeMap, sync::Arc};

use actix::Addr;
use meshwork_base::{DocumentId, DocumentIdError, Dot, NodeId, ReplicaId, SessionId, SpaceId, Version};
use meshwork_crdt_state::{Document, Documents, Edit, EditError, RequestId};
use meshwork_identity::RoomCode;
use meshwork_op_log::{Incarnation, OpLog};
use meshwork_presence::PresenceError;
use meshwork_shell::{Host, Inbox, Read};
use tokio::sync::{broadcast, watch};
use url::Url;

use super::{
    actors::Actors,
    shared::{Retired, Shared},
};
use crate::{Command, Event, NodeBuilder, Status, route};

/// What can go wrong with a call on a node.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NodeError {
    /// The node has been closed, or has given up; an edit that was on its way may or may not stand.
    #[error("the node has stopped")]
    Stopped,
    /// A part of the node failed, and it starts again from what is stored.
    #[error(
        "the node is starting again from its storage; what was on its way may or may not stand: read the document, \
         and edit again if it is missing"
    )]
    Rebuilding,
    /// The replica that made the operation was retired before the operation was safe.
    #[error(
        "operation {dot} does not stand under this id: its replica was retired, and of its operations those up to \
         {kept} were kept. It was made again under another id, comes back from other members, or is lost: read the \
         document, and edit again if it is missing"
    )]
    Retired {
        /// The operation.
        dot: Dot,
        /// The last of its replica's operations that was kept.
        kept: u64,
    },
    /// The edit is refused; nothing changed.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Not a document's name.
    #[error(transparent)]
    Document(#[from] DocumentIdError),
    /// The value is refused; the one before it is still shown.
    #[error(transparent)]
    Ephemeral(#[from] PresenceError),
    /// The node was composed without this part.
    #[error("this node was composed without {0}")]
    Absent(&'static str),
}

/// A running node. Clones are handles of the same node; it runs on a thread of its own until [`close`](Self::close) or
/// until the last handle is dropped.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

/// Who a running node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Its key.
    pub node: NodeId,
    /// This run of it.
    pub session: SessionId,
    /// The space that it replicates.
    pub space: SpaceId,
}

pub(crate) struct Inner {
    pub(crate) name: String,
    /// The first hub and the room there, if it meets others by hubs.
    pub(crate) place: Option<(Url, RoomCode)>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) running: watch::Receiver<Option<Running>>,
    /// Dropped with the last handle, which ends the node's thread.
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) ended: watch::Receiver<bool>,
}

/// One life of the actors: they are replaced when one of them dies.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) identity: Identity,
    pub(crate) actors: Actors,
    pub(crate) documents: Inbox<meshwork_crdt_state::Input>,
}

impl Node {
    /// Composes a node.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::default()
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn running(&self) -> Result<Running, NodeError> {
        self.inner.running.borrow().clone().ok_or_else(|| self.gone())
    }

    /// The same; waits for the actors while they are being replaced.
    pub(crate) async fn alive(&self) -> Result<Running, NodeError> {
        if *self.inner.stop.borrow() {
            return Err(NodeError::Stopped);
        }
        let mut running = self.inner.running.clone();
        let running = running.wait_for(Option::is_some).await.ok().and_then(|running| running.clone());
        running.ok_or(NodeError::Stopped)
    }

    /// Why an actor does not answer.
    pub(crate) fn gone(&self) -> NodeError {
        let ended = self.inner.ended.has_changed().is_err() || *self.inner.ended.borrow();
        if ended || *self.inner.stop.borrow() { NodeError::Stopped } else { NodeError::Rebuilding }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.inner.shared
    }

    /// Who this is. (This and the other calls that do not wait answer [`NodeError::Rebuilding`] while the node starts
    /// again.)
    pub fn identity(&self) -> Result<Identity, NodeError> {
        Ok(self.running()?.identity)
    }

    /// The name that others see.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    pub(crate) fn room(&self) -> Option<String> {
        self.inner.place.as_ref().map(|(_, room)| room.to_string())
    }

    pub(crate) fn place(&self) -> Option<(Url, RoomCode)> {
        self.inner.place.clone()
    }

    /// The incarnation that authors this node's operations.
    pub fn incarnation(&self) -> Option<Incarnation> {
        *self.shared().incarnation.borrow()
    }

    /// One transaction: all of `edits`, or none. Visible when this returns; durable later
    /// ([`stored`](Self::stored)), on other nodes later still ([`confirmed`](Self::confirmed)).
    ///
    /// Waits while as many edits as configured (`unsaved_edits_max`) are not durable yet. Dropped while it waits, it
    /// changes nothing; later, the edit may or may not be made.
    pub async fn edit(&self, document: &str, edits: impl Into<Vec<Edit>>) -> Result<Dot, NodeError> {
        let document = DocumentId::new(document)?;
        let edits = edits.into();
        let input = |request| meshwork_crdt_state::Input::Edit { request, document, edits };
        let results = self.make_edits(1, input).await?;
        Ok(results.into_iter().next().ok_or_else(|| self.gone())??)
    }

    /// Hands so many transactions to the documents, once they may be unsaved, and waits for the answers.
    async fn make_edits(
        &self,
        count: usize,
        input: impl FnOnce(RequestId) -> meshwork_crdt_state::Input,
    ) -> Result<Vec<Result<Dot, EditError>>, NodeError> {
        loop {
            let running = self.alive().await?;
            let (begun, answer) = self.shared().begin_edits(count).await;
            let session = running.identity.session;
            if self.inner.running.borrow().as_ref().is_none_or(|now| now.identity.session != session) {
                // The actors were replaced while this waited for its turn.
                continue;
            }
            running.documents.send(input(begun.request)).await.map_err(|_| self.gone())?;
            begun.sent();
            return answer.await.map_err(|_| self.gone());
        }
    }

    /// Several transactions, one after the other: each all or nothing, and a refused one does not hold up the rest.
    /// Much cheaper than as many calls of [`edit`](Self::edit).
    pub async fn edit_many(
        &self,
        document: &str,
        transactions: impl IntoIterator<Item = Vec<Edit>>,
    ) -> Result<Vec<Result<Dot, EditError>>, NodeError> {
        let document = DocumentId::new(document)?;
        let mut transactions = transactions.into_iter();
        let mut all = Vec::new();
        loop {
            let transactions: Vec<_> = transactions.by_ref().take(self.shared().edits_together_max).collect();
            if transactions.is_empty() {
                return Ok(all);
            }
            let document = document.clone();
            let count = transactions.len();
            let input = |request| meshwork_crdt_state::Input::EditMany { request, document, transactions };
            all.extend(self.make_edits(count, input).await?);
        }
    }

    /// Asks a question of the documents.
    pub async fn read<R: Send + 'static>(
        &self,
        question: impl FnOnce(&Documents) -> R + Send + 'static,
    ) -> Result<R, NodeError> {
        self.ask(&self.alive().await?.actors.documents, question).await
    }

    /// The document as JSON; `None` if nobody has written to it.
    pub async fn json(&self, document: &str) -> Result<Option<serde_json::Value>, NodeError> {
        let id = DocumentId::new(document)?;
        self.read(move |documents| documents.document(&id).map(Document::to_json)).await
    }

    /// Asks a question of the log.
    pub async fn read_log<R: Send + 'static>(
        &self,
        question: impl FnOnce(&OpLog) -> R + Send + 'static,
    ) -> Result<R, NodeError> {
        self.ask(&self.alive().await?.actors.op_log, question).await
    }

    /// What happens from now on. A listener that falls behind by more than `events_capacity` events is told how many
    /// it missed ([`RecvError::Lagged`](broadcast::error::RecvError::Lagged)); the state can always be read instead.
    pub fn events(&self) -> broadcast::Receiver<Arc<Event>> {
        self.shared().events.subscribe()
    }

    /// Waits until the operation is durable here. Ends with [`NodeError::Stopped`] when the node does, with
    /// [`NodeError::Rebuilding`] when it starts again from storage, which may not hold the operation, and with
    /// [`NodeError::Retired`] when the operation does not stand under this id.
    pub async fn stored(&self, dot: Dot) -> Result<(), NodeError> {
        self.reach(dot, &self.shared().stored, |version| version.contains(dot)).await
    }

    /// Waits until the operation meets the policy: stored on as many nodes as configured. Ends early as
    /// [`stored`](Self::stored) does.
    pub async fn confirmed(&self, dot: Dot) -> Result<(), NodeError> {
        if self.alive().await?.actors.consensus.is_none() {
            return Err(NodeError::Absent("consensus"));
        }
        let reached = |sequence: &u64| *sequence >= dot.sequence;
        let goal = |confirmed: &BTreeMap<ReplicaId, u64>| confirmed.get(&dot.replica).is_some_and(reached);
        self.reach(dot, &self.shared().confirmed, goal).await
    }

    async fn reach<T>(
        &self,
        dot: Dot,
        state: &watch::Sender<T>,
        goal: impl Fn(&T) -> bool,
    ) -> Result<(), NodeError> {
        let mut state = state.subscribe();
        let mut retired = self.shared().retired.subscribe();
        let mut deaths = self.shared().deaths.subscribe();
        let mut ended = self.inner.ended.clone();
        loop {
            let reached = goal(&state.borrow_and_update());
            let retirement = retired.borrow_and_update().get(&dot.replica).copied();
            let here = || self.shared().stored.borrow().contains(dot);
            match retirement {
                Some(Retired::Cut { kept }) if dot.sequence > kept => {
                    return Err(NodeError::Retired { dot, kept });
                }
                Some(Retired::Unclosed { kept }) if dot.sequence > kept && !here() => {
                    return Err(NodeError::Retired { dot, kept });
                }
                _ if reached => return Ok(()),
                _ => {}
            }
            tokio::select! {
                biased;
                _ = ended.wait_for(|ended| *ended) => return Err(NodeError::Stopped),
                Ok(()) = state.changed() => {}
                Ok(()) = retired.changed() => {}
                _ = deaths.changed() => return Err(self.gone()),
            }
        }
    }

    /// The nodes that are known to hold the operation durably.
    pub async fn holders(&self, dot: Dot) -> Result<Vec<NodeId>, NodeError> {
        let consensus = self.alive().await?.actors.consensus.ok_or(NodeError::Absent("consensus"))?;
        self.ask(&consensus, move |consensus| consensus.holders(dot)).await
    }

    /// What is durable here.
    pub fn stored_version(&self) -> Version {
        self.shared().stored.borrow().clone()
    }

    /// Compares versions with every linked peer now.
    pub fn sync(&self) -> Result<(), NodeError> {
        self.command(Command::Sync)
    }

    /// Shows another status to the others.
    pub fn set_status(&self, status: impl Into<String>) -> Result<(), NodeError> {
        self.command(Command::SetStatus(status.into()))
    }

    /// Says that this process cannot keep its heartbeat for now, or can again.
    pub fn set_away(&self, away: bool) -> Result<(), NodeError> {
        self.command(Command::SetAway(away))
    }

    pub(crate) fn command(&self, command: Command) -> Result<(), NodeError> {
        let running = self.running()?;
        route::from_host(crate::Input::Command(command), |routed| running.actors.tell(routed));
        Ok(())
    }

    /// A table of everything a person asks first.
    pub async fn status(&self) -> Result<Status, NodeError> {
        Status::of(self).await
    }

    /// Stores everything, says goodbye to the others, and ends. Returns when the data directory is free again.
    pub async fn close(&self) {
        self.inner.stop.send_replace(true);
        self.ended().await;
    }

    /// Waits until the node has ended: closed, or given up after it failed too often.
    pub async fn ended(&self) {
        let mut ended = self.inner.ended.clone();
        // An error means that the thread is gone, which is what we wait for.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Asks a question of a machine.
    pub(crate) async fn ask<M, R>(
        &self,
        host: &Addr<Host<M>>,
        question: impl FnOnce(&M) -> R + Send + 'static,
    ) -> Result<R, NodeError>
    where
        M: meshwork_base::Machine + Unpin + 'static,
        R: Send + 'static,
    {
        host.send(Read::new(question)).await.map_err(|_| self.gone())
    }
}
