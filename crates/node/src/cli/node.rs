//! `meshwork node`.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use meshwork::{Event, Node, NodeConfig, api::ApiServer};
use meshwork_hub::{HubConfig, HubServer, Page};
use meshwork_identity::RoomCode;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use url::Url;

use super::signals::Stop;

#[derive(Args)]
pub(crate) struct NodeArguments {
    /// A hub where peers are found; may be given more than once
    #[arg(long, value_name = "URL", value_parser = super::hub_url)]
    hub: Vec<Url>,
    /// The room on the hub: 6 characters of A-Z and 0-9
    #[arg(long, value_name = "CODE")]
    room: Option<RoomCode>,
    /// The room's password; the variable MESHWORK_PASSWORD can give it unseen
    #[arg(long)]
    password: Option<String>,
    /// Follow an invitation instead of naming hub and room; hubs that are named are used as well
    #[arg(long, value_name = "LINK", conflicts_with_all = ["room", "password"])]
    join: Option<String>,
    /// The name that others see
    #[arg(long)]
    name: Option<String>,
    /// The directory of the node's key and log; without one, both end with the process
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Serve the local API here
    #[arg(long, value_name = "ADDR")]
    api: Option<SocketAddr>,
    /// Run a hub in this process, and use it; other nodes name it by `--hub`
    #[arg(long, value_name = "ADDR")]
    embed_hub: Option<SocketAddr>,
    /// Serve the page in this directory to browsers, by the API and the embedded hub, as `cargo xtask web` builds it, not
    /// the one that this program was built with
    #[arg(long, value_name = "DIR")]
    page: Option<PathBuf>,
    /// Read settings from this TOML file; flags win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl NodeArguments {
    fn config(&self) -> Result<NodeConfig> {
        let mut config = NodeConfig::load(self.config.as_deref())?;
        if !self.hub.is_empty() {
            config.discovery.hubs.clone_from(&self.hub);
        }
        if let Some(room) = self.room {
            config.discovery.room = room;
        }
        if let Some(name) = &self.name {
            config.name.clone_from(name);
        }
        if let Some(link) = &self.join {
            config.invitation = Some(link.clone());
            // It may be about another mesh: everything in this shell sees the variable.
            if config.password.take().is_some() {
                tracing::info!(
                    "the password of the environment or the file is not used: the link has the secret"
                );
            }
        }
        config.password = self.password.clone().or(config.password);
        config.data = self.data.clone().or(config.data);
        Ok(config)
    }
}

pub(crate) async fn run(arguments: NodeArguments) -> Result<()> {
    let mut config = arguments.config()?;
    let page = match &arguments.page {
        Some(directory) => Page::read(directory)?,
        None => Page::embedded(),
    };
    let _embedded = match arguments.embed_hub {
        Some(address) => {
            let hub = HubServer::bind(HubConfig::default(), address)?.with_page(page.clone());
            let url = format!("http://{}", hub.local_addr());
            tracing::info!("hub at {url}");
            let url: Url = url.parse().context("the embedded hub's address")?;
            // A node that shares a list of hubs with others has itself in it, at the same place for all.
            if !config.discovery.hubs.contains(&url) {
                config.discovery.hubs.insert(0, url);
            }
            Some(hub.run()?)
        }
        None => None,
    };
    let mut stop = Stop::listen()?;
    let (node, events) = tokio::select! {
        biased;
        started = Node::builder().config(config).start_listening() => started?,
        () = stop.told() => return Ok(()),
    };
    serve(node, events, arguments.api.map(|address| (address, page)), stop).await
}

/// Runs the node until it is told to stop.
async fn serve(
    node: Node,
    events: Receiver<Arc<Event>>,
    api: Option<(SocketAddr, Page)>,
    mut stop: Stop,
) -> Result<()> {
    let identity = node.identity()?;
    tracing::info!(node = %identity.node, space = %identity.space, "node `{}` runs", node.name());
    let api = match api {
        Some((address, page)) => match ApiServer::bind_with_page(node.clone(), address, page) {
            Ok(server) => {
                tracing::info!("API at http://{}/api/status", server.local_addr());
                Some(actix_web::rt::spawn(server.run()))
            }
            Err(error) => {
                node.close().await;
                return Err(error.into());
            }
        },
        None => None,
    };
    tokio::select! {
        () = report(events) => {}
        () = node.ended() => bail!("the node has ended; its log says why"),
        () = stop.told() => {}
    }
    tracing::info!("storing what is open and saying goodbye; once more ends it at once");
    tokio::select! {
        () = node.close() => {}
        () = stop.told() => bail!("ended before everything was stored; what was acknowledged is safe"),
    }
    match api {
        Some(api) => api.await?.context("the API"),
        None => Ok(()),
    }
}

/// Logs what people running a node want to know.
async fn report(mut events: Receiver<Arc<Event>>) {
    loop {
        match events.recv().await {
            Ok(event) => log(&event),
            Err(RecvError::Lagged(missed)) => tracing::debug!(missed, "events missed"),
            Err(RecvError::Closed) => return,
        }
    }
}

fn log(event: &Event) {
    match event {
        Event::PeerJoined { member, again } => tracing::info!(again, "`{}` joined", member.name),
        Event::PeerLeft { member, gracefully } => tracing::info!(gracefully, "`{}` left", member.name),
        Event::LinkUp { peer } => {
            tracing::info!("link to {} up in {} ms", peer.session, peer.connect_us / 1000)
        }
        Event::LinkDown { peer, reason } => tracing::info!("link to {peer} down: {reason}"),
        Event::LinkFailed { peer, stage, reason, retry_in_ms } => {
            tracing::warn!(?stage, ?retry_in_ms, "no link to {peer}: {reason}");
        }
        Event::HubJoined { .. } => tracing::info!("in the hub's room"),
        Event::HubUnreachable { reason, retry_in_ms, .. } => {
            tracing::warn!(retry_in_ms, "working without the hub: {reason}");
        }
        Event::HubRefused { reason, .. } => tracing::error!("the hub refuses: {reason}"),
        Event::Misbehaved { peer, reason, cut } => tracing::warn!(cut, "{peer} misbehaved: {reason}"),
        Event::Equivocation { dot, author } => {
            tracing::error!("node {author} signed two operations under {dot}");
        }
        Event::ReplicaRetired { reason, .. } => tracing::warn!("a new incarnation begins: {reason}"),
        Event::StorageStalled { reason } => tracing::error!("storage takes no writes: {reason}"),
        Event::StorageRecovered => tracing::info!("storage takes writes again"),
        Event::OperationInvalid { dot, reason, .. } => tracing::warn!("operation {dot} is void: {reason}"),
        Event::TimeAhead { dot, ahead_ms, .. } => {
            tracing::warn!(ahead_ms, "operation {dot} is from the future")
        }
        event => tracing::debug!(?event),
    }
}
