//! Every example, run to its end.

use anyhow::{Context, Result, bail};

use crate::{
    process::{cargo, run as run_command},
    workspace::{Target, Workspace},
};

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let manifest = workspace.workspace_root.join("examples/Cargo.toml");
    if !manifest.exists() {
        eprintln!("no examples: there is no examples/Cargo.toml");
        return Ok(());
    }
    let package = workspace
        .packages
        .iter()
        .find(|package| package.manifest_path == manifest)
        .context("examples/Cargo.toml is not a member of the workspace")?;
    let programs: Vec<(&str, &str)> = package.targets.iter().filter_map(program).collect();
    if programs.is_empty() {
        bail!("examples/Cargo.toml has no program");
    }
    for (flag, name) in &programs {
        let mut command = cargo("cargo", &workspace.workspace_root);
        run_command(command.args(["run", "-q", "-p", package.name.as_str(), flag, name]))?;
    }
    eprintln!("{} examples ran to their end", programs.len());
    Ok(())
}

/// How `cargo run` is told to run this target, when it can be run.
fn program(target: &Target) -> Option<(&'static str, &str)> {
    let kinds = [("bin", "--bin"), ("example", "--example")];
    let (_, flag) = kinds.into_iter().find(|(kind, _)| target.kind.iter().any(|own| own == kind))?;
    Some((flag, target.name.as_str()))
}
