//! Runs the simulator.

#![allow(clippy::print_stdout, reason = "a program prints")]

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressIterator as _, ProgressStyle};
use meshwork_sim::{Scenario, Trace, World};

/// Simulates a mesh under faults drawn from a seed.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// One run; prints its trace hash
    Run(RunArguments),
    /// Many runs; stops at the first that breaks an invariant
    Swarm(SwarmArguments),
}

#[derive(Args)]
struct Setting {
    /// The scenario: calm, lossy, partitions or chaos
    #[arg(long, default_value = "chaos")]
    scenario: String,
    /// How many nodes, if not as many as the scenario says
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=200))]
    nodes: Option<u16>,
}

#[derive(Args)]
struct RunArguments {
    #[command(flatten)]
    setting: Setting,
    /// Everything that happens is drawn from it
    #[arg(long)]
    seed: u64,
    /// Print every event
    #[arg(long)]
    trace: bool,
}

#[derive(Args)]
struct SwarmArguments {
    #[command(flatten)]
    setting: Setting,
    /// From one seed up to, not including, another
    #[arg(long, value_name = "A..B")]
    seeds: String,
}

impl Setting {
    fn scenario(&self) -> Result<Scenario> {
        let mut scenario = Scenario::named(&self.scenario).with_context(|| {
            format!("there is no scenario `{}`; there are {}", self.scenario, Scenario::NAMES.join(", "))
        })?;
        if let Some(nodes) = self.nodes {
            scenario.nodes = nodes.into();
        }
        Ok(scenario)
    }

    /// The command that repeats a run.
    fn replay(&self, seed: u64) -> String {
        let nodes = self.nodes.map(|nodes| format!(" --nodes {nodes}")).unwrap_or_default();
        format!(
            "cargo run --release -p meshwork-sim -- run --scenario {}{nodes} --seed {seed}",
            self.scenario
        )
    }
}

fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::Run(arguments) => run(&arguments),
        Command::Swarm(arguments) => swarm(&arguments),
    }
}

fn run(RunArguments { setting, seed, trace }: &RunArguments) -> Result<ExitCode> {
    let outcome = World::new(setting.scenario()?, *seed, Trace::new(*trace)).run();
    println!(
        "seed {seed}: {} edits, {} events, {:?} of virtual time",
        outcome.edits, outcome.events, outcome.elapsed
    );
    println!("trace {}", outcome.trace);
    Ok(match outcome.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            println!("{violation}");
            println!("replay: {}", setting.replay(*seed));
            ExitCode::FAILURE
        }
    })
}

fn swarm(SwarmArguments { setting, seeds }: &SwarmArguments) -> Result<ExitCode> {
    let scenario = setting.scenario()?;
    let (from, to) = seeds.split_once("..").context("--seeds takes A..B, such as 0..100")?;
    let (from, to): (u64, u64) = (from.parse().context("--seeds")?, to.parse().context("--seeds")?);
    if from >= to {
        bail!("--seeds {seeds} names no seed");
    }
    let style = ProgressStyle::with_template("{elapsed_precise} [{bar:40}] {pos}/{len} seeds, {eta} to go")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(to - from).with_style(style);
    let (mut edits, mut events) = (0, 0);
    for seed in (from..to).progress_with(bar) {
        let outcome = World::new(scenario.clone(), seed, Trace::new(false)).run();
        (edits, events) = (edits + outcome.edits, events + outcome.events);
        if let Some(violation) = outcome.violation {
            println!("seed {seed}: {violation}");
            println!("replay: {}", setting.replay(seed));
            return Ok(ExitCode::FAILURE);
        }
    }
    println!("{} seeds clean: {edits} edits, {events} events", to - from);
    Ok(ExitCode::SUCCESS)
}
