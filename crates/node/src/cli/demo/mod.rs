//! `meshwork demo`: a real mesh of processes, one of which is killed and comes back.

mod import;
mod member;
mod protocol;
mod summary;
mod wait;
mod worker;
mod workload;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use meshwork::{ReplicaId, Seed};
use meshwork_identity::RoomCode;
use serde_json::Value;

use super::{
    output::{say, warn},
    process::{DataDirectory, Hub, Worker},
    signals::Stop,
};
use member::{Member, WorkerProcess};
use protocol::{Order, Report, Work};
use summary::Summary;
pub(crate) use worker::{WorkerArguments, run as run_worker};

#[derive(Args)]
pub(crate) struct DemoArguments {
    /// How many nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(2..=32))]
    nodes: u64,
    /// How many edits in all
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    edits: u64,
    /// Edits a second and node; 0 is as fast as it goes
    #[arg(long, default_value_t = 1_000)]
    rate: u64,
    /// Keep the nodes' data in this new or empty directory; without it, in a temporary one that is removed
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Replicate this JSON object instead of a generated workload
    #[arg(long, value_name = "FILE", conflicts_with_all = ["edits", "rate"])]
    input: Option<PathBuf>,
    /// Write the document that the last node holds at the end
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How long the mesh may stand still, in seconds, before the demo gives up
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    patience_s: u64,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

struct Demo {
    hub: Hub,
    room: RoomCode,
    members: Vec<Member>,
    /// Up to where anybody said that a replica's operations are confirmed.
    promised: BTreeMap<ReplicaId, u64>,
    bar: ProgressBar,
    patience: Duration,
}

/// What became of a demo that ran to its end.
struct Outcome {
    summary: Summary,
    faults: Vec<String>,
}

pub(crate) async fn run(arguments: DemoArguments) -> Result<ExitCode> {
    let input = match &arguments.input {
        Some(file) => {
            let value = import::read(file)?;
            import::check(&value)?;
            Some((std::fs::canonicalize(file)?, value))
        }
        None => None,
    };
    if let Some(output) = &arguments.output
        && !std::path::absolute(output)?.parent().is_some_and(std::path::Path::is_dir)
    {
        bail!("cannot write {}: there is no such folder", output.display());
    }
    let directory = match &arguments.data {
        Some(directory) => DataDirectory::keep(directory)?,
        None => DataDirectory::temporary("demo")?,
    };
    let mut stop = Stop::listen()?;
    let start = Instant::now();
    let mut demo = Demo::launch(directory.path(), works(&arguments, &input), &arguments).await?;
    let export = Export {
        file: arguments.output.clone().unwrap_or_else(|| directory.path().join("output.json")),
        wanted: arguments.output.is_some() || input.is_some(),
        expected: input.map(|(_, value)| value),
    };
    let played = tokio::select! {
        biased;
        () = stop.told() => {
            demo.kill().await;
            bail!("stopped before the end");
        }
        played = demo.play(&export, start) => played,
    };
    demo.bar.finish_and_clear();
    let good = match played {
        Ok(Outcome { summary, faults }) => {
            if arguments.json {
                say(summary.to_json())?;
            } else {
                summary.print()?;
            }
            for fault in &faults {
                warn(fault);
            }
            summary.converged() && summary.lost_confirmed() == 0 && faults.is_empty()
        }
        Err(error) => {
            warn(format_args!("{error:#}"));
            false
        }
    };
    if good {
        tokio::select! {
            () = demo.stop() => {}
            () = stop.told() => demo.kill().await,
        }
        return Ok(ExitCode::SUCCESS);
    }
    demo.kill().await;
    warn(format_args!("the nodes' data and logs are left in {}", directory.leave().display()));
    Ok(ExitCode::FAILURE)
}

/// The document at the end, and what it has to be.
struct Export {
    file: PathBuf,
    wanted: bool,
    expected: Option<Value>,
}

/// Each node's share of the work.
fn works(arguments: &DemoArguments, input: &Option<(PathBuf, Value)>) -> Vec<Work> {
    let share = |number: u64| {
        arguments.edits / arguments.nodes + u64::from(number < arguments.edits % arguments.nodes)
    };
    let work = |number: u64| match input {
        Some((file, _)) => {
            Work::Import { file: file.clone(), index: number as usize, of: arguments.nodes as usize }
        }
        None => Work::Generate { edits: share(number), seed: 1, rate: arguments.rate },
    };
    (0..arguments.nodes).map(work).collect()
}

fn start_worker(hub: &str, room: &RoomCode, name: &str, data: &Path) -> Result<WorkerProcess> {
    let (room, data) = (room.to_string(), data.display().to_string());
    let arguments = ["worker", "--hub", hub, "--room", &room, "--name", name, "--data", &data];
    Worker::start(&arguments, name, PathBuf::from(format!("{data}.log")))
}

impl Demo {
    /// Starts the hub and the nodes.
    async fn launch(directory: &Path, works: Vec<Work>, arguments: &DemoArguments) -> Result<Self> {
        let mut entropy = [0; 32];
        getrandom::fill(&mut entropy).context("the operating system gives no randomness")?;
        let room = RoomCode::generate(&mut Seed::new(entropy).random());
        let target = if arguments.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        bar.set_style(
            ProgressStyle::with_template("{elapsed_precise} [{bar:40}] {pos}/{len} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("=> "),
        );
        bar.set_message("starting");
        let hub = Hub::start(directory).await?;
        let mut members = Vec::new();
        for (number, work) in (1..).zip(works) {
            let name = format!("node-{number}");
            let data = directory.join(&name);
            let process = start_worker(&hub.url, &room, &name, &data)?;
            members.push(Member::new(name, data, process, work));
        }
        let patience = Duration::from_secs(arguments.patience_s);
        Ok(Self { hub, room, members, promised: BTreeMap::new(), bar, patience })
    }

    /// The whole story.
    async fn play(&mut self, export: &Export, start: Instant) -> Result<Outcome> {
        self.wait_for_all("to run", |member| member.id.is_some()).await?;
        self.bar.set_message("linking");
        self.wait_linked().await?;
        let work_start = Instant::now();
        self.work().await?;
        let mut faults = Vec::new();
        match self.catch_up().await {
            Err(error) => faults.push(format!("{error:#}")),
            Ok(()) if export.wanted => {
                self.export(&export.file).await?;
                if let Some(expected) = &export.expected
                    && import::read(&export.file)? != *expected
                {
                    faults.push("the exported document differs from the input".to_owned());
                }
            }
            Ok(()) => {}
        }
        let summary = Summary::new(&self.members, &self.promised, work_start.elapsed(), start.elapsed());
        Ok(Outcome { summary, faults })
    }

    /// Everybody edits; half-way one node is killed, and comes back while the others go on.
    async fn work(&mut self) -> Result<()> {
        let victim = (self.members.len() - 1) / 2;
        for member in &mut self.members {
            member.process.order(&Order::Work(member.work.clone())).await?;
        }
        self.bar.set_message("everybody edits");
        self.wait("half of the edits", |demo| demo.others_progress(usize::MAX) >= 0.5).await?;

        self.request_reports().await?;
        self.wait_for_all("to report", |member| member.report.is_some()).await?;
        self.bar.set_message(format!("{} is killed", self.members[victim].name));
        self.members[victim].die().await?;
        self.wait("the others to go on", |demo| demo.others_progress(victim) >= 0.75).await?;

        let member = &mut self.members[victim];
        self.bar.set_message(format!("{} comes back", member.name));
        member.process = start_worker(&self.hub.url, &self.room, &member.name, &member.data)?;
        self.wait("the killed node to run again", |demo| demo.members[victim].id.is_some()).await?;
        let member = &mut self.members[victim];
        let rest = member.rest_of_work();
        member.process.order(&Order::Work(rest)).await?;
        self.wait_for_all("to finish its edits", |member| member.done).await?;

        // However short the work was, everybody hears from everybody at least once in this life.
        self.wait_linked().await?;
        for member in &mut self.members {
            member.process.order(&Order::TellTime).await?;
        }
        Ok(())
    }

    /// Waits until everybody holds the same.
    async fn catch_up(&mut self) -> Result<()> {
        self.bar.set_message("catching up");
        self.report_until("the nodes do not agree", |demo| {
            let all_links = demo.members.len() - 1;
            let mut reports = demo.members.iter().filter_map(|member| member.report.as_ref());
            let Some(first) = reports.next() else { return false };
            let total: u64 = first.version.values().sum();
            let settled = |report: &Report| {
                report.unstored == 0 && report.confirmed >= total && report.links == all_links
            };
            let equal =
                |other: &Report| other.version == first.version && other.state_hash == first.state_hash;
            settled(first) && reports.all(|other| equal(other) && settled(other))
        })
        .await
    }

    async fn wait_linked(&mut self) -> Result<()> {
        self.report_until("the nodes are not all linked", |demo| {
            let all_links = demo.members.len() - 1;
            let links = |member: &Member| member.report.as_ref().map(|report| report.links);
            demo.members.iter().all(|member| links(member) == Some(all_links))
        })
        .await
    }

    async fn export(&mut self, path: &Path) -> Result<()> {
        let path = std::path::absolute(path)?;
        let last = self.members.last_mut().context("no nodes")?;
        last.exported = false;
        last.process.order(&Order::Export { path }).await?;
        let exported = |demo: &Self| demo.members.last().is_some_and(|last| last.exported);
        self.wait("the last node to write the document", exported).await
    }

    /// Ends everything at once.
    async fn kill(&mut self) {
        for member in &mut self.members {
            // One that has ended already is what is wanted.
            let _ = member.process.kill().await;
        }
        self.hub.kill().await;
    }

    /// Lets the nodes store what is open, and end.
    async fn stop(&mut self) {
        for member in &mut self.members {
            // One that has ended already does not need to be told.
            let _ = member.process.order(&Order::Stop).await;
        }
        for member in &mut self.members {
            member.process.end().await;
        }
        self.hub.kill().await;
    }

    /// How much of the work is done, by all but `except`.
    fn others_progress(&self, except: usize) -> f64 {
        let others = || self.members.iter().enumerate().filter(|(index, _)| *index != except);
        let (made, of) = others().fold((0, 0), |(made, of), (_, member)| {
            // Not everybody has a share in a small input.
            let share = member.of.max(1);
            (made + if member.done { share } else { member.made }, of + share)
        });
        made as f64 / of as f64
    }
}
