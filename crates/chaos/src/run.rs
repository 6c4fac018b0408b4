//! The run: starts everything, lets things go wrong, lifts all faults, and compares.

mod inject;
mod settle;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use meshwork_base::{Random, Seed};
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
    sync::{Mutex, watch},
    task::JoinSet,
    time::Instant,
};

use crate::{
    api,
    arguments::Arguments,
    directory::{Directory, SmallDisk},
    host::{self, Host},
    member::{Member, Start},
    plan::{HUB, Plan},
    record::Record,
    report::Report,
    router::{Router, SharedWeather},
    watch as watching,
    weather::Weather,
    workload,
};

const ROOM: &str = "CHAOS1";
const HUB_PORT: u16 = 7070;
/// Room on the small disk: for the start, and for each second of the run.
const DISK_BYTES: u64 = 64 << 20;
const DISK_BYTES_PER_SECOND: u64 = 128 << 10;
/// Nodes that are told to be impatient meet again within seconds, so that a run holds many partings.
const IMPATIENT: [(&str, &str); 2] =
    [("MESHWORK_DISCOVERY__BACKOFF_MAX_MS", "2000"), ("MESHWORK_TRANSPORT__RETRY_MAX_MS", "2000")];
const INTERRUPTED: u8 = 130;

/// What the lanes of faults share.
struct Run {
    members: Vec<Arc<Member>>,
    weather: SharedWeather,
    record: Arc<Record>,
    /// The small disk, which belongs to the last node.
    disk: PathBuf,
    numbers: Vec<workload::Counter>,
    random: Mutex<Random>,
    bar: ProgressBar,
    /// Leads to the space, hub or no hub; see [`Run::invite`].
    link: String,
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let directory = Directory::new(arguments.data.as_deref())?;
    let disk =
        SmallDisk::mount(directory.path(), DISK_BYTES + DISK_BYTES_PER_SECOND * arguments.span().as_secs())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            report = mesh(&arguments, directory.path(), disk.path()) => report.map(Some),
            _ = interrupt.recv() => Ok(None),
            _ = terminate.recv() => Ok(None),
        }
    });
    let (outcome, keep) = match outcome {
        Ok(Some(report)) => (report.print(arguments.json).map(|()| report.code()), !report.passed()),
        Ok(None) => {
            eprintln!("interrupted");
            (Ok(ExitCode::from(INTERRUPTED)), false)
        }
        Err(error) => (Err(error), true),
    };
    if keep {
        disk.copy_to(directory.path())?;
    }
    disk.unmount()?;
    if keep {
        eprintln!("data and logs are kept in {}", directory.keep().display());
    }
    outcome
}

async fn mesh(arguments: &Arguments, directory: &Path, disk: &Path) -> Result<Report> {
    let number = arguments.seed()?;
    let seed = Seed::from_number(number);
    let plan = Plan::new(&seed, arguments.nodes(), arguments.span());
    eprintln!("seed {number}: {} faults are planned", plan.episodes());
    let begun = Instant::now();
    let bar = progress(plan.episodes(), !arguments.json);
    let run = Arc::new(Run::launch(arguments, directory, disk, &seed, bar).await?);
    let (stop, stopped) = watch::channel(false);
    let mut clients = run.start_clients(&seed, &stopped);
    let mut lanes = JoinSet::new();
    let end = Instant::now() + arguments.span();
    for lane in plan.lanes {
        let run = run.clone();
        lanes.spawn(async move { run.lane(lane, end).await });
    }
    while let Some(lane) = lanes.join_next().await {
        lane.context("a lane of faults has ended")??;
    }
    if arguments.sabotage {
        run.sabotage().await?;
    }
    stop.send_replace(true);
    run.bar.set_message("all faults are lifted");
    let lifted = Instant::now();
    // Each is answered or gives up in time.
    while clients.join_next().await.is_some() {}
    let settled = run.settle(lifted).await;
    let (verdict, operations) = run.judge().await;
    let nodes = run.rows(&operations, arguments.memory_mib).await;
    run.end().await;
    run.bar.finish_and_clear();
    let packets = run.weather.lock().packets;
    let notes = run.record.lock();
    let complaints = notes.complaints.iter().chain(&verdict.complaints).cloned().collect();
    Ok(Report {
        seed: number,
        seconds: begun.elapsed().as_secs_f64(),
        settled,
        faults: notes.faults.clone(),
        members: nodes,
        packets,
        promises: verdict,
        complaints,
    })
}

