//! What the demo shows at the end.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use meshwork::ReplicaId;
use serde_json::{Value, json};

use super::member::Member;
use crate::cli::{output::say, statistics::Samples, table::table};

/// One node's line.
struct Row {
    name: String,
    id: String,
    authored: u64,
    received: u64,
    connect_ms: Option<f64>,
    propagation_ms: Option<(f64, f64)>,
    confirmed: u64,
    state_hash: String,
    lost_confirmed: u64,
}

/// The outcome of a demo.
pub(crate) struct Summary {
    rows: Vec<Row>,
    converged: bool,
    ops_per_s: f64,
    wire_bytes_per_op: f64,
    elapsed: Duration,
}

impl Summary {
    pub(crate) fn new(
        members: &[Member],
        promised: &BTreeMap<ReplicaId, u64>,
        worked: Duration,
        elapsed: Duration,
    ) -> Self {
        let rows: Vec<Row> = members.iter().map(|member| row(member, promised)).collect();
        let versions: Vec<_> =
            members.iter().map(|member| member.report.as_ref().map(|r| &r.version)).collect();
        let agree = |a: &Row, b: &Row| a.state_hash == b.state_hash;
        let converged = versions.windows(2).all(|pair| pair[0] == pair[1])
            && versions.iter().all(Option::is_some)
            && rows.windows(2).all(|pair| agree(&pair[0], &pair[1]));
        let operations: u64 = rows.iter().map(|row| row.authored).sum();
        let received: u64 = rows.iter().map(|row| row.received).sum();
        let sent_bytes: u64 = members
            .iter()
            .map(|member| {
                member.sent_bytes_before + member.report.as_ref().map_or(0, |report| report.sent_bytes)
            })
            .sum();
        Self {
            rows,
            converged,
            ops_per_s: operations as f64 / worked.as_secs_f64(),
            wire_bytes_per_op: sent_bytes as f64 / received.max(1) as f64,
            elapsed,
        }
    }

    pub(crate) fn converged(&self) -> bool {
        self.converged
    }

    pub(crate) fn lost_confirmed(&self) -> u64 {
        self.rows.iter().map(|row| row.lost_confirmed).sum()
    }

    pub(crate) fn to_json(&self) -> Value {
        let nodes = self.rows.iter().map(|row| {
            json!({
                "id": row.id,
                "name": row.name,
                "authored": row.authored,
                "received": row.received,
                "connect_ms": row.connect_ms,
                "propagation_ms": row.propagation_ms.map(|(p50, p99)| json!({ "p50": p50, "p99": p99 })),
                "confirmed": row.confirmed,
                "state_hash": row.state_hash,
            })
        });
        json!({
            "nodes": nodes.collect::<Vec<_>>(),
            "converged": self.converged,
            "lost_confirmed": self.lost_confirmed(),
            "ops_per_s": round(self.ops_per_s),
            "wire_bytes_per_op": round(self.wire_bytes_per_op),
            "elapsed_s": round(self.elapsed.as_secs_f64()),
        })
    }

    pub(crate) fn print(&self) -> Result<()> {
        let mut nodes = table([
            "node",
            "id",
            "authored",
            "received",
            "connect ms",
            "propagation ms p50 / p99",
            "confirmed",
            "state",
        ]);
        let shown = |value: Option<f64>| value.map_or("-".to_owned(), |value| value.to_string());
        for row in &self.rows {
            let (p50, p99) = row.propagation_ms.unzip();
            nodes.add_row([
                row.name.clone(),
                row.id.chars().take(8).collect(),
                row.authored.to_string(),
                row.received.to_string(),
                shown(row.connect_ms),
                format!("{} / {}", shown(p50), shown(p99)),
                row.confirmed.to_string(),
                row.state_hash.chars().take(8).collect(),
            ]);
        }
        say(nodes)?;
        let mut mesh = table(["mesh", ""]);
        mesh.add_row(["everybody holds the same", if self.converged { "yes" } else { "NO" }]);
        mesh.add_row(["confirmed operations lost", &self.lost_confirmed().to_string()]);
        mesh.add_row(["operations a second", &round(self.ops_per_s).to_string()]);
        mesh.add_row([
            "bytes on the wire, per operation received",
            &round(self.wire_bytes_per_op).to_string(),
        ]);
        mesh.add_row(["seconds in all", &round(self.elapsed.as_secs_f64()).to_string()]);
        say(mesh)
    }
}

fn row(member: &Member, promised: &BTreeMap<ReplicaId, u64>) -> Row {
    let report = member.report.as_ref();
    let held =
        |replica: &ReplicaId| report.and_then(|report| report.version.get(replica)).copied().unwrap_or(0);
    let authored: u64 = member.replicas.iter().map(held).sum();
    let all: u64 = report.map_or(0, |report| report.version.values().sum());
    let last = report.into_iter().flat_map(|report| &report.propagation_us);
    let propagation = milliseconds(member.propagation_us.iter().chain(last).copied());
    let connects = milliseconds(member.connect_us.iter().copied());
    Row {
        name: member.name.clone(),
        id: member.id.map(|id| id.to_string()).unwrap_or_default(),
        authored,
        received: all - authored,
        connect_ms: quantile(&connects, 0.5),
        propagation_ms: quantile(&propagation, 0.5).zip(quantile(&propagation, 0.99)),
        confirmed: report.map_or(0, |report| report.confirmed),
        state_hash: report.map(|report| report.state_hash.to_string()).unwrap_or_default(),
        lost_confirmed: promised.iter().map(|(replica, up_to)| up_to.saturating_sub(held(replica))).sum(),
    }
}

/// Samples of microseconds, in milliseconds.
fn milliseconds(samples_us: impl IntoIterator<Item = u64>) -> Samples {
    Samples::new(samples_us.into_iter().map(|us| us as f64 / 1000.0))
}

fn quantile(samples: &Samples, share: f64) -> Option<f64> {
    (samples.count() > 0).then(|| samples.quantile(share))
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
