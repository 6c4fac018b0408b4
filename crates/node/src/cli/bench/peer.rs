//! A worker process as the benchmark sees it.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use meshwork::{ReplicaId, RoomCode};
use url::Url;

use super::{
    protocol::{Order, RawOrder, Tell},
    usage,
};
use crate::cli::process::Worker;

/// How long a worker may be silent while something is awaited of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// A worker, and what it told without being asked.
pub(crate) struct Peer {
    process: Worker<Order, Tell>,
    /// For each link that came up: how long it took to connect, and when it was up.
    linked: VecDeque<(u64, u64)>,
    /// When links went down.
    unlinked: VecDeque<u64>,
    /// The replicas that its nodes author as.
    pub(crate) replicas: Vec<ReplicaId>,
    /// When its nodes ran.
    pub(crate) started_us: u64,
}

impl Peer {
    /// Starts the process. Its log goes beside the data.
    pub(crate) fn launch(name: &str, directory: &Path) -> Result<Self> {
        let process = Worker::start(&["bench-worker"], name, directory.join(format!("{name}.log")))?;
        let (linked, unlinked) = (VecDeque::new(), VecDeque::new());
        Ok(Self { process, linked, unlinked, replicas: Vec::new(), started_us: 0 })
    }

    pub(crate) async fn order(&mut self, order: Order) -> Result<()> {
        self.process.order(&order).await
    }

    pub(crate) async fn raw(&mut self, order: RawOrder) -> Result<()> {
        self.order(Order::Raw(order)).await
    }

    /// Listens until the worker tells what `wanted` picks.
    pub(crate) async fn expect<T>(&mut self, what: &str, wanted: impl Fn(Tell) -> Option<T>) -> Result<T> {
        loop {
            let told = self.hear(what).await?;
            if let Some(told) = self.note(told).and_then(&wanted) {
                return Ok(told);
            }
        }
    }

    async fn hear(&mut self, what: &str) -> Result<Tell> {
        let told = tokio::time::timeout(PATIENCE, self.process.tell()).await;
        told.unwrap_or_else(|_| bail!("waiting for {what}: a worker was silent for {} s", PATIENCE.as_secs()))
    }

    fn note(&mut self, told: Tell) -> Option<Tell> {
        match told {
            Tell::Linked { connect_us, at_us } => self.linked.push_back((connect_us, at_us)),
            Tell::Unlinked { at_us } => self.unlinked.push_back(at_us),
            told => return Some(told),
        }
        None
    }

    /// Starts nodes, and waits until they run.
    pub(crate) async fn start(
        &mut self,
        hub: &Url,
        room: RoomCode,
        name: &str,
        data: Option<PathBuf>,
        nodes: usize,
    ) -> Result<()> {
        let (hub, name) = (hub.to_string(), name.to_owned());
        self.order(Order::Start { hub, room, name, data, nodes }).await?;
        (self.replicas, self.started_us) = self
            .expect("nodes to start", |told| match told {
                Tell::Started { replicas, at_us } => Some((replicas, at_us)),
                _ => None,
            })
            .await?;
        Ok(())
    }

    /// Waits for the next link: how long it took to connect, and when it was up.
    pub(crate) async fn linked(&mut self) -> Result<(u64, u64)> {
        loop {
            if let Some(link) = self.linked.pop_front() {
                return Ok(link);
            }
            let told = self.hear("a link").await?;
            self.note(told);
        }
    }

    /// Waits until a link is gone, and says when.
    pub(crate) async fn unlinked(&mut self) -> Result<u64> {
        loop {
            if let Some(at_us) = self.unlinked.pop_front() {
                return Ok(at_us);
            }
            let told = self.hear("the end of a link").await?;
            self.note(told);
        }
    }

    /// Waits until all this is visible and durable there, and says when it was.
    pub(crate) async fn reached(&mut self, up_to: &BTreeMap<ReplicaId, u64>) -> Result<u64> {
        self.order(Order::Await { up_to: up_to.clone() }).await?;
        self.expect("operations to be stored", |told| match told {
            Tell::Reached { at_us } => Some(at_us),
            _ => None,
        })
        .await
    }

    /// Closes the nodes; the process goes on.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        self.order(Order::Stop).await?;
        self.expect("nodes to stop", |told| matches!(told, Tell::Stopped).then_some(())).await
    }

    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.process.kill().await
    }

    pub(crate) fn cpu_seconds(&self) -> f64 {
        self.process.id().and_then(usage::cpu_seconds).unwrap_or_default()
    }

    pub(crate) fn resident_bytes(&self) -> Result<f64> {
        self.process
            .id()
            .and_then(usage::resident_bytes)
            .context("this system does not tell what processes use")
    }
}
