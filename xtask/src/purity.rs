//! No ambient anything in a machine: in the crates that it is built from, and in its own text.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    process::{output, report},
    source,
    workspace::{Workspace, machines},
};

/// Crates that no machine is built from, also not by way of others. A name ending in `*` stands for all that
/// begin so.
const IMPURE_CRATES: [&str; 9] =
    ["actix*", "tokio*", "webrtc*", "rtc", "rtc-*", "mio", "socket2", "getrandom", "async-std"];

/// The features that bring a host's own world into a crate.
const HOST_FEATURES: [&str; 3] = ["actor", "native", "browser"];

const CLOCK: &str = "no clock: the time comes in as a `Timestamp`";
const RANDOM: &str = "no random source: randomness comes in as a `Seed`";
const ORDER: &str = "no hash order: use `BTreeMap`, `BTreeSet` or a sorted `Vec`";
const OUTSIDE: &str = "no I/O and no threads: ask for it with an effect";
const ASYNC: &str = "no async: a machine is told, and hands back effects";
const GLOBAL: &str = "no globals: state lives in the machine";

/// What a machine does not mention, and why: each is a part of ARCHITECTURE.md's first invariant.
const FORBIDDEN: [(&str, &str); 28] = [
    ("Instant::now", CLOCK),
    ("SystemTime", CLOCK),
    ("UNIX_EPOCH", CLOCK),
    ("thread_rng", RANDOM),
    ("OsRng", RANDOM),
    ("rand::rng", RANDOM),
    ("rand::random", RANDOM),
    ("getrandom", RANDOM),
    ("RandomState", RANDOM),
    ("HashMap", ORDER),
    ("HashSet", ORDER),
    ("std::thread", OUTSIDE),
    ("std::fs", OUTSIDE),
    // Of `std::net` the sockets; an address is a value.
    ("TcpListener", OUTSIDE),
    ("TcpStream", OUTSIDE),
    ("UdpSocket", OUTSIDE),
    ("ToSocketAddrs", OUTSIDE),
    ("std::env", OUTSIDE),
    ("std::process", OUTSIDE),
    ("tokio::", ASYNC),
    ("async fn", ASYNC),
    ("async move", ASYNC),
    ("static mut", GLOBAL),
    ("thread_local!", GLOBAL),
    // Made for state that is set once for all; a machine's own is set when it is made.
    ("OnceLock", GLOBAL),
    ("LazyLock", GLOBAL),
    ("OnceCell", GLOBAL),
    ("lazy_static!", GLOBAL),
];

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut complaints = Vec::new();
    let mut files = 0;
    for name in machines() {
        complaints.extend(impure_crates(&tree(name)?).into_iter().map(|used| {
            format!(
                "{name} is built from `{used}` even without features; see `cargo tree -p {name} \
                 --no-default-features -e normal --target wasm32-unknown-unknown -i {used}`"
            )
        }));
        let manifest = &workspace.package(name)?.manifest_path;
        let root = manifest.parent().context("a manifest lies in a directory")?.join("src/lib.rs");
        for file in compiled_files(root)? {
            let shown = file.path.strip_prefix(&workspace.workspace_root).unwrap_or(&file.path).display();
            let breach = |(line, token, law)| format!("{shown}:{line}: `{token}`: {law}");
            complaints.extend(breaches(&file.code).into_iter().map(breach));
            files += 1;
        }
    }
    report(&complaints, "the invariant “no ambient anything” (ARCHITECTURE.md)")?;
    eprintln!("{} crates are pure without features, and so are their {files} files", machines().len());
    Ok(())
}

/// The names of the packages that `package` is built from for a browser.
fn tree(package: &str) -> Result<Vec<String>> {
    let mut cargo = Command::new("cargo");
    cargo.args([
        "tree",
        "-p",
        package,
        "--no-default-features",
        "-e",
        "normal",
        "--prefix",
        "none",
        "-f",
        "{p}",
    ]);
    let lines = output(cargo.args(["--target", "wasm32-unknown-unknown"]))?;
    let mut names: Vec<String> =
        lines.lines().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        bail!("`cargo tree` names no package for {package}");
    }
    Ok(names)
}

fn impure_crates(names: &[String]) -> Vec<&String> {
    let matches = |name: &str, pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    };
    names.iter().filter(|name| IMPURE_CRATES.iter().any(|pattern| matches(name, pattern))).collect()
}

/// A file of a crate, reduced to what is compiled without features.
struct CompiledFile {
    path: PathBuf,
    code: String,
}

