//! One node of the demo, through all its lives.

use std::path::PathBuf;

use anyhow::Result;
use meshwork::ReplicaId;

use super::protocol::{Order, Report, Tell, Work};
use crate::cli::process::Worker;

/// One life of a node.
pub(crate) type WorkerProcess = Worker<Order, Tell>;

/// One node as the demo sees it, through all its lives.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) data: PathBuf,
    pub(crate) process: WorkerProcess,
    pub(crate) work: Work,
    pub(crate) id: Option<meshwork::NodeId>,
    pub(crate) replicas: Vec<ReplicaId>,
    pub(crate) connect_us: Vec<u64>,
    pub(crate) made: u64,
    pub(crate) of: u64,
    pub(crate) done: bool,
    pub(crate) exported: bool,
    pub(crate) recovered: u64,
    /// The last report of this life.
    pub(crate) report: Option<Report>,
    /// From earlier lives.
    pub(crate) sent_bytes_before: u64,
    pub(crate) propagation_us: Vec<u64>,
}

impl Member {
    pub(crate) fn new(name: String, data: PathBuf, process: WorkerProcess, work: Work) -> Self {
        Self {
            name,
            data,
            process,
            work,
            id: None,
            replicas: Vec::new(),
            connect_us: Vec::new(),
            made: 0,
            of: 0,
            done: false,
            exported: false,
            recovered: 0,
            report: None,
            sent_bytes_before: 0,
            propagation_us: Vec::new(),
        }
    }

    pub(crate) fn add_replica(&mut self, replica: ReplicaId) {
        if !self.replicas.contains(&replica) {
            self.replicas.push(replica);
        }
    }

    /// How far it is, for a person.
    pub(crate) fn stand(&self) -> String {
        let Some(report) = &self.report else { return format!("{} reports nothing", self.name) };
        let (held, confirmed, links) = (report.version.values().sum::<u64>(), report.confirmed, report.links);
        format!("{} holds {held} operations, {confirmed} of them confirmed, with {links} links", self.name)
    }

    /// SIGKILL, without a word.
    pub(crate) async fn die(&mut self) -> Result<()> {
        self.process.kill().await?;
        self.id = None;
        self.done = false;
        if let Some(report) = self.report.take() {
            self.sent_bytes_before += report.sent_bytes;
            self.propagation_us.extend(report.propagation_us);
        }
        Ok(())
    }

    /// What is left after a crash: what the disk kept is done.
    pub(crate) fn rest_of_work(&self) -> Work {
        match &self.work {
            Work::Generate { edits, seed, rate } => {
                Work::Generate { edits: edits.saturating_sub(self.recovered), seed: seed + 1, rate: *rate }
            }
            import => import.clone(),
        }
    }
}
