//! Which run is meant.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use meshwork_sim::{Plan, Scenario};

/// A scenario and a seed, or a plan written down.
#[derive(Args, Clone)]
pub(crate) struct Setting {
    /// The scenario: a name (calm, lossy, partitions, disks, browsers, hostile, absence, hundred, chaos, siege) or a TOML file
    #[arg(long, default_value = "chaos", value_name = "NAME|FILE")]
    pub(crate) scenario: String,
    /// Everything that happens is drawn from it
    #[arg(long, required_unless_present = "plan")]
    pub(crate) seed: Option<u64>,
    /// How many nodes, if not as many as the scenario says
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub(crate) nodes: Option<u16>,
    /// A plan instead, as `minimise` and `run --write-plan` write it
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["seed", "scenario", "nodes"])]
    pub(crate) plan: Option<PathBuf>,
}

impl Setting {
    /// The plan that is meant.
    pub(crate) fn plan(&self) -> Result<Plan> {
        if let Some(file) = &self.plan {
            let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
            let plan: Plan = serde_json::from_str(&text).with_context(|| format!("{}", file.display()))?;
            plan.validate().with_context(|| format!("{}", file.display()))?;
            return Ok(plan);
        }
        let Some(seed) = self.seed else { bail!("--seed or --plan is needed") };
        Ok(Plan::draw(&scenario(&self.scenario, self.nodes)?, seed))
    }

    /// The arguments that name the same run.
    pub(crate) fn arguments(&self) -> String {
        match (&self.plan, self.seed) {
            (Some(file), _) => format!("--plan {}", file.display()),
            (None, seed) => arguments(&self.scenario, self.nodes, seed.unwrap_or_default()),
        }
    }
}

/// The scenario of that name or file, with another number of nodes if one is given.
pub(crate) fn scenario(name: &str, nodes: Option<u16>) -> Result<Scenario> {
    let mut scenario = Scenario::load(name)?;
    if let Some(nodes) = nodes {
        scenario.nodes = [nodes.into(); 2];
    }
    Ok(scenario)
}

/// The arguments that name one seed of a scenario.
pub(crate) fn arguments(scenario: &str, nodes: Option<u16>, seed: u64) -> String {
    let nodes = nodes.map(|nodes| format!(" --nodes {nodes}")).unwrap_or_default();
    format!("--scenario {scenario}{nodes} --seed {seed}")
}

/// What to type to see it again.
pub(crate) fn replay(arguments: &str) -> String {
    format!("cargo run --release -p meshwork-sim -- run {arguments}")
}
