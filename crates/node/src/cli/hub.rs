//! `meshwork hub`.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use meshwork_hub::{HubConfig, HubServer, Page};

use super::{output::say, process::Orders};

#[derive(Args)]
pub(crate) struct HubArguments {
    /// Listen here
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7070")]
    listen: SocketAddr,
    /// A name under which nodes reach this hub, with the port unless it is the scheme's own: `hub.example`,
    /// `10.0.0.5:7070`. May be given more than once; without one any name is taken. Set it on a public hub: it keeps
    /// a hostile hub from passing this hub's challenges on to nodes that trust it, and speaking here in their name
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// How old the hub has to be, in milliseconds, before a node that is not a member of any space may begin one in a
    /// room that the hub does not know: after a restart, members come back first
    #[arg(long, value_name = "MS", default_value_t = HubConfig::default().found_after_ms)]
    found_after_ms: u64,
    /// Serve the page in this directory to browsers, as `cargo xtask web` builds it, not the one that this program was
    /// built with
    #[arg(long, value_name = "DIR")]
    page: Option<PathBuf>,
    /// End with standard input: this hub is a part of another process
    #[arg(long, hide = true)]
    while_input: bool,
}

pub(crate) async fn run(arguments: HubArguments) -> Result<()> {
    let config =
        HubConfig { hosts: arguments.host, found_after_ms: arguments.found_after_ms, ..HubConfig::default() };
    let mut hub = HubServer::bind(config, arguments.listen)?;
    if let Some(directory) = &arguments.page {
        hub = hub.with_page(Page::read(directory)?);
    }
    // On standard output, for scripts that asked for port 0.
    say(format_args!("hub at http://{}", hub.local_addr()))?;
    let mut running = hub.run()?;
    let orders = arguments.while_input.then(Orders::listen);
    let gone = async {
        match &orders {
            Some(orders) => orders.gone().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = running.finished() => ended.context("the hub ended"),
        () = gone => Ok(()),
    }
}
