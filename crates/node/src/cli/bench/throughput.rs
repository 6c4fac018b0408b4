//! How many operations a mesh takes, and how fast a node catches up.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use meshwork::ReplicaId;

use super::{
    Bench,
    peer::Peer,
    protocol::{Order, Tell},
    report::Measure,
    worker::OPERATION_BYTES,
};
use crate::cli::process::wall_us;

/// Transactions in one call, where there are several.
const BATCH: usize = 64;
/// What a node misses while it is away.
const MISSED: u64 = 100_000;

/// Operations that every node of a mesh has stored.
struct Flooded {
    operations: f64,
    seconds: f64,
    cpu_seconds: f64,
}

impl Flooded {
    fn per_second(&self) -> f64 {
        self.operations / self.seconds.max(f64::EPSILON)
    }

    fn cpu_per_million(&self) -> f64 {
        self.cpu_seconds / (self.operations / 1e6).max(f64::EPSILON)
    }
}

/// One node writes, the other listens; by batches and by single edits.
pub(crate) async fn two(bench: &Bench) -> Result<Vec<Measure>> {
    let many = flood(bench, 2, 1, BATCH).await?;
    let single = flood(bench, 2, 1, 1).await?;
    Ok(vec![
        measure("operations of 64 bytes, A → B, stored on both", &many, 150_000.0).how(how(
            bench,
            "one node writes",
            BATCH,
        )),
        described("the same, one edit a call", &single).how(how(bench, "one node writes", 1)),
    ])
}

/// Three nodes write at once.
pub(crate) async fn three(bench: &Bench) -> Result<Vec<Measure>> {
    let all = flood(bench, 3, 3, BATCH).await?;
    Ok(vec![measure("the same from 3 nodes at once, all to all, in total", &all, 60_000.0).how(how(
        bench,
        "all three write",
        BATCH,
    ))])
}

fn how(bench: &Bench, who: &str, batch: usize) -> String {
    let calls =
        if batch == 1 { "edits one by one, many at a time".into() } else { format!("{batch} edits a call") };
    format!(
        "{who} for {} s, {calls}, bodies of {OPERATION_BYTES} bytes; until the last one is stored everywhere",
        bench.flood_ms() / 1000
    )
}

fn measure(what: &'static str, flooded: &Flooded, reach: f64) -> Measure {
    described(what, flooded).reach(format!("{reach:.0} /s"), flooded.per_second() >= reach)
}

fn described(what: &'static str, flooded: &Flooded) -> Measure {
    Measure::new(what)
        .measured(format!(
            "{:.0} /s; {:.1} CPU seconds per million, all processes",
            flooded.per_second(),
            flooded.cpu_per_million()
        ))
        .figure("operations_per_s", flooded.per_second())
        .figure("operations", flooded.operations)
        .figure("cpu_s_per_million", flooded.cpu_per_million())
}

/// A linked mesh of `nodes`, each with a directory of its own.
async fn mesh(bench: &Bench, purpose: &str, nodes: usize) -> Result<(super::Room, Vec<Peer>)> {
    let room = bench.room().await?;
    let mut peers = Vec::new();
    for number in 0..nodes {
        let name = format!("{purpose}{number}");
        let mut peer = bench.launch(&name)?;
        peer.start(&room.0.url, room.1, &name, Some(bench.data(&name)), 1).await?;
        peers.push(peer);
    }
    for peer in &mut peers {
        for _ in 1..nodes {
            peer.linked().await?;
        }
    }
    bench.settle().await;
    Ok((room, peers))
}

