//! After the faults: until all nodes agree, and what they hold then.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use tokio::time::{Instant, sleep};

use super::Run;
use crate::{
    api::Status,
    ledger::{Held, Verdict},
    plan::HUB,
    report::{Row, Settled},
};

/// How long the nodes may take to agree once nothing is wrong any more.
const SETTLE_WITHIN: Duration = Duration::from_secs(60);
const POLL_EVERY: Duration = Duration::from_millis(100);
/// What a node may need in memory for each operation that it holds, in its log and its documents.
const KIB_PER_OPERATION: u64 = 3;
/// What a log shows of a machine that panicked, which costs the node its life's work and not its promises.
const PANICS: [&str; 2] = ["panicked at", "rebuilding the node from storage"];

impl Run {
    /// Waits until every node is linked with every other and the hub, and all hold and have confirmed the same. `None`,
    /// and a complaint, when they do not get there.
    pub(super) async fn settle(&self, begun: Instant) -> Option<Settled> {
        let mut last = None;
        loop {
            let amiss = match self.statuses().await {
                Ok(statuses) => amiss(&statuses),
                Err(error) => Some((format!("{error:#}"), String::new())),
            };
            let Some((amiss, details)) = amiss else {
                return Some(Settled { seconds: begun.elapsed().as_secs_f64(), last });
            };
            if begun.elapsed() > SETTLE_WITHIN {
                let seconds = SETTLE_WITHIN.as_secs();
                self.record.complain(format!("{seconds} s after the last fault: {amiss}{details}"));
                return None;
            }
            last = Some(amiss);
            sleep(POLL_EVERY).await;
        }
    }

    async fn statuses(&self) -> Result<Vec<(String, Status)>> {
        let mut statuses = Vec::new();
        for node in self.nodes() {
            statuses.push((node.name.clone(), node.status().await?));
        }
        Ok(statuses)
    }

    /// What became of the promises; and how many operations each node holds.
    pub(super) async fn judge(&self) -> (Verdict, BTreeMap<usize, u64>) {
        let (mut held, mut operations) = (Vec::new(), BTreeMap::new());
        for node in self.nodes() {
            let api = node.api.clone();
            let both = node.host.run(async move { Ok((api.status().await?, api.document().await?)) }).await;
            match both {
                Ok((status, document)) => {
                    operations.insert(node.number, status.operation_log_size);
                    held.push(Held { name: node.name.clone(), vector_clock: status.vector_clock, document });
                }
                Err(error) => self.record.complain(format!("{} does not answer: {error:#}", node.name)),
            }
        }
        (self.record.lock().ledger.judge(&held), operations)
    }

    /// The final table's rows, and whether memory stayed within its bound.
    pub(super) async fn rows(&self, operations: &BTreeMap<usize, u64>, memory_mib: u64) -> Vec<Row> {
        let mut rows = Vec::new();
        for member in &self.members {
            let peak_mib = member.peak_kib().await.div_ceil(1_024);
            let held = operations.get(&member.number).copied();
            let bound_mib = memory_mib + held.unwrap_or(0) * KIB_PER_OPERATION / 1_024;
            if peak_mib > bound_mib {
                let name = &member.name;
                self.record.complain(format!("{name} had {peak_mib} MiB resident, the bound is {bound_mib}"));
            }
            let notes = self.record.lock();
            rows.push(Row {
                name: member.name.clone(),
                starts: member.life(),
                edits: notes.edits.get(&member.number).cloned().unwrap_or_default(),
                events: notes.events.get(&member.number).cloned().unwrap_or_default(),
                operations: held,
                peak_mib,
                bound_mib,
            });
        }
        rows
    }

    /// Nodes end by themselves when asked to; a hub has nothing to lose. Their logs must be free of panics.
    pub(super) async fn end(&self) {
        for member in &self.members {
            let ended = if member.number == HUB { member.kill().await } else { member.terminate().await };
            ended.unwrap_or_else(|error| self.record.complain(format!("{error:#}")));
            let log = std::fs::read_to_string(&member.log).unwrap_or_default();
            if let Some(line) = log.lines().find(|line| PANICS.iter().any(|panic| line.contains(panic))) {
                self.record.complain(format!("{} wrote to its log: {line}", member.name));
            }
        }
    }
}

/// Why the nodes have not settled, in short and in full.
fn amiss(statuses: &[(String, Status)]) -> Option<(String, String)> {
    let (_, first) = statuses.first()?;
    statuses.iter().find_map(|(name, status)| {
        let said = if status.vector_clock != first.vector_clock {
            "holds other operations than the first"
        } else if status.pending_operations > 0 {
            "has operations that wait"
        } else if status.confirmed_operations < status.operation_log_size {
            "has operations that are not confirmed"
        } else if status.connected_peers.len() + 1 < statuses.len() {
            "is not linked with all others"
        } else if !status.hubs.values().all(|joined| *joined) {
            "is not in the hub's room"
        } else if status.storage_stalled.is_some() {
            "cannot store"
        } else {
            return None;
        };
        Some((format!("{name} {said}"), format!(": {status:?}")))
    })
}
