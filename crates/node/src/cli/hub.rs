//! `meshwork hub`.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use clap::Args;
use meshwork_hub::{HubConfig, HubServer};

#[derive(Args)]
pub(crate) struct HubArguments {
    /// Listen here
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7070")]
    listen: SocketAddr,
}

pub(crate) async fn run(arguments: HubArguments) -> Result<()> {
    let hub = HubServer::bind(HubConfig::default(), arguments.listen)?;
    // On standard output, for scripts that asked for port 0.
    println!("hub at http://{}", hub.local_addr());
    hub.run()?.finished().await.context("the hub ended")
}
