//! `minimise`: makes a failing run smaller.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use meshwork_sim::{Plan, Trace, World, minimise};

use super::setting::{Setting, replay};

/// Arguments of `minimise`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    setting: Setting,
    /// Where to write the smaller plan
    #[arg(long, value_name = "FILE.json", default_value = "minimal.json")]
    output: PathBuf,
    /// How many runs to try at the most
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
}

/// Minimises it.
pub(crate) fn run(Arguments { setting, output, runs }: &Arguments) -> Result<ExitCode> {
    let plan = setting.plan()?;
    let violates = |plan: &Plan| World::new(plan.clone(), Trace::default()).run().violation;
    let Some(violation) = violates(&plan) else {
        bail!("this run breaks no invariant: {}", setting.arguments())
    };
    println!("{violation}");
    let style = ProgressStyle::with_template("{elapsed_precise} {spinner} {pos} runs, {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(100));
    let small = minimise(plan.clone(), *runs, |plan| {
        bar.inc(1);
        let same = violates(plan).is_some_and(|found| found.invariant == violation.invariant);
        if same {
            bar.set_message(size(plan));
        }
        same
    });
    bar.finish_and_clear();
    std::fs::write(output, serde_json::to_string_pretty(&small)?)
        .with_context(|| format!("{}", output.display()))?;
    println!("before: {}", size(&plan));
    println!("after:  {}", size(&small));
    println!("{}", replay(&format!("--plan {}", output.display())));
    Ok(ExitCode::SUCCESS)
}

fn size(plan: &Plan) -> String {
    let Plan { nodes, hostile, edits, faults, active_ms, .. } = plan;
    let (hostile, edits, faults) = (hostile.len(), edits.len(), faults.len());
    format!("{nodes} nodes, {hostile} hostile, {edits} edits, {faults} faults, {} s", active_ms / 1_000)
}
