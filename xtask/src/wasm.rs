//! The machines, built for browsers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};

use crate::{
    process::{cargo, output, run as run_command, succeeds},
    workspace::{Workspace, machines},
};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

pub(crate) fn run(workspace: &Workspace, only: &[String]) -> Result<()> {
    let mut command = compiler(&workspace.workspace_root)?;
    command.args(["build", "--lib", "--no-default-features", "--target", TARGET]);
    // Compilers of two origins do not share a directory well.
    command.arg("--target-dir").arg(workspace.target_directory.join("wasm"));
    let machines =
        machines().into_iter().filter(|machine| only.is_empty() || only.iter().any(|name| name == machine));
    for machine in machines {
        command.args(["-p", workspace.package(machine)?.name.as_str()]);
    }
    run_command(&mut command)
}

/// A cargo that can build for the target.
pub(crate) fn compiler(directory: &Path) -> Result<Command> {
    if has_target("rustc") {
        return Ok(cargo("cargo", directory));
    }
    let Some(linker) = debian_linker() else {
        bail!(
            "no compiler for {TARGET} here. Either\n  rustup target add {TARGET}\nor, on Debian,\n  \
             apt-get install rustc-web cargo-web rust-web-src lld-19"
        );
    };
    eprintln!("no {TARGET} in this toolchain: taking Debian's compiler");
    let mut command = cargo(DEBIAN_CARGO, directory);
    command.env("RUSTC", DEBIAN_RUSTC).env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    if !has_target(DEBIAN_RUSTC) {
        // Debian packages the standard library's source, not the library; building it is a nightly option.
        command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort");
    }
    Ok(command)
}

/// What keeps out of a module whatever only words a panic, and unrolls nothing. All but the last are nightly options.
const SMALL_FLAGS: [&str; 3] =
    ["-Zlocation-detail=none", "-Zfmt-debug=shallow", "--cfg=sha2_backend_soft=\"compact\""];

/// One that also builds the standard library, for size; nothing where its source is not to be had, or the compiler does not
/// know how. In such a module a panic is a trap without a message: the page hears a `RuntimeError`, as it does otherwise
/// after the message.
pub(crate) fn small_compiler(directory: &Path) -> Result<Option<Command>> {
    let mut command = compiler(directory)?;
    let debian = command.get_program() == DEBIAN_CARGO;
    let rustc = if debian { DEBIAN_RUSTC } else { "rustc" };
    if !has_source(rustc, directory) && (debian || !install_source(directory)) {
        eprintln!("the standard library's source cannot be had: the module will be a tenth larger");
        return Ok(None);
    }
    let mut probe = cargo(rustc, directory);
    probe.env("RUSTC_BOOTSTRAP", "1").args(SMALL_FLAGS).args(["--print", "cfg", "--target", TARGET]);
    if !succeeds(probe.args(["-Zunstable-options", "-Cpanic=immediate-abort"])) {
        eprintln!(
            "this compiler is not one of those that leave out panics: the module will be a tenth larger"
        );
        return Ok(None);
    }
    command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort");
    command.env("CARGO_UNSTABLE_BUILD_STD_FEATURES", "optimize_for_size");
    command.env("CARGO_UNSTABLE_PANIC_IMMEDIATE_ABORT", "true");
    command.env("CARGO_PROFILE_WEB_PANIC", "immediate-abort");
    // These would be taken in place of ours.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", SMALL_FLAGS.join(" "));
    Ok(Some(command))
}

fn install_source(directory: &Path) -> bool {
    eprintln!("the standard library's source is not here: adding `rust-src` to this toolchain");
    succeeds(cargo("rustup", directory).args(["component", "add", "rust-src"]))
}

fn has_source(rustc: &str, directory: &Path) -> bool {
    let printed = output(cargo(rustc, directory).args(["--print", "sysroot"]));
    printed.is_ok_and(|sysroot| Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library").exists())
}

/// Whether this compiler has the target's standard library.
fn has_target(rustc: &str) -> bool {
    let printed = output(Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]));
    printed.is_ok_and(|directory| Path::new(directory.trim()).exists())
}

/// The linker beside Debian's compiler, when all that it takes is there.
fn debian_linker() -> Option<PathBuf> {
    let complete = [DEBIAN_CARGO, DEBIAN_RUSTC].iter().all(|program| Path::new(program).exists());
    let source = Path::new("/usr/lib/rustlib/src/rust/library").exists();
    let is_linker = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("wasm-ld"))
    };
    let mut linkers: Vec<PathBuf> = fs::read_dir("/usr/bin")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(is_linker)
        .collect();
    linkers.sort();
    if complete && (source || has_target(DEBIAN_RUSTC)) { linkers.pop() } else { None }
}
