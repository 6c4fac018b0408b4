//! How the demo waits for its nodes, and when it gives up.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use meshwork::ReplicaId;

use super::{
    Demo,
    member::Member,
    protocol::{Order, Report, Tell},
};

const POLL_EVERY: Duration = Duration::from_millis(50);

impl Demo {
    pub(crate) async fn request_reports(&mut self) -> Result<()> {
        for member in &mut self.members {
            if let Some(report) = member.report.take() {
                member.propagation_us.extend(report.propagation_us);
            }
            member.process.order(&Order::Report).await?;
        }
        Ok(())
    }

    /// Asks for reports until they are `good`; gives up when there is no progress for too long.
    pub(crate) async fn report_until(&mut self, otherwise: &str, good: impl Fn(&Self) -> bool) -> Result<()> {
        let (mut furthest, mut last_progress) = (0, Instant::now());
        loop {
            self.request_reports().await?;
            self.wait_for_all("to report", |member| member.report.is_some()).await?;
            if good(self) {
                return Ok(());
            }
            let progress = self.members.iter().filter_map(|member| member.report.as_ref());
            let progress = progress.map(Report::progress).sum();
            if progress > furthest {
                (furthest, last_progress) = (progress, Instant::now());
            } else if last_progress.elapsed() > self.patience {
                let stand: Vec<String> = self.members.iter().map(Member::stand).collect();
                bail!(
                    "{otherwise}, and nothing changed for {} s: {}",
                    self.patience.as_secs(),
                    stand.join("; ")
                );
            }
            self.listen(POLL_EVERY).await?;
        }
    }

    /// Listens until `reached`; gives up when nothing happens for too long.
    pub(crate) async fn wait(&mut self, what: &str, reached: impl Fn(&Self) -> bool) -> Result<()> {
        if !self.listen_until(reached).await? {
            bail!("waited for {what}, but nothing happened for {} s", self.patience.as_secs());
        }
        Ok(())
    }

    /// The same for every node; names those that are not as far.
    pub(crate) async fn wait_for_all(&mut self, what: &str, done: impl Fn(&Member) -> bool) -> Result<()> {
        if !self.listen_until(|demo| demo.members.iter().all(&done)).await? {
            let late = self.members.iter().filter(|member| !done(member));
            let late: Vec<&str> = late.map(|member| member.name.as_str()).collect();
            let seconds = self.patience.as_secs();
            bail!("waited for {} {what}, but nothing happened for {seconds} s", late.join(", "));
        }
        Ok(())
    }

    /// Listens until `reached`, or until nothing has happened for too long; returns whether it is reached.
    async fn listen_until(&mut self, reached: impl Fn(&Self) -> bool) -> Result<bool> {
        let mut last_news = Instant::now();
        while !reached(self) {
            if self.listen(POLL_EVERY).await? {
                last_news = Instant::now();
            } else if last_news.elapsed() > self.patience {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes what the nodes tell, waiting at most `patience` for a first word. Returns whether there was any.
    async fn listen(&mut self, patience: Duration) -> Result<bool> {
        let told = {
            let tells = self.members.iter_mut().enumerate().filter(|(_, member)| member.process.is_alive());
            let tells =
                tells.map(|(index, member)| Box::pin(async move { (index, member.process.tell().await) }));
            tokio::select! {
                (first, ..) = futures_util::future::select_all(tells) => Some(first),
                () = tokio::time::sleep(patience) => None,
            }
        };
        let Some((index, tell)) = told else { return Ok(false) };
        self.note(index, tell?)?;
        Ok(true)
    }

    fn note(&mut self, index: usize, tell: Tell) -> Result<()> {
        let member = &mut self.members[index];
        match tell {
            Tell::Ready { node, replica, version } => {
                member.id = Some(node);
                let held = |replica: &ReplicaId| version.get(replica).copied().unwrap_or(0);
                member.recovered = member.replicas.iter().map(held).sum();
                member.add_replica(replica);
            }
            Tell::Replica { replica } => member.add_replica(replica),
            Tell::Link { connect_us } => member.connect_us.push(connect_us),
            Tell::Progress { made, of } => (member.made, member.of) = (made, of),
            Tell::Confirmed { replica, up_to } => {
                let promised = self.promised.entry(replica).or_default();
                *promised = up_to.max(*promised);
            }
            Tell::Done => member.done = true,
            Tell::Report(report) => member.report = Some(report),
            Tell::Failed { reason } => bail!("{}: {reason}", member.name),
            Tell::Exported => member.exported = true,
        }
        self.bar.set_length(self.members.iter().map(|member| member.of).sum());
        self.bar.set_position(self.members.iter().map(|member| member.made).sum());
        Ok(())
    }
}
