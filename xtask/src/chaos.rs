//! Real processes under faults: builds the program in release mode and what torments it, and runs that as root.

use std::process::Command;

use anyhow::Result;

use crate::{
    process::{cargo, output, run as run_command},
    workspace::Workspace,
};

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let root = &workspace.workspace_root;
    run_command(cargo("cargo", root).args(["build", "-q", "--release", "-p", "meshwork"]))?;
    run_command(cargo("cargo", root).args(["build", "-q", "-p", "meshwork-chaos"]))?;
    let target = &workspace.target_directory;
    let chaos = target.join("debug/meshwork-chaos");
    let mut command = if output(Command::new("id").arg("-u"))?.trim() == "0" {
        Command::new(chaos)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg(chaos);
        sudo
    };
    run_command(command.arg("--program").arg(target.join("release/meshwork")).args(arguments))
}
