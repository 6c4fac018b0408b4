//! `meshwork bench`: measures real nodes in processes of their own, over loopback.

mod connecting;
mod latency;
mod memory;
mod peer;
mod protocol;
mod raw;
mod report;
mod throughput;
mod usage;
mod worker;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use meshwork::{RoomCode, Seed};
use url::Url;

use super::{
    output::warn,
    process::{self, DataDirectory},
    signals::Stop,
};
use peer::Peer;
use report::Report;
pub(crate) use worker::run as run_worker;

#[derive(Args)]
pub(crate) struct BenchArguments {
    /// Measure shortly, with few samples: a test that everything still works, no figures to quote
    #[arg(long)]
    quick: bool,
    /// Write the figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the table as markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Keep the nodes' data and logs in this new or empty directory; without it, in a temporary one that is removed
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Measure only this; may be given more than once
    #[arg(long, value_enum, value_name = "WHAT")]
    only: Vec<Part>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// How long connections take
    Connect,
    /// How long edits take to another node, beside the bare channel
    Latency,
    /// Operations a second, from one node to another
    Two,
    /// Operations a second, between three nodes
    Three,
    /// How long until a killed peer is noticed
    Kill,
    /// How long a node that was away takes to catch up
    CatchUp,
    /// Memory of a link
    Links,
    /// Memory of a hub's clients
    Hub,
}

/// What all measures share.
struct Bench {
    directory: PathBuf,
    quick: bool,
}

/// A hub of its own for a measure.
struct Hub {
    url: Url,
    process: process::Hub,
}

/// A hub, and a room on it.
type Room = (Hub, RoomCode);

impl Bench {
    /// How many samples to take.
    fn pick(&self, whole: usize, quick: usize) -> usize {
        if self.quick { quick } else { whole }
    }

    fn flood_ms(&self) -> u64 {
        if self.quick { 1_000 } else { 10_000 }
    }

    fn launch(&self, name: &str) -> Result<Peer> {
        Peer::launch(name, &self.directory)
    }

    fn data(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    async fn room(&self) -> Result<Room> {
        let process = process::Hub::start(&self.directory).await?;
        let url = Url::parse(&process.url).context("the hub tells no address")?;
        let mut entropy = [0; 32];
        getrandom::fill(&mut entropy).context("the operating system gives no randomness")?;
        Ok((Hub { url, process }, RoomCode::generate(&mut Seed::new(entropy).random())))
    }

    /// Lets a mesh come to rest: versions compared, links idle.
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(if self.quick { 500 } else { 3_000 })).await;
    }

    async fn measure(&self, part: Part) -> Result<Vec<report::Measure>> {
        match part {
            Part::Connect => connecting::connect(self).await,
            Part::Latency => latency::latency(self).await,
            Part::Two => throughput::two(self).await,
            Part::Three => throughput::three(self).await,
            Part::Kill => connecting::kill(self).await,
            Part::CatchUp => throughput::catch_up(self).await,
            Part::Links => memory::links(self).await,
            Part::Hub => memory::hub(self).await,
        }
    }
}

pub(crate) async fn run(arguments: BenchArguments) -> Result<ExitCode> {
    let mut stop = Stop::listen()?;
    let directory = match &arguments.data {
        Some(directory) => DataDirectory::keep(directory)?,
        None => DataDirectory::temporary("bench")?,
    };
    if cfg!(debug_assertions) {
        warn("this is a debug build; its figures say little");
    }
    let all = Part::value_variants().iter().copied();
    let parts: Vec<Part> =
        all.filter(|part| arguments.only.is_empty() || arguments.only.contains(part)).collect();
    let bench = Bench { directory: directory.path().to_owned(), quick: arguments.quick };
    let bar = ProgressBar::new(parts.len() as u64);
    bar.set_style(
        ProgressStyle::with_template("{elapsed_precise} [{bar:40}] {pos}/{len} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> "),
    );
    let measure_all = async {
        let mut measures = Vec::new();
        for part in parts {
            let name = part.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
            bar.set_message(name.clone());
            measures.extend(bench.measure(part).await.with_context(|| format!("measuring `{name}`"))?);
            bar.inc(1);
        }
        Ok(measures)
    };
    let measures = tokio::select! {
        measures = measure_all => measures,
        () = stop.told() => Err(anyhow!("stopped before the end")),
    };
    bar.finish_and_clear();
    let measures = measures?;
    let report = Report { quick: arguments.quick, measures };
    report.print()?;
    if let Some(path) = &arguments.json {
        write(path, &format!("{:#}\n", report.to_json()))?;
    }
    if let Some(path) = &arguments.markdown {
        write(path, &report.to_markdown())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
