//! `meshwork demo`: a real mesh of processes, one of which is killed and comes back.

mod import;
mod protocol;
mod summary;
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

use super::{
    output::{say, warn},
    process::{DataDirectory, Hub, Worker},
};
use protocol::{Order, Report, Tell, Work};
use summary::Summary;
pub(crate) use worker::{WorkerArguments, run as run_worker};

/// One life of a node.
type WorkerProcess = Worker<Order, Tell>;

/// How long the mesh may stand still before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL_EVERY: Duration = Duration::from_millis(50);

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
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// One node as the demo sees it, through all its lives.
struct Member {
    name: String,
    data: PathBuf,
    process: WorkerProcess,
    work: Work,
    id: Option<meshwork::NodeId>,
    replicas: Vec<ReplicaId>,
    connect_us: Vec<u64>,
    made: u64,
    of: u64,
    done: bool,
    recovered: u64,
    /// The last report of this life.
    report: Option<Report>,
    /// From earlier lives.
    sent_bytes_before: u64,
    propagation_us: Vec<u64>,
}

struct Demo {
    hub: Hub,
    room: RoomCode,
    members: Vec<Member>,
    /// Up to where anybody said that a replica's operations are confirmed.
    promised: BTreeMap<ReplicaId, u64>,
    bar: ProgressBar,
}

pub(crate) async fn run(arguments: DemoArguments) -> Result<ExitCode> {
    let nodes = usize::try_from(arguments.nodes)?;
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
    let temporary = tempfile_directory(arguments.data.as_deref())?;
    let directory = temporary.path().to_owned();
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy).context("the operating system gives no randomness")?;
    let room = RoomCode::generate(&mut Seed::new(entropy).random());
    let start = Instant::now();
    let works: Vec<Work> = (0..nodes)
        .map(|index| match &input {
            Some((file, _)) => Work::Import { file: file.clone(), index, of: nodes },
            None => Work::Generate {
                edits: arguments.edits / arguments.nodes
                    + u64::from((index as u64) < arguments.edits % arguments.nodes),
                seed: 1,
                rate: arguments.rate,
            },
        })
        .collect();
    let mut demo = Demo::launch(&directory, room, works, !arguments.json).await?;
    let work_start = Instant::now();
    demo.work().await?;
    let outcome = demo.catch_up().await;
    let worked = work_start.elapsed();
    let output = arguments.output.clone().unwrap_or_else(|| directory.join("output.json"));
    let mut faults = Vec::new();
    if let Some((_, value)) = &input {
        demo.export(&output).await?;
        if &import::read(&output)? != value {
            faults.push("the exported document differs from the input".to_owned());
        }
    } else if arguments.output.is_some() {
        demo.export(&output).await?;
    }
    if let Err(error) = outcome {
        faults.push(format!("{error:#}"));
    }
    let summary = Summary::new(&demo.members, &demo.promised, worked, start.elapsed());
    demo.stop().await;
    if arguments.json {
        say(summary.to_json())?;
    } else {
        summary.print()?;
    }
    for fault in &faults {
        warn(fault);
    }
    let good = summary.converged() && summary.lost_confirmed() == 0 && faults.is_empty();
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn start_worker(hub: &str, room: &RoomCode, name: &str, data: &Path) -> Result<WorkerProcess> {
    let (room, data) = (room.to_string(), data.display().to_string());
    let arguments = ["worker", "--hub", hub, "--room", &room, "--name", name, "--data", &data];
    Worker::start(&arguments, name, PathBuf::from(format!("{data}.log")))
}

/// The directory for the nodes' data; removed at the end unless the user chose it.
fn tempfile_directory(chosen: Option<&Path>) -> Result<DataDirectory> {
    match chosen {
        Some(directory) => DataDirectory::keep(directory),
        None => DataDirectory::temporary("demo"),
    }
}