async fn flood(bench: &Bench, nodes: usize, writers: usize, batch: usize) -> Result<Flooded> {
    let purpose = format!("flood{nodes}x{batch}n");
    let (_room, mut peers) = mesh(bench, &purpose, nodes).await?;
    let cpu = |peers: &[Peer]| peers.iter().map(Peer::cpu_seconds).sum::<f64>();
    let cpu_before = cpu(&peers);
    for peer in peers.iter_mut().take(writers) {
        peer.order(Order::Flood { batch, ms: Some(bench.flood_ms()), edits: None }).await?;
    }
    let (mut start_us, mut operations, mut up_to) = (u64::MAX, 0, BTreeMap::new());
    for peer in peers.iter_mut().take(writers) {
        let flooded = flooded(peer).await?;
        start_us = start_us.min(flooded.0);
        operations += flooded.1;
        up_to.extend(flooded.2);
    }
    let end_us = everybody_has(&mut peers, &up_to).await?;
    let cpu_seconds = cpu(&peers) - cpu_before;
    for peer in &mut peers {
        peer.kill().await?;
    }
    let seconds = end_us.saturating_sub(start_us) as f64 / 1e6;
    Ok(Flooded { operations: operations as f64, seconds, cpu_seconds })
}

/// When a flood began, how many operations it made, and up to where.
async fn flooded(peer: &mut Peer) -> Result<(u64, u64, BTreeMap<ReplicaId, u64>)> {
    let (start_us, made, up_to) = peer
        .expect("edits", |told| match told {
            Tell::Flooded { start_us, made, up_to } => Some((start_us, made, up_to)),
            _ => None,
        })
        .await?;
    let replica = *peer.replicas.first().context("no replica")?;
    Ok((start_us, made, BTreeMap::from([(replica, up_to)])))
}

/// Waits until every peer has stored all this, and says when the last one had.
async fn everybody_has(peers: &mut [Peer], up_to: &BTreeMap<ReplicaId, u64>) -> Result<u64> {
    let mut end_us = 0;
    for peer in peers {
        end_us = peer.reached(up_to).await?.max(end_us);
    }
    Ok(end_us)
}

/// A node is away while another writes, and comes back with its old directory.
pub(crate) async fn catch_up(bench: &Bench) -> Result<Vec<Measure>> {
    let missed = if bench.quick { MISSED / 10 } else { MISSED };
    let (mut ready, mut linked, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..bench.pick(3, 1) {
        let ((hub, room), mut peers) = mesh(bench, &format!("away{round}n"), 2).await?;
        let name = format!("away{round}n1");
        let mut away = peers.pop().context("no peers")?;
        let mut stays = peers.pop().context("no peers")?;
        away.stop().await?;
        away.kill().await?;
        stays.unlinked().await?;
        stays.order(Order::Flood { batch: BATCH, ms: None, edits: Some(missed) }).await?;
        let (_, _, up_to) = flooded(&mut stays).await?;
        stays.reached(&up_to).await?;
        bench.settle().await;

        let launched_us = wall_us();
        let mut back = bench.launch(&format!("{name}-again"))?;
        back.start(&hub.url, room, &name, Some(bench.data(&name)), 1).await?;
        let reached_us = back.reached(&up_to).await?;
        let (_, linked_us) = back.linked().await?;
        let since = |from: u64| reached_us.saturating_sub(from) as f64 / 1e6;
        ready.push(since(back.started_us));
        linked.push(since(linked_us));
        whole.push(since(launched_us));
        back.kill().await?;
        stays.kill().await?;
    }
    let worst = |seconds: Vec<f64>| seconds.into_iter().fold(0.0, f64::max);
    let (ready, linked, whole, rounds) = (worst(ready), worst(linked), worst(whole), bench.pick(3, 1));
    let measure = Measure::new("node back, 100,000 operations to catch up on")
        .reach("2 s", ready <= 2.0 && !bench.quick)
        .measured(format!("{ready:.2} s since it runs, {linked:.2} s since it is linked, {whole:.2} s since its process was started"))
        .how(format!("{missed} operations missed, visible and stored; the worst of {rounds}"))
        .figure("since_ready_s", ready)
        .figure("since_linked_s", linked)
        .figure("since_launch_s", whole)
        .figure("operations", missed as f64);
    Ok(vec![measure])
}
