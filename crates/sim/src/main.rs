//! Runs the simulator.

#![allow(clippy::print_stdout, reason = "a program prints")]

mod cli;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

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
    Run(cli::run::Arguments),
    /// Many runs; a table, and the first that breaks an invariant
    Swarm(cli::swarm::Arguments),
    /// What happened in a run, in words
    Replay(cli::replay::Arguments),
    /// Makes a failing run smaller, and writes down what is left of it
    Minimise(cli::minimise::Arguments),
    /// Draws a run: its messages in space and time, and how far nodes lag behind
    Plot(cli::plot::Arguments),
}

fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::Run(arguments) => cli::run::run(&arguments),
        Command::Swarm(arguments) => cli::swarm::run(&arguments),
        Command::Replay(arguments) => cli::replay::run(&arguments),
        Command::Minimise(arguments) => cli::minimise::run(&arguments),
        Command::Plot(arguments) => cli::plot::run(&arguments),
    }
}
