//! How long an edit takes to the other node, beside the bare connection.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use super::{
    Bench,
    peer::Peer,
    protocol::{Order, RawOrder, Tell},
    raw::PING_BYTES,
    report::Measure,
};
use crate::cli::statistics::Samples;

/// The pause between two edits on an idle mesh, and between two paced frames: longer than the log's flush interval.
const EVERY_US: u64 = 5_000;

/// The bare connection, then the mesh.
pub(crate) async fn latency(bench: &Bench) -> Result<Vec<Measure>> {
    let (mut offers, mut answers) = connection(bench).await?;
    let busy = one_way_ms(&mut offers, &mut answers, bench.pick(5_000, 500), 0).await?;
    let paced = one_way_ms(&mut offers, &mut answers, bench.pick(1_000, 100), EVERY_US).await?;
    let mb_per_s = throughput(&mut offers, &mut answers, bench.pick(512, 64) * 1024 * 1024).await?;
    offers.kill().await?;
    answers.kill().await?;
    let visible = edits_ms(bench, bench.pick(2_000, 200) as u64).await?;

    let (raw, raw_paced) = (busy.quantile(0.5), paced.quantile(0.5));
    let bare = Measure::new("bare channel, one way")
        .measured(format!("p50 {raw:.3} ms, p99 {:.3} ms", busy.quantile(0.99)))
        .how(format!("{} round trips of {PING_BYTES} bytes back to back, halved", busy.count()))
        .figure("p50_ms", raw)
        .figure("p99_ms", busy.quantile(0.99));
    let bare_paced = Measure::new("bare channel, one way, as rarely used as the idle mesh")
        .measured(format!("p50 {raw_paced:.3} ms, p99 {:.3} ms", paced.quantile(0.99)))
        .how(format!("{} round trips, {} ms apart", paced.count(), EVERY_US / 1000))
        .figure("p50_ms", raw_paced)
        .figure("p99_ms", paced.quantile(0.99));
    let (p50, p99) = (visible.quantile(0.5), visible.quantile(0.99));
    let edit = Measure::new("edit on A → visible on B, idle mesh")
        .reach("p50 0.5 ms, p99 5 ms", p50 <= 0.5 && p99 <= 5.0)
        .measured(format!(
            "p50 {p50:.2} ms, p99 {p99:.2} ms; {:.1} times the bare channel, {:.1} times the paced one",
            p50 / raw.max(f64::EPSILON),
            p50 / raw_paced.max(f64::EPSILON)
        ))
        .how(format!("{} edits {} ms apart, wall clocks of one machine", visible.count(), EVERY_US / 1000))
        .figure("p50_ms", p50)
        .figure("p99_ms", p99)
        .figure("max_ms", visible.max())
        .figure("times_bare", p50 / raw.max(f64::EPSILON));
    let speed = Measure::new("bare channel, frames of 64 KiB")
        .measured(format!("{mb_per_s:.0} MB/s"))
        .how("one channel, as much in flight as a link has")
        .figure("mb_per_s", mb_per_s);
    Ok(vec![bare, bare_paced, edit, speed])
}

/// A bare connection between two processes.
async fn connection(bench: &Bench) -> Result<(Peer, Peer)> {
    let (mut offers, mut answers) = (bench.launch("offers")?, bench.launch("answers")?);
    let described = |told| match told {
        Tell::Described { sdp } => Some(sdp),
        _ => None,
    };
    let opened = |told| matches!(told, Tell::Opened).then_some(());
    offers.raw(RawOrder::Offer).await?;
    let offer = offers.expect("an offer", described).await?;
    answers.raw(RawOrder::Answer { offer }).await?;
    let answer = answers.expect("an answer", described).await?;
    offers.raw(RawOrder::Accept { answer }).await?;
    offers.expect("a connection", opened).await?;
    answers.expect("a connection", opened).await?;
    Ok((offers, answers))
}

async fn one_way_ms(pings: &mut Peer, echoes: &mut Peer, count: usize, every_us: u64) -> Result<Samples> {
    echoes.raw(RawOrder::Echo).await?;
    pings.raw(RawOrder::Ping { count, every_us }).await?;
    let trips = pings.expect("round trips", |told| match told {
        Tell::Trips { ns } => Some(ns),
        _ => None,
    });
    Ok(Samples::new(trips.await?.into_iter().map(|ns| ns as f64 / 2e6)))
}

async fn throughput(sends: &mut Peer, receives: &mut Peer, bytes: usize) -> Result<f64> {
    receives.raw(RawOrder::Receive { bytes }).await?;
    sends.raw(RawOrder::Send { bytes }).await?;
    let sending = |told| match told {
        Tell::Sending { at_us } => Some(at_us),
        _ => None,
    };
    let received = |told| match told {
        Tell::Received { at_us } => Some(at_us),
        _ => None,
    };
    let start_us = sends.expect("the first frame", sending).await?;
    let end_us = receives.expect("the last frame", received).await?;
    // Bytes a microsecond are megabytes a second.
    Ok(bytes as f64 / end_us.saturating_sub(start_us).max(1) as f64)
}

/// Edits on one node, one at a time, until they are seen on the other.
async fn edits_ms(bench: &Bench, edits: u64) -> Result<Samples> {
    let (hub, room) = bench.room().await?;
    let (mut writes, mut sees) = (bench.launch("writes")?, bench.launch("sees")?);
    writes.start(&hub.url, room, "a", Some(bench.data("writes")), 1).await?;
    sees.start(&hub.url, room, "b", Some(bench.data("sees")), 1).await?;
    writes.linked().await?;
    sees.linked().await?;
    // Both know that they hold the same: from here on edits are pushed.
    bench.settle().await;
    sees.order(Order::Watch).await?;
    sees.expect("it to watch", |told| matches!(told, Tell::Watching).then_some(())).await?;
    writes.order(Order::Pace { edits, every_us: EVERY_US }).await?;
    let begun = writes.expect("edits", |told| match told {
        Tell::Paced { times } => Some(times),
        _ => None,
    });
    let begun = begun.await?;
    let last = begun.last().map_or(0, |(sequence, _)| *sequence);
    let replica = *writes.replicas.first().context("no replica")?;
    sees.reached(&BTreeMap::from([(replica, last)])).await?;
    bench.settle().await;
    sees.order(Order::Seen).await?;
    let seen = sees.expect("what was seen", |told| match told {
        Tell::Seen { times } => Some(times),
        _ => None,
    });
    let seen: BTreeMap<u64, u64> = seen.await?.into_iter().collect();
    writes.stop().await?;
    sees.stop().await?;
    let ms = |(sequence, begun_us): (u64, u64)| {
        seen.get(&sequence).map(|seen_us| seen_us.saturating_sub(begun_us) as f64 / 1e3)
    };
    Ok(Samples::new(begun.into_iter().filter_map(ms)))
}
