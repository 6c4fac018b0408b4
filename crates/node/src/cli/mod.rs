//! Commands of the program.

mod bench;
mod client;
mod demo;
mod events;
mod hub;
mod invite;
mod node;
mod output;
mod process;
mod signals;
mod statistics;
mod table;

pub(crate) use output::{NobodyReads, warn};

use std::{io::IsTerminal as _, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use url::Url;

/// Peer-to-peer nodes that hold the same state.
#[derive(Parser)]
#[command(version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a hub: where nodes find each other. It sees no application data
    Hub(hub::HubArguments),
    /// Run a node
    Node(node::NodeArguments),
    /// Print a link that lets somebody into a space
    Invite(invite::InviteArguments),
    /// Run a mesh of processes, kill one, bring it back, and check that nothing is lost
    Demo(demo::DemoArguments),
    /// A node of the demo
    #[command(hide = true)]
    Worker(demo::WorkerArguments),
    /// Measure how fast meshes of processes are on this machine
    Bench(bench::BenchArguments),
    /// A process of the benchmark
    #[command(hide = true)]
    BenchWorker,
    /// Show who a node is, who it is linked with and how much it holds
    Status(client::ApiArguments),
    /// Show the peers of a node
    Peers(client::ApiArguments),
    /// Show who is here and what they show, or show the others a value for a while
    Presence(client::PresenceArguments),
    /// Show a document, or what lies at a path of it
    Get(client::GetArguments),
    /// Set a value in a document
    Set(client::SetArguments),
    /// Show what happens, as it happens
    Watch(client::ApiArguments),
}

/// The address of a hub, as an argument.
pub(crate) fn hub_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| "a hub's address starts with http:// or https://, as in http://127.0.0.1:7070".into())
}

impl Command {
    /// Whether it runs until it is stopped, and so should say what it does.
    pub(crate) fn is_service(&self) -> bool {
        matches!(self, Self::Hub(_) | Self::Node(_))
    }
}

/// Logs to standard error: `RUST_LOG` says what, by default what a service does and what goes wrong elsewhere.
pub(crate) fn start_logging(service: bool) {
    // The WebRTC stack warns of what is normal while a connection is made, and calls it an error when a candidate of
    // another machine cannot be reached from the loopback. What goes wrong with a link is an event of ours.
    let default = if service { "error,webrtc=off,meshwork=info" } else { "error,webrtc=off" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false)
        // They would go to the standard error that has just failed, and panic.
        .log_internal_errors(false)
        .init();
}

pub(crate) async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Hub(arguments) => hub::run(arguments).await?,
        Command::Node(arguments) => node::run(arguments).await?,
        Command::Invite(arguments) => invite::run(arguments)?,
        Command::Demo(arguments) => return demo::run(arguments).await,
        Command::Worker(arguments) => demo::run_worker(arguments).await?,
        Command::Bench(arguments) => return bench::run(arguments).await,
        Command::BenchWorker => bench::run_worker().await?,
        Command::Status(arguments) => client::status(arguments).await?,
        Command::Peers(arguments) => client::peers(arguments).await?,
        Command::Presence(arguments) => client::presence(arguments).await?,
        Command::Get(arguments) => client::get(arguments).await?,
        Command::Set(arguments) => client::set(arguments).await?,
        Command::Watch(arguments) => client::watch(arguments).await?,
    }
    Ok(ExitCode::SUCCESS)
}
