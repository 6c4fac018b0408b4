//! Each fault: how it begins and how it ends.

use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use super::{Run, node_arguments};
use crate::{
    ballast::Ballast,
    ledger::Wait,
    member::Member,
    plan::{Episode, Fault, HUB},
    weather::{Condition, Spell},
    workload,
};

/// How long a node may take to notice that its disk is full.
const STALL_WITHIN: Duration = Duration::from_secs(30);
/// Edits that the sabotage destroys.
const DESTROYED: usize = 5;

impl Run {
    /// One fault after the other, for as long as the run should last: some faults take longer than planned.
    pub(super) async fn lane(&self, lane: Vec<Episode>, end: Instant) -> Result<()> {
        for Episode { required, pause, lasts, fault } in lane {
            if !required && Instant::now() > end {
                break;
            }
            sleep(pause).await;
            let kind = fault.kind();
            self.bar.set_message(kind.to_string());
            let begun = Instant::now();
            self.inject(fault, lasts).await.with_context(|| format!("while injecting `{kind}`"))?;
            self.record.injected(kind, begun.elapsed());
            self.bar.inc(1);
        }
        Ok(())
    }

    async fn inject(&self, fault: Fault, lasts: Duration) -> Result<()> {
        match fault {
            Fault::Network { spells, .. } => {
                let number = self.weather.lock().begin(spells);
                sleep(lasts).await;
                self.weather.lock().end(number);
                Ok(())
            }
            Fault::KillNode { node } => {
                let node = self.member(node)?;
                node.kill().await?;
                sleep(lasts).await;
                node.start().await?;
                self.until_it_answers(node).await
            }
            Fault::KillHub => {
                let hub = self.member(HUB)?;
                hub.kill().await?;
                sleep(lasts).await;
                hub.start().await
            }
            Fault::Pause { host } => {
                let member = self.member(host)?;
                member.signal(Signal::SIGSTOP).await?;
                sleep(lasts).await;
                member.signal(Signal::SIGCONT).await
            }
            Fault::FillDisk { node } => {
                let node = self.member(node)?;
                let ballast = self.fill_disk(node).await?;
                sleep(lasts).await;
                self.free_disk(node, ballast).await
            }
            Fault::KillOnFullDisk { node } => {
                let node = self.member(node)?;
                let ballast = self.fill_disk(node).await?;
                node.kill().await?;
                node.start().await?;
                self.until_it_answers(node).await?;
                sleep(lasts).await;
                self.free_disk(node, ballast).await
            }
            Fault::LoseDisk { node } => {
                let node = self.member(node)?;
                let life = node.life();
                self.lose_disk(node, lasts).await?;
                self.record.lock().ledger.disk_lost(node.number, life);
                self.until_it_answers(node).await
            }
        }
    }

    async fn until_it_answers(&self, node: &Member) -> Result<()> {
        let answers = node.wait_until("answers after its start", |_| true).await;
        answers.unwrap_or_else(|error| self.record.complain(format!("{error:#}")));
        Ok(())
    }

    /// Until the node says so. The ballast takes what room is left on the disk, and bulky edits what room is left in the
    /// node's file.
    async fn fill_disk(&self, node: &Member) -> Result<Ballast> {
        let mut ballast = Ballast::new(&self.disk)?;
        let begun = Instant::now();
        let mut random = self.random.lock().await;
        loop {
            ballast.fill()?;
            if node.status().await.is_ok_and(|status| status.storage_stalled.is_some()) {
                return Ok(ballast);
            }
            if begun.elapsed() > STALL_WITHIN {
                let name = &node.name;
                self.record.complain(format!("{name} does not report that its disk is full"));
                return Ok(ballast);
            }
            let (api, edit) = (node.api.clone(), workload::bulky(node.number, &mut random));
            // It may be refused or unanswered: what counts is that the node says so.
            let _ = node.host.run(async move { api.edit(&edit, Wait::Visible).await }).await;
        }
    }

    async fn free_disk(&self, node: &Member, ballast: Ballast) -> Result<()> {
        drop(ballast);
        let recovers = node.wait_until("recovers", |status| status.storage_stalled.is_none()).await;
        recovers.unwrap_or_else(|error| self.record.complain(format!("{error:#}")));
        Ok(())
    }

    /// The node comes back as a newcomer with an invitation.
    async fn lose_disk(&self, node: &Member, lasts: Duration) -> Result<()> {
        node.kill().await?;
        std::fs::remove_dir_all(&node.data)
            .with_context(|| format!("cannot remove {}", node.data.display()))?;
        let arguments = node_arguments(node.number, &node.data, &["--join", &self.link]);
        node.set_arguments(arguments).await;
        sleep(lasts).await;
        node.start().await
    }

    /// Destroys what only the first node has, after it said that this is stored.
    pub(super) async fn sabotage(&self) -> Result<()> {
        let node = self.member(1)?;
        let ways = self.members.iter().filter(|other| other.number != node.number).flat_map(|other| {
            let there = Spell { from: node.number, to: other.number, condition: Condition::Cut };
            [there, Spell { from: there.to, to: there.from, ..there }]
        });
        let cut = self.weather.lock().begin(ways.collect());
        let (member, record) = (node.clone(), self.record.clone());
        let numbers = self.counter(node.number)?.clone();
        let mut random = self.random.lock().await.clone();
        let edits = node.host.spawn(async move {
            for _ in 0..DESTROYED {
                workload::edit(&member, &record, &numbers, &mut random, Wait::Stored).await;
            }
        });
        edits.await?;
        self.lose_disk(node, Duration::ZERO).await?;
        self.weather.lock().end(cut);
        Ok(())
    }
}