fn progress(faults: usize, visible: bool) -> ProgressBar {
    let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(faults as u64), target);
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

impl Run {
    /// Starts the hub, the first node, which names the space, and then the others.
    async fn launch(
        arguments: &Arguments,
        directory: &Path,
        disk: &Path,
        seed: &Seed,
        bar: ProgressBar,
    ) -> Result<Self> {
        let program = arguments.program()?;
        let router = Router::start()?;
        let weather = SharedWeather::new(Weather::new(seed.fork("weather").random()));
        let (mut members, mut tuns) = (Vec::new(), Vec::new());
        for number in 0..=arguments.nodes() {
            let (host, tun) = Host::start(number, router.handle())?;
            tuns.push(tun);
            let on_small_disk = number == arguments.nodes();
            let data = if on_small_disk { disk } else { directory }.join(format!("node-{number}"));
            let log = directory.join(format!("host-{number}.log"));
            let start = start(&program, number, &data);
            members.push(Arc::new(Member::new(number, host, log, data, start)?));
        }
        router.connect(tuns, weather.clone());
        let record = Arc::new(Record::default());
        tokio::spawn(watching::processes(members.clone(), record.clone()));
        let mut link = String::new();
        for member in &members {
            member.start().await?;
            if member.number == HUB {
                continue;
            }
            member.host.spawn(watching::events(member.clone(), record.clone()));
            if link.is_empty() {
                member
                    .wait_until("meets the hub", |status| status.hubs.values().all(|joined| *joined))
                    .await?;
                link = invite(&program, &member.data).await?;
            }
        }
        let others = arguments.nodes() - 1;
        for node in members.iter().skip(1) {
            node.wait_until("links with all", |status| status.connected_peers.len() == others).await?;
        }
        let numbers = members.iter().map(|_| Arc::new(AtomicU64::new(0))).collect();
        let random = Mutex::new(seed.fork("run").random());
        Ok(Self { members, weather, record, disk: disk.to_owned(), numbers, random, bar, link })
    }

    fn nodes(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.members.iter().filter(|member| member.number != HUB)
    }

    fn member(&self, number: usize) -> Result<&Arc<Member>> {
        self.members.get(number).with_context(|| format!("there is no host {number}"))
    }

    fn counter(&self, number: usize) -> Result<&workload::Counter> {
        self.numbers.get(number).with_context(|| format!("there is no host {number}"))
    }

    fn start_clients(&self, seed: &Seed, stop: &watch::Receiver<bool>) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        for (node, numbers) in self.nodes().zip(self.numbers.iter().skip(1)) {
            for client in 0..workload::CLIENTS {
                let random = seed.fork(&format!("client {client} of {}", node.number)).random();
                let (node, record) = (node.clone(), self.record.clone());
                let host = node.host.clone();
                let client = workload::client(node, record, numbers.clone(), random, stop.clone());
                let client = host.spawn(client);
                clients.spawn(async move { drop(client.await) });
            }
        }
        clients
    }
}

fn start(program: &Path, number: usize, data: &Path) -> Start {
    let arguments = if number == HUB {
        ["hub", "--listen", &format!("{}:{HUB_PORT}", host::address(HUB))].map(OsString::from).into()
    } else {
        node_arguments(number, data, &["--hub", &hub_url(), "--room", ROOM])
    };
    Start { program: program.to_owned(), arguments, environment: IMPATIENT.into() }
}

fn node_arguments(number: usize, data: &Path, way: &[&str]) -> Vec<OsString> {
    let name = format!("node-{number}");
    let mut arguments: Vec<OsString> =
        ["node", "--name", &name, "--api", api::ADDRESS].map(OsString::from).into();
    arguments.extend(way.iter().map(OsString::from));
    arguments.extend(["--data".into(), data.into()]);
    arguments
}

fn hub_url() -> String {
    format!("http://{}:{HUB_PORT}", host::address(HUB))
}

/// An invitation to the space of the node with this data directory.
async fn invite(program: &Path, data: &Path) -> Result<String> {
    let mut command = Command::new(program);
    command.args(["invite", "--plain", "--hub", &hub_url(), "--room", ROOM, "--data"]).arg(data);
    let output = command.output().await.context("cannot make an invitation")?;
    if !output.status.success() {
        bail!("`meshwork invite` fails: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout).context("the invitation is not text")?.trim().to_owned())
}