/// The files that a crate is compiled from without features, followed from its `root` along the `mod`
/// declarations.
fn compiled_files(root: PathBuf) -> Result<Vec<CompiledFile>> {
    let mut waiting = vec![root];
    let mut files = Vec::new();
    while let Some(path) = waiting.pop() {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let code = source::compiled(&text, &HOST_FEATURES);
        for module in source::modules(&code) {
            waiting.push(module_file(&path, module)?);
        }
        files.push(CompiledFile { path, code });
    }
    Ok(files)
}

fn module_file(parent: &Path, module: &str) -> Result<PathBuf> {
    let directory = match parent.file_name().and_then(|name| name.to_str()) {
        Some("lib.rs" | "mod.rs") => parent.with_file_name(""),
        _ => parent.with_extension(""),
    };
    [format!("{module}.rs"), format!("{module}/mod.rs")]
        .into_iter()
        .map(|file| directory.join(file))
        .find(|file| file.exists())
        .with_context(|| format!("cannot find the file of `mod {module};` in {}", parent.display()))
}

/// What is forbidden in `code`: the line, the token, and why.
fn breaches(code: &str) -> Vec<(usize, &'static str, &'static str)> {
    let mut found: Vec<_> = FORBIDDEN
        .iter()
        .flat_map(|(token, law)| {
            source::mentions(code, token).into_iter().map(move |at| (source::line(code, at), *token, *law))
        })
        .collect();
    found.extend(
        source::changing_statics(code)
            .into_iter()
            .map(|at| (source::line(code, at), "a `static` that changes", GLOBAL)),
    );
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_forbidden_token_is_found_where_it_stands() {
        for (token, law) in FORBIDDEN {
            let code = source::compiled(&format!("fn a() {{}}\nfn b() {{ {token} }}\n"), &HOST_FEATURES);
            assert_eq!(breaches(&code), [(2, token, law)]);
        }
    }

    /// As people write them.
    #[test]
    fn globals_clocks_and_entropy_are_found_in_every_dress() {
        let table = [
            ("static A: std::sync::OnceLock<u8> = std::sync::OnceLock::new();", GLOBAL),
            ("use std::sync::{Arc, LazyLock};", GLOBAL),
            ("static A: once_cell::sync::OnceCell<u8> = B;", GLOBAL),
            ("static A: AtomicU64 = AtomicU64::new(0);", GLOBAL),
            ("pub(crate) static A: Mutex<Vec<u8>> = Mutex::new(Vec::new());", GLOBAL),
            ("static A: [RwLock<u8>; 2] = B;", GLOBAL),
            ("static mut A: u8 = 0;", GLOBAL),
            ("lazy_static! { static ref A: u8 = 0; }", GLOBAL),
            ("use rand::rngs::OsRng;", RANDOM),
            ("let a = rand::rng().random();", RANDOM),
            ("use rand::{Rng, rng};", RANDOM),
            ("time.duration_since(UNIX_EPOCH)", CLOCK),
            ("use std::time::{Duration, UNIX_EPOCH};", CLOCK),
        ];
        for (code, law) in table {
            let found = breaches(&source::compiled(code, &HOST_FEATURES));
            assert!(!found.is_empty() && found.iter().all(|(_, _, why)| *why == law), "{code}: {found:?}");
        }
        let fine = [
            "static A: &str = B; const C: u8 = 0;",
            "fn a(b: &'static AtomicU64, c: Mutex<u8>) {}",
            "static A: Point = Point { x: 0 }; struct B { c: Mutex<u8> }",
            "use rand::rngs::SmallRng; use std::cell::OnceCells;",
        ];
        for code in fine {
            assert_eq!(breaches(&source::compiled(code, &HOST_FEATURES)), [], "{code}");
        }
    }

    #[test]
    fn a_host_part_and_a_test_may_do_as_they_like() {
        let source = "//! No `HashMap`.\n#[cfg(feature = \"actor\")]\nfn a() { tokio::spawn(b) }\n\
                      #[cfg(test)]\nmod tests { use std::fs; }\nfn c() { \"SystemTime\" }";
        assert_eq!(breaches(&source::compiled(source, &HOST_FEATURES)), []);
    }

    #[test]
    fn a_grouped_import_does_not_hide_a_breach() {
        assert_eq!(breaches("use std::{fmt, fs};"), [(1, "std::fs", OUTSIDE)]);
    }

    #[test]
    fn impure_crates_are_found_by_name_and_by_prefix() {
        let names = ["actix-rt", "bytes", "meshwork-wire", "rtc", "rtcp", "tokio", "mio"].map(str::to_owned);
        assert_eq!(impure_crates(&names), ["actix-rt", "rtc", "tokio", "mio"]);
    }
}
