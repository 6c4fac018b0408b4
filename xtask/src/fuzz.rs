//! Each fuzz target, briefly, over its corpus.

use std::{env, fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::{
    process::{cargo, output, run as run_command, succeeds},
    workspace::Workspace,
};

/// An input that takes longer is a failure. With a sanitizer on a busy machine, the slowest good one takes a second.
const SLOWEST_S: u32 = 30;

pub(crate) fn run(workspace: &Workspace, seconds: u32, only: &[String]) -> Result<()> {
    let root = &workspace.workspace_root;
    if let Some(missing) = missing_tool(root)? {
        if in_ci() {
            bail!("{missing}");
        }
        eprintln!("not fuzzed: {missing}");
        return Ok(());
    }
    let targets = targets(root)?;
    if let Some(unknown) = only.iter().find(|name| !targets.contains(name)) {
        bail!("no fuzz target `{unknown}`; there are: {}", targets.join(", "));
    }
    // Its own directory, so that an instrumented build does not push out a plain one.
    let built = match env::var_os("CARGO_TARGET_DIR") {
        Some(_) => workspace.target_directory.join("fuzz"),
        None => root.join("fuzz/target"),
    };
    if only.is_empty() {
        // All at once, which keeps every core busy.
        run_command(cargo("cargo", root).args(["+nightly", "fuzz", "build", "--target-dir"]).arg(&built))?;
    }
    for target in targets.iter().filter(|target| only.is_empty() || only.contains(target)) {
        // What the fuzzer finds interesting goes to the first directory; the committed corpus is only read.
        let found = built.join("corpus").join(target);
        fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
        let mut command = cargo("cargo", root);
        command.args(["+nightly", "fuzz", "run", "--target-dir"]).arg(&built).arg(target).arg(&found);
        command.arg(root.join("fuzz/corpus").join(target));
        let (time, slow) = (format!("-max_total_time={seconds}"), format!("-timeout={SLOWEST_S}"));
        command.args(["--", &time, &slow, "-verbosity=0", "-print_funcs=0"]);
        run_command(&mut command)?;
    }
    Ok(())
}

/// The first tool that is missing and could not be installed, with what to do about it.
fn missing_tool(root: &Path) -> Result<Option<String>> {
    if !succeeds(cargo("cargo", root).args(["+nightly", "--version"])) {
        return Ok(Some("no nightly toolchain here: rustup toolchain install nightly".into()));
    }
    let has_fuzz = || succeeds(cargo("cargo", root).args(["fuzz", "--version"]));
    if !has_fuzz() && in_ci() {
        run_command(cargo("cargo", root).args(["install", "cargo-fuzz", "--locked"]))?;
    }
    Ok((!has_fuzz()).then(|| "no cargo-fuzz here: cargo install cargo-fuzz --locked".into()))
}

fn targets(root: &Path) -> Result<Vec<String>> {
    let listed = output(cargo("cargo", root).args(["+nightly", "fuzz", "list"]))?;
    let targets: Vec<String> = listed.lines().map(str::to_owned).collect();
    if targets.is_empty() {
        bail!("fuzz/Cargo.toml declares no target");
    }
    Ok(targets)
}

fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}
