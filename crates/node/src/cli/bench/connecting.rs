//! How long connections take, and how long it takes to notice that one is dead.

use anyhow::Result;

use super::{Bench, report::Measure};
use crate::cli::{process::wall_us, statistics::Samples};

/// A session that comes again and again.
pub(crate) async fn connect(bench: &Bench) -> Result<Vec<Measure>> {
    let connections = bench.pick(100, 10);
    let (hub, room) = bench.room().await?;
    let mut stays = bench.launch("stays")?;
    stays.start(&hub.url, room, "a", None, 1).await?;
    let mut comes = bench.launch("comes")?;
    let (mut opened, mut usable) = (Vec::new(), Vec::new());
    for _ in 0..connections {
        comes.start(&hub.url, room, "b", None, 1).await?;
        let (here, there) = (comes.linked().await?, stays.linked().await?);
        // A connection is there when both ends say so.
        opened.push(here.0.max(there.0) as f64 / 1e3);
        usable.push(here.1.max(there.1).saturating_sub(comes.started_us) as f64 / 1e3);
        comes.stop().await?;
        stays.unlinked().await?;
    }
    let (opened, usable) = (Samples::new(opened), Samples::new(usable));
    let (p50, p99) = (opened.quantile(0.5), opened.quantile(0.99));
    let connect = Measure::new("both descriptions applied → channels open, native to native")
        .reach("p50 25 ms, p99 60 ms", p50 <= 25.0 && p99 <= 60.0)
        .measured(format!("p50 {p50:.1} ms, p99 {p99:.1} ms"))
        .how(format!("{connections} connections one after the other, the later of both ends"))
        .figure("p50_ms", p50)
        .figure("p99_ms", p99)
        .figure("max_ms", opened.max());
    let (p50, p99) = (usable.quantile(0.5), usable.quantile(0.99));
    let link = Measure::new("node runs → linked with a peer in the room")
        .measured(format!("p50 {p50:.0} ms, p99 {p99:.0} ms"))
        .how("the same connections, with hub, signalling and handshake")
        .figure("p50_ms", p50)
        .figure("p99_ms", p99);
    Ok(vec![connect, link])
}

/// SIGKILL, again and again.
pub(crate) async fn kill(bench: &Bench) -> Result<Vec<Measure>> {
    let kills = bench.pick(8, 1);
    let (hub, room) = bench.room().await?;
    let mut lives = bench.launch("lives")?;
    lives.start(&hub.url, room, "a", None, 1).await?;
    let mut noticed = Vec::new();
    for number in 0..kills {
        let mut dies = bench.launch(&format!("dies{number}"))?;
        dies.start(&hub.url, room, "b", None, 1).await?;
        lives.linked().await?;
        dies.linked().await?;
        let killed_us = wall_us();
        dies.kill().await?;
        noticed.push(lives.unlinked().await?.saturating_sub(killed_us) as f64 / 1e6);
    }
    let noticed = Samples::new(noticed);
    let worst = noticed.max();
    let measure = Measure::new("killed peer noticed")
        .reach("3 s", worst <= 3.0)
        .measured(format!("{worst:.2} s at worst, {:.2} s at best", noticed.quantile(0.0)))
        .how(format!("{} times SIGKILL", noticed.count()))
        .figure("max_s", worst)
        .figure("min_s", noticed.quantile(0.0));
    Ok(vec![measure])
}
