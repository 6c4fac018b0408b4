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
}

fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::Run(arguments) => cli::run::run(&arguments),
        Command::Swarm(arguments) => cli::swarm::run(&arguments),
    }
}
