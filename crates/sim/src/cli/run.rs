//! `run`: one run.

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use meshwork_sim::{Trace, World};

use super::setting::{Setting, replay};

/// Arguments of `run`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    setting: Setting,
    /// Write down what the run consists of
    #[arg(long, value_name = "FILE.json")]
    write_plan: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(Arguments { setting, write_plan }: &Arguments) -> Result<ExitCode> {
    let plan = setting.plan()?;
    if let Some(file) = write_plan {
        let text = serde_json::to_string_pretty(&plan)?;
        std::fs::write(file, text).with_context(|| format!("{}", file.display()))?;
    }
    let begun = Instant::now();
    let outcome = World::new(plan, Trace::default()).run();
    let ratio = outcome.elapsed.as_secs_f64() / begun.elapsed().as_secs_f64();
    println!(
        "{} edits, {} faults, {} events in {:.1} s of virtual time, {ratio:.0} times as fast as real time",
        outcome.edits,
        outcome.faults,
        outcome.events,
        outcome.elapsed.as_secs_f64()
    );
    println!("settled {:.1} s after the faults ended", outcome.settling.as_secs_f64());
    println!("trace {}", outcome.trace);
    Ok(match outcome.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            println!("{violation}");
            println!("again: {}", replay(&setting.arguments()));
            ExitCode::FAILURE
        }
    })
}
