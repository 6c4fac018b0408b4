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
    wasm::{TARGET, compiler, small_compiler},
    wasm_opt,
    workspace::Workspace,
};

/// What a server sends smaller: everything but what is small already.
const COMPRESSED: [&str; 4] = ["wasm", "js", "css", "html"];

/// What is loaded first and is by far the largest.
const MODULE: &str = "meshwork_web_bg.wasm";

/// How large the module may become, in bytes as it is sent: so that it grows only on purpose. Only what is built as it
/// should be is held to it: with another compiler, or without the optimizer, it is larger and works as well. (A tenth of
/// it would be tables of Unicode, if `Cargo.lock` did not hold `idna_adapter` at 1.0.0: browsers bring these tables.)
const MODULE_GZIP_MAX: usize = 440_000;

/// Where the files are, below the target directory: `meshwork hub --page` takes it.
const PAGE: &str = "page";

/// What web developers put into their own pages, below the target directory: a package for npm, or a folder for servers.
pub(crate) const PACKAGE: &str = "package";

/// Builds everything, and says how large it is. Returns where it is.
pub(crate) fn run(workspace: &Workspace) -> Result<PathBuf> {
    let (wasm, small) = compile(workspace)?;
    let package = empty(workspace.target_directory.join(PACKAGE))?;
    let shrunk = bind(workspace, &wasm, &package)?;
    let source = workspace.package("meshwork-web")?.manifest_path.with_file_name("");
    copy(&source.join("js"), &package)?;
    let page = empty(workspace.target_directory.join(PAGE))?;
    copy(&package, &page)?;
    copy(&source.join("page"), &page)?;
    let size = compress(&page)?;
    check_size(size, small && shrunk)?;
    describe(workspace, &package)?;
    eprintln!("try: cargo run --release -- hub --page {}", page.display());
    Ok(page)
}

/// Returns where the module is, and whether it is as small as compilers make it.
fn compile(workspace: &Workspace) -> Result<(PathBuf, bool)> {
    // A directory of its own: the other builds for browsers are of other profiles and features.
    let directory = workspace.target_directory.join("web");
    let small = small_compiler(&workspace.workspace_root)?;
    let is_small = small.is_some();
    let mut command = small.map_or_else(|| compiler(&workspace.workspace_root), Ok)?;
    command.args(["build", "-p", "meshwork-web", "--lib", "--features", "small", "--profile", "web"]);
    command.args(["--target", TARGET, "--target-dir"]).arg(&directory);
    run_command(&mut command)?;
    Ok((directory.join(TARGET).join("web").join("meshwork_web.wasm"), is_small))
}

/// Writes the module and the JavaScript that it needs. The tool has to be of the very version of the library. Returns
/// whether the module was made smaller.
fn bind(workspace: &Workspace, wasm: &Path, page: &Path) -> Result<bool> {
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
        run_command(command.arg("--remove-name-section"))?;
        return Ok(false);
    };
    run_command(&mut command)?;
    wasm_opt::shrink(&optimizer, &page.join(MODULE))?;
    Ok(true)
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

/// Holds the module's size to what is meant, if it was built as it should be.
fn check_size(size: usize, as_it_should_be: bool) -> Result<()> {
    if size > MODULE_GZIP_MAX && as_it_should_be {
        let grown = format!("{MODULE} has {size} bytes, compressed; {MODULE_GZIP_MAX} are meant");
        // Compilers of other versions make other modules.
        if std::env::var_os("CI").is_some() {
            bail!("{grown}: find out by what it grew, or change MODULE_GZIP_MAX on purpose");
        }
        eprintln!("{grown}");
    }
    Ok(())
}

/// Puts a `.gz` beside each file that gains by it, and prints the sizes. Returns the module's, compressed.
fn compress(page: &Path) -> Result<usize> {
    let mut size = 0;
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
        if name == MODULE {
            size = compressed.stdout.len();
        }
        fs::write(file.with_file_name(format!("{name}.gz")), compressed.stdout)?;
    }
    Ok(size)
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
