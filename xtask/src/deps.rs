//! Who may know whom.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result};

use crate::{
    process::report,
    workspace::{CORE, DOMAINS, Dependency, Package, Workspace},
};

/// Which of our crates each of our crates may depend on. Development dependencies are free, but for those on
/// [`NOBODY_USES`]. The shell is further restricted to the feature [`SHELL_FEATURE`].
/// A new crate gets its row here, and the row is what its review is about.
const MAY_USE: [(&str, &[&[&str]]); 18] = [
    ("meshwork-base", &[]),
    ("meshwork-wire", &[&["meshwork-base"]]),
    ("meshwork-identity", &[&["meshwork-base", "meshwork-wire"]]),
    ("meshwork-op-log", &[CORE, &[SHELL]]),
    // Documents are made of the log's operations.
    ("meshwork-crdt-state", &[CORE, &[SHELL, "meshwork-op-log"]]),
    ("meshwork-presence", &[CORE, &[SHELL]]),
    ("meshwork-discovery", &[CORE, &[SHELL]]),
    ("meshwork-transport", &[CORE, &[SHELL]]),
    ("meshwork-consensus", &[CORE, &[SHELL]]),
    ("meshwork-storage", &[&["meshwork-base"]]),
    ("meshwork-shell", &[&["meshwork-base"]]),
    ("meshwork-hub", &[&["meshwork-base", "meshwork-identity", "meshwork-discovery"]]),
    ("meshwork", &[CORE, DOMAINS, &[SHELL, "meshwork-storage", "meshwork-hub"]]),
    ("meshwork-sim", &[CORE, DOMAINS, &["meshwork-hub", "meshwork"]]),
    ("meshwork-examples", &[CORE, DOMAINS, &[SHELL, "meshwork-storage", "meshwork-hub", "meshwork"]]),
    ("meshwork-web", &[CORE, DOMAINS, &["meshwork"]]),
    // It drives the program from outside.
    ("meshwork-chaos", &[&["meshwork-base"]]),
    ("xtask", &[]),
];

/// Not even in development: they stand above everything.
const NOBODY_USES: [&str; 4] = ["meshwork-sim", "meshwork-web", "meshwork-chaos", "xtask"];

const SHELL: &str = "meshwork-shell";
/// The one feature that brings the shell to a domain crate.
const SHELL_FEATURE: &str = "actor";
/// Who stands above the domains and hosts their machines.
const SHELL_USERS: [&str; 2] = ["meshwork", "meshwork-examples"];

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut complaints = direction(&workspace.packages);
    for package in &workspace.packages {
        let path = &package.manifest_path;
        let manifest = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        complaints.extend(own_versions(&manifest).into_iter().map(|dependency| {
            let name = &package.name;
            format!("{name} declares `{dependency}` itself: let [workspace.dependencies] do it")
        }));
    }
    report(&complaints, "the dependency rules")?;
    eprintln!("{} packages depend as they may", workspace.packages.len());
    Ok(())
}

fn direction(packages: &[Package]) -> Vec<String> {
    let ours: BTreeMap<&str, &Package> =
        packages.iter().map(|package| (package.name.as_str(), package)).collect();
    let mut complaints = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| *known == name) else {
            complaints.push(format!(
                "`{name}` has no row in MAY_USE of xtask/src/deps.rs: say what it may depend on"
            ));
            continue;
        };
        let allowed = allowed.concat();
        for dependency in &package.dependencies {
            let used = dependency.name.as_str();
            if !ours.contains_key(used) || used == name {
                continue;
            }
            let free = dependency.kind.as_deref() == Some("dev") && !NOBODY_USES.contains(&used);
            if !free && !allowed.contains(&used) {
                complaints.push(format!("{name} depends on {used}; it may depend on: {}", list(&allowed)));
            } else if !free && used == SHELL && !SHELL_USERS.contains(&name) {
                complaints.extend(shell_leaks(package, dependency));
            }
        }
    }
    complaints
}

/// The shell reaches a domain crate as an optional dependency of one feature, or not at all.
fn shell_leaks(package: &Package, shell: &Dependency) -> Option<String> {
    let name = &package.name;
    if !shell.optional {
        return Some(format!("{name} depends on {SHELL} always; make it optional, behind `{SHELL_FEATURE}`"));
    }
    let brings =
        |parts: &Vec<String>| parts.iter().any(|part| part.trim_start_matches("dep:").starts_with(SHELL));
    let feature =
        package.features.iter().find(|(feature, parts)| *feature != SHELL_FEATURE && brings(parts))?.0;
    Some(format!("feature `{feature}` of {name} brings in {SHELL}; only `{SHELL_FEATURE}` may"))
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "nothing of ours".into() } else { names.join(", ") }
}

