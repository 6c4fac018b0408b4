//! `swarm`: many runs.

use std::{
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use comfy_table::{Table, presets::UTF8_BORDERS_ONLY};
use indicatif::{ProgressBar, ProgressStyle};
use meshwork_sim::{Outcome, Plan, Scenario, Trace, Violation, World};

use super::setting::{arguments, replay, scenario};

/// Arguments of `swarm`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The scenario: a name or a TOML file
    #[arg(long, default_value = "chaos", value_name = "NAME|FILE")]
    scenario: String,
    /// How many nodes, if not as many as the scenario says
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=200))]
    nodes: Option<u16>,
    /// From one seed up to, not including, another
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    seeds: (u64, u64),
    /// How many runs at a time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Go on after a failure, and list all of them
    #[arg(long)]
    keep_going: bool,
}

fn seeds(text: &str) -> Result<(u64, u64)> {
    let (from, to) = text.split_once("..").context("a range is A..B, such as 0..100")?;
    let (from, to) = (from.parse().context("A of A..B")?, to.parse().context("B of A..B")?);
    if from >= to {
        bail!("{text} names no seed");
    }
    Ok((from, to))
}

/// What all runs together did.
#[derive(Default)]
struct Total {
    runs: u64,
    edits: u64,
    faults: u64,
    events: u64,
    elapsed: Duration,
    settling: Vec<Duration>,
    failures: Vec<(u64, Violation)>,
}

impl Total {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.runs += 1;
        self.edits += outcome.edits;
        self.faults += outcome.faults;
        self.events += outcome.events;
        self.elapsed += outcome.elapsed;
        self.settling.push(outcome.settling);
        self.failures.extend(outcome.violation.map(|violation| (seed, violation)));
    }

    fn table(&mut self, took: Duration) -> Table {
        self.settling.sort_unstable();
        let settling = |share: usize| match self.settling.get(self.settling.len() * share / 1_000) {
            Some(time) => format!("{:.1} s", time.as_secs_f64()),
            None => "–".into(),
        };
        let longest = self.settling.last().copied().unwrap_or_default();
        let ratio = self.elapsed.as_secs_f64() / took.as_secs_f64();
        let mut table = Table::new();
        table.load_style(UTF8_BORDERS_ONLY);
        table.add_row(["runs", &self.runs.to_string()]);
        table.add_row(["failed", &self.failures.len().to_string()]);
        table.add_row(["edits", &self.edits.to_string()]);
        table.add_row(["faults", &self.faults.to_string()]);
        table.add_row(["events", &self.events.to_string()]);
        table.add_row(["virtual time", &format!("{:.1} h", self.elapsed.as_secs_f64() / 3600.0)]);
        table.add_row(["real time", &format!("{:.1} s, {ratio:.0} times as fast", took.as_secs_f64())]);
        table.add_row(["settled after the faults, median", &settling(500)]);
        table.add_row(["settled after the faults, 99 of 100", &settling(990)]);
        table.add_row(["settled after the faults, longest", &format!("{:.1} s", longest.as_secs_f64())]);
        table
    }
}

/// Runs them.
pub(crate) fn run(asked: &Arguments) -> Result<ExitCode> {
    let scenario = scenario(&asked.scenario, asked.nodes)?;
    let begun = Instant::now();
    let mut total = all(&scenario, asked);
    println!("{}", total.table(begun.elapsed()));
    total.failures.sort_by_key(|(seed, _)| *seed);
    for (seed, violation) in &total.failures {
        println!("seed {seed}: {violation}");
        println!("  {}", replay(&arguments(&asked.scenario, asked.nodes, *seed)));
    }
    Ok(if total.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every seed in turn, until one fails; those before it are finished, so that the first failing one is found.
fn all(scenario: &Scenario, asked: &Arguments) -> Total {
    let (from, to) = asked.seeds;
    let style =
        ProgressStyle::with_template("{elapsed_precise} [{bar:40}] {pos}/{len} seeds, {eta} to go {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(to - from).with_style(style);
    let (next, stop, total) = (AtomicU64::new(from), AtomicU64::new(to), Mutex::new(Total::default()));
    std::thread::scope(|scope| {
        for _ in 0..asked.jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let outcome = World::new(Plan::draw(scenario, seed), Trace::default()).run();
                    bar.inc(1);
                    if outcome.violation.is_some() && !asked.keep_going {
                        stop.fetch_min(seed, Ordering::SeqCst);
                    }
                    let mut total = total.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    total.add(seed, outcome);
                    if !total.failures.is_empty() {
                        bar.set_message(format!("{} failed", total.failures.len()));
                    }
                }
            });
        }
    });
    bar.finish_and_clear();
    total.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}
