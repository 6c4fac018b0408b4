//! Binaryen's optimizer, which makes smaller what the compiler leaves.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::process::{run as run_command, succeeds};

/// The package of npm that it comes with: distributions' own are too old for what compilers make today.
const PACKAGE: &str = "binaryen@132.0.0";

/// What makes the module smaller as it is sent, compressed. Functions in the order of their names have those that are
/// much alike, one generic for several types, side by side; most other passes, and `-Oz`, make them less alike.
const PASSES: [&str; 5] = [
    "--duplicate-function-elimination",
    "--dae-optimizing",
    "--duplicate-function-elimination",
    "--remove-unused-module-elements",
    "--reorder-functions-by-name",
];

/// The program, installed into `directory` when it is not there yet; nothing when that cannot be.
pub(crate) fn find(directory: &Path) -> Option<PathBuf> {
    let program = directory.join("node_modules").join(".bin").join("wasm-opt");
    let installed =
        fs::read_to_string(directory.join("binaryen")).is_ok_and(|installed| installed == PACKAGE);
    if installed && program.exists() {
        return Some(program);
    }
    eprintln!("{PACKAGE} is not here: installing it into {}", directory.display());
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--prefix"])
        .arg(directory);
    let done = fs::create_dir_all(directory).is_ok() && succeeds(npm.arg(PACKAGE));
    if !done || fs::write(directory.join("binaryen"), PACKAGE).is_err() {
        eprintln!("npm cannot install {PACKAGE}: without it the module is a twelfth larger");
        return None;
    }
    Some(program)
}

/// Replaces the module, which has the names of its functions, by a smaller one without them.
pub(crate) fn shrink(program: &Path, module: &Path) -> Result<()> {
    let mut command = Command::new(program);
    run_command(command.args(PASSES).arg(module).arg("-o").arg(module))
}