/// The dependencies in a manifest that do not say `workspace = true`. `[workspace.dependencies]` at the root
/// is what the others refer to.
fn own_versions(manifest: &str) -> Vec<String> {
    let mut own = Vec::new();
    let mut section = String::new();
    // The dependency that a section of its own describes, until that section says `workspace = true`.
    let mut pending: Option<String> = None;
    for line in manifest.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(header) = line.strip_prefix('[') {
            own.extend(pending.take());
            section = header.trim_matches(['[', ']']).to_owned();
            let (table, name) = section.rsplit_once('.').unwrap_or_default();
            pending = (is_dependencies(table) && table != "workspace.dependencies").then(|| name.to_owned());
        } else if pending.is_some() && is_workspace(line) {
            pending = None;
        } else if is_dependencies(&section) && section != "workspace.dependencies" {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            let inherited = name.trim().ends_with(".workspace") || is_workspace(value);
            if !inherited {
                own.push(name.trim().to_owned());
            }
        }
    }
    own.extend(pending);
    own
}

fn is_dependencies(section: &str) -> bool {
    section
        .rsplit('.')
        .next()
        .is_some_and(|last| matches!(last, "dependencies" | "dev-dependencies" | "build-dependencies"))
}

fn is_workspace(text: &str) -> bool {
    text.replace(' ', "").contains("workspace=true")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(
        name: &str,
        dependencies: &[(&str, Option<&str>, bool)],
        features: &[(&str, &[&str])],
    ) -> Package {
        let dependency = |(name, kind, optional): &(&str, Option<&str>, bool)| Dependency {
            name: (*name).into(),
            kind: kind.map(str::to_owned),
            optional: *optional,
        };
        let feature = |(name, parts): &(&str, &[&str])| {
            ((*name).into(), parts.iter().map(|part| (*part).into()).collect())
        };
        Package {
            name: name.into(),
            version: String::new(),
            license: None,
            manifest_path: Default::default(),
            dependencies: dependencies.iter().map(dependency).collect(),
            features: features.iter().map(feature).collect(),
            targets: Vec::new(),
        }
    }

    fn complaints(user: Package) -> Vec<String> {
        let others =
            ["meshwork-base", "meshwork-presence", SHELL, "meshwork-sim"].map(|name| package(name, &[], &[]));
        direction(&others.into_iter().chain([user]).collect::<Vec<_>>())
    }

    #[test]
    fn what_may_be_used_is_used_in_silence() {
        let dependencies = [
            ("meshwork-base", None, false),
            ("meshwork-presence", Some("dev"), false),
            ("serde", None, false),
            (SHELL, None, true),
        ];
        let user = package("meshwork-op-log", &dependencies, &[("actor", &["dep:meshwork-shell"])]);
        assert_eq!(complaints(user), [""; 0]);
    }

    #[test]
    fn each_wrong_direction_is_named() {
        type Case = (
            &'static str,
            (&'static str, Option<&'static str>, bool),
            &'static [(&'static str, &'static [&'static str])],
        );
        let table: [(Case, &str); 6] = [
            (
                ("meshwork-op-log", ("meshwork-presence", None, true), &[]),
                "meshwork-op-log depends on meshwork-presence",
            ),
            (("meshwork-wire", ("meshwork-presence", Some("build"), false), &[]), "meshwork-wire depends on"),
            (("meshwork", ("meshwork-sim", Some("dev"), false), &[]), "meshwork depends on meshwork-sim"),
            (
                ("meshwork-op-log", (SHELL, None, false), &[]),
                "meshwork-op-log depends on meshwork-shell always",
            ),
            (
                ("meshwork-op-log", (SHELL, None, true), &[("default", &["meshwork-shell/x"])]),
                "feature `default` of meshwork-op-log brings in meshwork-shell",
            ),
            (("meshwork-new", ("meshwork-base", None, false), &[]), "`meshwork-new` has no row"),
        ];
        for ((name, dependency, features), expected) in table {
            let found = complaints(package(name, &[dependency], features));
            assert!(matches!(&found[..], [one] if one.starts_with(expected)), "{expected}: {found:?}");
        }
    }

    #[test]
    fn versions_of_their_own_are_found() {
        let manifest = r#"
[package]
version = "1"
[dependencies]
a.workspace = true
b = { workspace = true, optional = true }
c = "1"
# d = "1"
e = { version = "1" }
[target.'cfg(unix)'.dev-dependencies]
f = "1"
[dependencies.g]
workspace = true
[build-dependencies.h]
version = "1"
[workspace.dependencies]
i = "1"
[workspace.dependencies.j]
version = "1"
"#;
        assert_eq!(own_versions(manifest), ["c", "e", "f", "h"]);
    }
}
