//! Real browsers in one room with native nodes.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    process::{cargo, run as run_command, succeeds},
    web,
    workspace::Workspace,
};

/// What is tried, by the name that scripts know it by: what it may be called, and the variable that names another.
const BROWSERS: [(&str, &[&str], &str); 2] = [
    ("chromium", &["chromium", "chromium-browser", "google-chrome"], "CHROMIUM"),
    ("firefox", &["firefox-esr", "firefox"], "FIREFOX"),
];

/// What to do besides.
pub(crate) struct Wanted {
    pub(crate) measure: bool,
    /// The page is built already.
    pub(crate) built: bool,
    pub(crate) pictures: bool,
}

/// Runs the scenario in each of `only` (all of them, if it names none), and the page's in all of them together.
pub(crate) fn run(workspace: &Workspace, only: &[String], wanted: Wanted) -> Result<()> {
    let Wanted { measure, built, pictures } = wanted;
    let target = &workspace.target_directory;
    let page = if built { target.join("page") } else { web::run(workspace)? };
    let profile = if measure { "release" } else { "debug" };
    let mut build = cargo("cargo", &workspace.workspace_root);
    build.args(["build", "-p", "meshwork"]);
    if measure {
        build.arg("--release");
    }
    run_command(&mut build)?;

    let scripts = workspace.package("meshwork-web")?.manifest_path.with_file_name("e2e");
    let modules = install(&scripts, &target.join("e2e"))?;
    check_types(&scripts, &modules)?;
    let mut environment = vec![
        ("MESHWORK", target.join(profile).join("meshwork")),
        ("PAGE", page),
        ("PACKAGE", target.join(web::PACKAGE)),
        ("E2E_MODULES", modules),
        ("PICTURES", target.join("e2e").join("pictures")),
    ];
    let mut names = Vec::new();
    for (name, programs, variable) in BROWSERS {
        if only.is_empty() || only.iter().any(|wanted| wanted == name) {
            environment.push((variable, find(name, programs, variable)?));
            names.push(name);
        }
    }
    let script = |name: &str| {
        let mut command = Command::new("node");
        command.arg(scripts.join(name)).envs(environment.iter().map(|(name, value)| (name, value)));
        command
    };
    let mut tabs = script("run.mjs");
    tabs.args(&names).args(measure.then_some("measure"));
    run_command(&mut tabs)?;
    if names.len() < BROWSERS.len() {
        return Ok(());
    }
    let mut page = script("page.mjs");
    if pictures {
        page.env("PAGE_PICTURES", workspace.workspace_root.join("docs").join("pictures"));
    }
    run_command(&mut page)
}

fn find(name: &str, programs: &[&str], variable: &str) -> Result<PathBuf> {
    if let Some(chosen) = env::var_os(variable) {
        return Ok(chosen.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = env::split_paths(&path).collect();
    let mut places = programs.iter().flat_map(|program| directories.iter().map(move |at| at.join(program)));
    places.find(|place| place.is_file()).with_context(|| {
        format!("no {name} here: on Debian, `apt-get install {}`; or set {variable} to its path", programs[0])
    })
}

/// Compiles a user of the JavaScript API's types.
fn check_types(scripts: &Path, modules: &Path) -> Result<()> {
    let mut command = Command::new(modules.join(".bin").join("tsc"));
    command.args(["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom"]);
    command.args(["--module", "nodenext"]);
    run_command(command.arg(scripts.join("types.ts")))
}

/// Puts what drives the browsers into `directory`, outside of the source tree.
fn install(scripts: &Path, directory: &Path) -> Result<PathBuf> {
    let modules = directory.join("node_modules");
    let manifest = fs::read(scripts.join("package.json"))?;
    let installed = fs::read(directory.join("package.json")).is_ok_and(|installed| installed == manifest);
    if installed && modules.join("puppeteer-core").exists() {
        return Ok(modules);
    }
    if !succeeds(Command::new("npm").arg("--version")) {
        bail!("no npm here: on Debian, `apt-get install nodejs npm`");
    }
    fs::create_dir_all(directory)?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-package-lock", "--no-audit", "--no-fund"]).current_dir(directory);
    fs::write(directory.join("package.json"), &manifest)?;
    run_command(&mut npm)?;
    Ok(modules)
}
