//! The command line.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;

/// Of a short run, which CI makes.
const SHORT: Duration = Duration::from_secs(20);

/// Run a hub and nodes as real processes, each on a network of its own, make things go wrong, and check that no
/// promise was broken. Needs root
#[derive(Clone, Parser)]
#[command(name = "cargo xtask chaos")]
pub(crate) struct Arguments {
    /// How long things go wrong; at least until each kind of fault had its turn
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// The form for CI: each kind of fault once
    #[arg(long, conflicts_with = "seconds")]
    short: bool,
    /// How many nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(2..=16))]
    nodes: u64,
    /// Decides what goes wrong and when; drawn and printed when not given
    #[arg(long)]
    seed: Option<u64>,
    /// The most memory that a process may have resident, in MiB, beside 3 KiB for each operation that a node holds
    #[arg(long, default_value_t = 64)]
    pub(crate) memory_mib: u64,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// Check the check: take a node's disk away without saying so, which must fail the run
    #[arg(long)]
    pub(crate) sabotage: bool,
    /// Run this `meshwork`; without it, the one beside this program
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Keep data and logs in this directory; without it, in a temporary one that is removed unless the run fails
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Set when the program starts itself in its sandbox
    #[arg(long, hide = true)]
    pub(crate) inside: bool,
}

impl Arguments {
    /// Finds out early what would fail late.
    pub(crate) fn check(&self) -> Result<()> {
        self.program().map(drop)
    }

    pub(crate) fn nodes(&self) -> usize {
        // Within its range.
        self.nodes as usize
    }

    pub(crate) fn span(&self) -> Duration {
        if self.short { SHORT } else { Duration::from_secs(self.seconds) }
    }

    /// The seed, or one from the clock.
    pub(crate) fn seed(&self) -> Result<u64> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Ok(self.seed.unwrap_or(now.context("the clock is before 1970")?.as_millis() as u64 % 1_000_000))
    }

    pub(crate) fn program(&self) -> Result<PathBuf> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => std::env::current_exe().context("cannot find this program")?.with_file_name("meshwork"),
        };
        ensure!(program.is_file(), "there is no {}: build it, or name it with --program", program.display());
        Ok(program)
    }
}
