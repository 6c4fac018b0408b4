//! What `cargo metadata` says of the workspace.

use std::{collections::BTreeMap, path::PathBuf, process::Command};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process::output;

/// What everything else stands on.
pub(crate) const CORE: &[&str] = &["meshwork-base", "meshwork-wire", "meshwork-identity"];
/// The crates of one domain each, which do not know each other.
pub(crate) const DOMAINS: &[&str] = &[
    "meshwork-op-log",
    "meshwork-crdt-state",
    "meshwork-presence",
    "meshwork-discovery",
    "meshwork-transport",
    "meshwork-consensus",
];

/// The crates that build for browsers without their default features: pure, or with the impure behind a feature.
pub(crate) fn machines() -> Vec<&'static str> {
    [CORE, DOMAINS, &["meshwork-storage", "meshwork-hub", "meshwork"]].concat()
}

#[derive(Deserialize)]
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
    pub(crate) workspace_root: PathBuf,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) targets: Vec<Target>,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` for a normal one, else `dev` or `build`.
    pub(crate) kind: Option<String>,
    pub(crate) optional: bool,
}

#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
}

impl Workspace {
    pub(crate) fn load() -> Result<Self> {
        let metadata = output(Command::new("cargo").args(["metadata", "--format-version=1", "--no-deps"]))?;
        serde_json::from_str(&metadata).context("cannot read what `cargo metadata` printed")
    }

    pub(crate) fn package(&self, name: &str) -> Result<&Package> {
        self.packages.iter().find(|package| package.name == name).with_context(|| {
            format!("no package `{name}` in the workspace; if it is gone, take it off the lists in xtask")
        })
    }
}