impl Demo {
    /// Starts the hub and the nodes, and waits until every node is linked with every other.
    async fn launch(directory: &Path, room: RoomCode, works: Vec<Work>, visible: bool) -> Result<Self> {
        let bar = ProgressBar::with_draw_target(
            Some(0),
            if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
        );
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
        let mut demo = Self { hub, room, members, promised: BTreeMap::new(), bar };
        demo.wait("every node to run", |demo| demo.members.iter().all(|member| member.id.is_some())).await?;
        demo.bar.set_message("linking");
        demo.wait_linked().await?;
        Ok(demo)
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
        self.wait("reports", |demo| demo.members.iter().all(|member| member.report.is_some())).await?;
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
        self.wait("all edits", |demo| demo.members.iter().all(|member| member.done)).await?;

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
        let start = Instant::now();
        loop {
            self.request_reports().await?;
            self.wait("reports", |demo| demo.members.iter().all(|member| member.report.is_some())).await?;
            let all_links = self.members.len() - 1;
            let mut reports = self.members.iter().filter_map(|member| member.report.as_ref());
            let first = reports.next().context("no node reports")?;
            let total: u64 = first.version.values().sum();
            let equal =
                reports.all(|other| other.version == first.version && other.state_hash == first.state_hash);
            let settled = self.members.iter().filter_map(|member| member.report.as_ref());
            let mut settled = settled.map(|report| report.confirmed >= total && report.links == all_links);
            if equal && settled.all(|settled| settled) {
                self.bar.finish_and_clear();
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                self.bar.finish_and_clear();
                bail!("the nodes did not agree within {} s", PATIENCE.as_secs());
            }
            self.listen(POLL_EVERY).await?;
        }
    }

    async fn wait_linked(&mut self) -> Result<()> {
        let start = Instant::now();
        let all_links = self.members.len() - 1;
        loop {
            self.request_reports().await?;
            self.wait("reports", |demo| demo.members.iter().all(|member| member.report.is_some())).await?;
            let linked =
                |member: &Member| member.report.as_ref().is_some_and(|report| report.links == all_links);
            if self.members.iter().all(linked) {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                bail!(
                    "the nodes did not all link within {} s; their logs are beside their data",
                    PATIENCE.as_secs()
                );
            }
            self.listen(POLL_EVERY).await?;
        }
    }

    async fn request_reports(&mut self) -> Result<()> {
        for member in &mut self.members {
            if let Some(report) = member.report.take() {
                member.propagation_us.extend(report.propagation_us);
            }
            member.process.order(&Order::Report).await?;
        }
        Ok(())
    }

    async fn export(&mut self, path: &Path) -> Result<()> {
        let path = std::path::absolute(path)?;
        let last = self.members.last_mut().context("no nodes")?;
        last.process.order(&Order::Export { path }).await?;
        loop {
            match last.process.tell().await? {
                Tell::Exported => return Ok(()),
                Tell::Failed { reason } => bail!("{reason}"),
                _ => {}
            }
        }
    }

    async fn stop(&mut self) {
        for member in &mut self.members {
            // One that has ended already does not need to be told.
            let _ = member.process.order(&Order::Stop).await;
        }
        for member in &mut self.members {
            member.process.end().await;
        }
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

    /// Listens until `reached`; gives up when nothing happens for too long.
    async fn wait(&mut self, what: &str, reached: impl Fn(&Self) -> bool) -> Result<()> {
        let mut last_news = Instant::now();
        while !reached(self) {
            if self.listen(POLL_EVERY).await? {
                last_news = Instant::now();
            } else if last_news.elapsed() > PATIENCE {
                bail!("waiting for {what}: nothing happened for {} s", PATIENCE.as_secs());
            }
        }
        Ok(())
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
            Tell::Exported => {}
        }
        self.bar.set_length(self.members.iter().map(|member| member.of).sum());
        self.bar.set_position(self.members.iter().map(|member| member.made).sum());
        Ok(())
    }
}

impl Member {
    fn new(name: String, data: PathBuf, process: WorkerProcess, work: Work) -> Self {
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
            recovered: 0,
            report: None,
            sent_bytes_before: 0,
            propagation_us: Vec::new(),
        }
    }

    fn add_replica(&mut self, replica: ReplicaId) {
        if !self.replicas.contains(&replica) {
            self.replicas.push(replica);
        }
    }

    /// SIGKILL, without a word.
    async fn die(&mut self) -> Result<()> {
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
    fn rest_of_work(&self) -> Work {
        match &self.work {
            Work::Generate { edits, seed, rate } => {
                Work::Generate { edits: edits.saturating_sub(self.recovered), seed: seed + 1, rate: *rate }
            }
            import => import.clone(),
        }
    }
}
