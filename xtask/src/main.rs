//! What a plain cargo command cannot do: the rules of the workspace, checked; and the builds that need
//! arranging.
//!
//! `cargo xtask help` lists the tasks. Each prints what it found wrong, all of it, and fails.

mod chaos;
mod demo;
mod deps;
mod e2e;
mod examples;
mod fuzz;
mod process;
mod purity;
mod source;
mod wasm;
mod wasm_opt;
mod web;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The rules of the workspace, and the builds that need arranging")]
enum Task {
    /// Check who depends on whom, and that every outside dependency is declared once, at the root
    Deps,
    /// Check that the machines hold no clock, randomness, I/O, threads or async, in their sources and in
    /// their trees
    Purity,
    /// Build every machine for wasm32-unknown-unknown, with whichever toolchain is there
    Wasm {
        /// Only these packages
        packages: Vec<String>,
    },
    /// Build the browser node and the demo page into target/page, and print its size
    Web,
    /// Drive Chromium and Firefox, with native nodes in one room, and check what everybody sees
    E2e {
        /// Only these browsers: `chromium`, `firefox`
        browsers: Vec<String>,
        /// Measure as well, with a release build
        #[arg(long)]
        measure: bool,
        /// The page is built already, by `cargo xtask web`
        #[arg(long)]
        built: bool,
        /// Take the pictures of the page in docs/pictures anew
        #[arg(long)]
        pictures: bool,
    },
    /// Run each fuzz target over its corpus (needs a nightly toolchain and cargo-fuzz)
    Fuzz {
        /// How long each target runs
        #[arg(long, default_value_t = 10)]
        seconds: u32,
        /// Only these targets
        targets: Vec<String>,
    },
    /// Run every program of the package in `examples`
    Examples,
    /// Run the demo in release mode, and check what it reports
    Demo,
    /// Run real processes under cuts, loss, kills, pauses and full disks, and check that no promise was broken
    #[command(disable_help_flag = true)]
    Chaos {
        /// `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Task::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let workspace = Workspace::load()?;
    match task {
        Task::Deps => deps::run(&workspace),
        Task::Purity => purity::run(&workspace),
        Task::Wasm { packages } => wasm::run(&workspace, &packages),
        Task::Web => web::run(&workspace).map(drop),
        Task::E2e { browsers, measure, built, pictures } => {
            e2e::run(&workspace, &browsers, e2e::Wanted { measure, built, pictures })
        }
        Task::Fuzz { seconds, targets } => fuzz::run(&workspace, seconds, &targets),
        Task::Examples => examples::run(&workspace),
        Task::Demo => demo::run(&workspace),
        Task::Chaos { arguments } => chaos::run(&workspace, &arguments),
    }
}
