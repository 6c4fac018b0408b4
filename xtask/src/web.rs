//! The browser node: WebAssembly, its JavaScript and the demo page in one directory, and without the page as a package.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::{
    process::{output, run as run_command, succeeds},
    wasm::{TARGET, small_compiler},
    wasm_opt,
    workspace::Workspace,
};

/// What a server sends smaller: everything but what is small already.
const COMPRESSED: [&str; 4] = ["wasm", "js", "css", "html"];

/// What is loaded first and is by far the largest.
const MODULE: &str = "meshwork_web_bg.wasm";

/// How large the module may become, in bytes as it is sent: so that it grows only on purpose. (A tenth of it would be
/// tables of Unicode, if `Cargo.lock` did not hold `idna_adapter` at 1.0.0: browsers bring these tables.)
const MODULE_GZIP_MAX: usize = 440_000;

/// Where the files are, below the target directory: `meshwork hub --page` takes it.
const PAGE: &str = "page";

/// What web developers put into their own pages, below the target directory: a package for npm, or a folder for servers.
pub(crate) const PACKAGE: &str = "package";

/// Builds everything, and says how large it is. Returns where it is.
pub(crate) fn run(workspace: &Workspace) -> Result<PathBuf> {
    let wasm = compile(workspace)?;
    let package = empty(workspace.target_directory.join(PACKAGE))?;
    bind(workspace, &wasm, &package)?;
    let source = workspace.package("meshwork-web")?.manifest_path.with_file_name("");
    copy(&source.join("js"), &package)?;
    let page = empty(workspace.target_directory.join(PAGE))?;
    copy(&package, &page)?;
    copy(&source.join("page"), &page)?;
    compress(&page)?;
    describe(workspace, &package)?;
    eprintln!("try: cargo run --release -- hub --page {}", page.display());
    Ok(page)
}

fn compile(workspace: &Workspace) -> Result<PathBuf> {
    // A directory of its own: the other builds for browsers are of other profiles and features.
    let directory = workspace.target_directory.join("web");
    let mut command = small_compiler(&workspace.workspace_root)?;
    command.args(["build", "-p", "meshwork-web", "--lib", "--features", "small", "--profile", "web"]);
    command.args(["--target", TARGET, "--target-dir"]).arg(&directory);
    run_command(&mut command)?;
    Ok(directory.join(TARGET).join("web").join("meshwork_web.wasm"))
}

/// Writes the JavaScript that the module needs. The tool has to be of the very version of the library.
fn bind(workspace: &Workspace, wasm: &Path, page: &Path) -> Result<()> {
    let version = locked(&workspace.workspace_root.join("Cargo.lock"), "wasm-bindgen")?;
    let tools = workspace.target_directory.join("web-tools");
    let places = [PathBuf::from("wasm-bindgen"), tools.join("bin").join("wasm-bindgen")];
    let is_it = |program: &&PathBuf| {
        let mut command = Command::new(program);
        command.arg("--version").stderr(Stdio::null());
        succeeds(Command::new(program).arg("--version"))
            && output(&mut command).is_ok_and(|printed| printed.trim() == format!("wasm-bindgen {version}"))
    };
    let program = match places.iter().find(is_it) {
        Some(program) => program,
        None => {
            eprintln!("wasm-bindgen {version} is not here: installing it into {}", tools.display());
            let mut install = Command::new("cargo");
            install.args(["install", "wasm-bindgen-cli", "--version", &version, "--root"]).arg(&tools);
            run_command(install.arg("--target-dir").arg(tools.join("build")))?;
            &places[1]
        }
    };
    let mut command = Command::new(program);
    command.arg(wasm).args(["--target", "web", "--no-typescript", "--out-dir"]).arg(page);
    command.args(["--no-demangle", "--remove-producers-section"]);
    let Some(optimizer) = wasm_opt::find(&tools) else {
        return run_command(command.arg("--remove-name-section"));
    };
    run_command(&mut command)?;
    wasm_opt::shrink(&optimizer, &page.join(MODULE))
}

/// Tells npm and bundlers what is in the package.
fn describe(workspace: &Workspace, package: &Path) -> Result<()> {
    let source = workspace.package("meshwork-web")?;
    let manifest = json!({
        "name": "meshwork",
        "version": source.version,
        "description": "A peer-to-peer node in a browser tab",
        "license": source.license,
        "type": "module",
        "main": "./meshwork.js",
        "types": "./meshwork.d.ts",
    });
    fs::write(package.join("package.json"), format!("{manifest:#}\n"))?;
    Ok(())
}

/// The version of a package in a lock file.
fn locked(lock: &Path, package: &str) -> Result<String> {
    let text = fs::read_to_string(lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let mut lines = text.lines().skip_while(|line| *line != format!("name = \"{package}\""));
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = \""));
    let version = version.and_then(|rest| rest.strip_suffix('"'));
    Ok(version.with_context(|| format!("no `{package}` in {}", lock.display()))?.to_owned())
}

fn empty(directory: PathBuf) -> Result<PathBuf> {
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("cannot empty {}", directory.display()))?;
    }
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Puts a `.gz` beside each file that gains by it, and prints the sizes.
fn compress(page: &Path) -> Result<()> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(page)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| {
        let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        COMPRESSED.contains(&extension)
    });
    files.sort();
    eprintln!("{:>10} {:>10}", "bytes", "gzip");
    for file in files {
        let compressed = Command::new("gzip").args(["-9", "-n", "-c"]).arg(&file).output();
        let compressed = compressed.context("cannot start gzip")?;
        if !compressed.status.success() {
            bail!("gzip failed on {}", file.display());
        }
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        eprintln!("{:>10} {:>10}  {name}", fs::metadata(&file)?.len(), compressed.stdout.len());
        if name == MODULE && compressed.stdout.len() > MODULE_GZIP_MAX {
            let grown = format!("{name} is larger than the {MODULE_GZIP_MAX} bytes that are meant");
            // Another compiler makes another module, which works as well.
            if std::env::var_os("CI").is_some() {
                bail!("{grown}: find out by what it grew, or change MODULE_GZIP_MAX on purpose");
            }
            eprintln!("{grown}");
        }
        fs::write(file.with_file_name(format!("{name}.gz")), compressed.stdout)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_says_which_version() {
        let directory = std::env::temp_dir().join(format!("xtask-lock-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let lock = directory.join("Cargo.lock");
        let package = |name: &str, version: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n")
        };
        fs::write(&lock, package("wasm-bindgen-macro", "9.9.9") + &package("wasm-bindgen", "0.2.7")).unwrap();
        assert_eq!(locked(&lock, "wasm-bindgen").unwrap(), "0.2.7");
        assert!(locked(&lock, "wasm").is_err());
        fs::remove_dir_all(directory).unwrap();
    }
}
