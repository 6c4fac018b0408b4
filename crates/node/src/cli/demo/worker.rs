//! A node of the demo, in a process of its own.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::Args;
use meshwork::{
    Document, DocumentId, Documents, Edit, Event, Node, NodeConfig, Random, ReplicaId, Seed, Value,
};
use tokio::sync::broadcast::error::RecvError;

use super::{
    import,
    protocol::{Order, Report, Tell, Work},
    workload::{self, CLOCKS, DOCUMENT},
};
use crate::cli::process::{Orders, tell, wall_us};

/// Propagation samples kept between two reports.
const SAMPLES_MAX: usize = 100_000;
/// Confirmations are told at most this often.
const TELL_EVERY: Duration = Duration::from_millis(50);

#[derive(Args)]
pub(crate) struct WorkerArguments {
    #[arg(long)]
    hub: url::Url,
    #[arg(long)]
    room: meshwork_identity::RoomCode,
    #[arg(long)]
    name: String,
    #[arg(long)]
    data: PathBuf,
}

/// What the event listener notes down for reports.
struct Notes {
    started_us: u64,
    /// What each node's clock showed last.
    seen: BTreeMap<String, u64>,
    propagation_us: Vec<u64>,
}

type SharedNotes = Arc<Mutex<Notes>>;

pub(crate) async fn run(arguments: WorkerArguments) -> Result<()> {
    // Nothing from the environment: it is not about these nodes.
    let mut config = NodeConfig { name: arguments.name, data: Some(arguments.data), ..NodeConfig::default() };
    config.discovery.hubs = vec![arguments.hub];
    config.discovery.room = arguments.room;
    let mut orders = Orders::listen();
    let gone = orders.gone();
    tokio::pin!(gone);
    let node = tokio::select! {
        started = Node::builder().config(config).start() => started?,
        () = &mut gone => return Ok(()),
    };
    let notes = Notes { started_us: wall_us(), seen: BTreeMap::new(), propagation_us: Vec::new() };
    let notes = Arc::new(Mutex::new(notes));
    actix_web::rt::spawn(listen(node.clone(), notes.clone()));
    ready(&node).await?;
    tokio::select! {
        ended = obey_all(&mut orders, &node, &notes) => ended?,
        () = gone => {}
    }
    node.close().await;
    Ok(())
}

async fn obey_all(orders: &mut Orders, node: &Node, notes: &SharedNotes) -> Result<()> {
    while let Some(order) = orders.next().await? {
        match order {
            Order::Work(work) => drop(actix_web::rt::spawn(work_and_tell(node.clone(), work))),
            Order::TellTime => drop(node.edit(CLOCKS, workload::tell_time(node.name(), wall_us())).await?),
            Order::Report => tell(&Tell::Report(report(node, notes).await?)),
            Order::Export { path } => {
                export(node, &path).await?;
                tell(&Tell::Exported);
            }
            Order::Stop => break,
        }
    }
    Ok(())
}

async fn ready(node: &Node) -> Result<()> {
    let incarnation = node.incarnation().context("the log has not opened")?;
    let version = node.read_log(|log| log.version().clone()).await?;
    let version = version.iter().map(|(replica, tip)| (*replica, tip.sequence)).collect();
    tell(&Tell::Ready { node: node.identity()?.node, replica: incarnation.replica, version });
    Ok(())
}

/// Tells the demo what happens.
async fn listen(node: Node, notes: SharedNotes) {
    let mut events = node.events();
    let mut confirmed: BTreeMap<ReplicaId, u64> = BTreeMap::new();
    let mut told_at = tokio::time::Instant::now();
    loop {
        let pending = !confirmed.is_empty();
        let event = tokio::select! {
            event = events.recv() => event,
            () = tokio::time::sleep_until(told_at + TELL_EVERY), if pending => {
                for (replica, up_to) in std::mem::take(&mut confirmed) {
                    tell(&Tell::Confirmed { replica, up_to });
                }
                told_at = tokio::time::Instant::now();
                continue;
            }
        };
        let event = match event {
            Ok(event) => event,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        match &*event {
            Event::LinkUp { peer } => tell(&Tell::Link { connect_us: peer.connect_us }),
            Event::Confirmed { up_to, .. } => {
                confirmed.insert(up_to.replica, up_to.sequence);
            }
            Event::ReplicaRetired { .. } => {
                if let Some(incarnation) = node.incarnation() {
                    tell(&Tell::Replica { replica: incarnation.replica });
                }
            }
            Event::OperationReceived { document, .. } if document.as_str() == CLOCKS => {
                measure(&node, &notes).await
            }
            _ => {}
        }
    }
}

/// Notes how long ago the others wrote what is visible now.
async fn measure(node: &Node, notes: &SharedNotes) {
    let read = node.read(|documents| {
        let shown = named(documents, CLOCKS)?.to_json();
        let entries = shown.as_object()?.iter();
        Some(entries.filter_map(|(name, at)| Some((name.clone(), at.as_u64()?))).collect::<Vec<_>>())
    });
    let now = wall_us();
    let Ok(Some(entries)) = read.await else { return };
    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, at) in entries {
        // What was written before this process started was not on its way all that time.
        let is_news = notes.seen.insert(name.clone(), at) != Some(at);
        let is_news = is_news && at > notes.started_us && name != node.name();
        if is_news && notes.propagation_us.len() < SAMPLES_MAX {
            notes.propagation_us.push(now.saturating_sub(at));
        }
    }
}

async fn report(node: &Node, notes: &SharedNotes) -> Result<Report> {
    measure(node, notes).await;
    let status = node.status().await?;
    let state_hash = node.read(|documents| documents.state_hash()).await?;
    let applied = node.read(|documents| documents.applied_version()).await?;
    let stored = node.stored_version();
    let mut unstored = 0;
    let version = applied.iter().map(|(replica, visible)| {
        let held = visible.min(stored.sequence(replica));
        unstored += visible - held;
        (*replica, held)
    });
    let version = version.collect();
    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Report {
        version,
        unstored,
        state_hash,
        confirmed: status.confirmed_operations,
        links: status.connected_peers.len(),
        sent_bytes: status.sent_bytes,
        propagation_us: std::mem::take(&mut notes.propagation_us),
    })
}

async fn export(node: &Node, path: &Path) -> Result<()> {
    let document = node.json(DOCUMENT).await?.unwrap_or_else(|| serde_json::json!({}));
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

async fn work_and_tell(node: Node, work: Work) {
    let done = match work {
        Work::Generate { edits, seed, rate } => generate(&node, edits, seed, rate).await,
        Work::Import { file, index, of } => import_share(&node, &file, index, of).await,
    };
    tell(&match done {
        Ok(()) => Tell::Done,
        Err(error) => Tell::Failed { reason: format!("{error:#}") },
    });
}

/// Makes `edits` transactions, `rate` a second; 0 is as fast as it goes.
async fn generate(node: &Node, edits: u64, seed: u64, rate: u64) -> Result<()> {
    let mut random: Random = Seed::from_number(seed).fork(node.name()).random();
    let start = tokio::time::Instant::now();
    let mut last = None;
    for made in 0..edits {
        if let Some(due) = (made * 1_000_000).checked_div(rate) {
            tokio::time::sleep_until(start + Duration::from_micros(due)).await;
        }
        let (document, transaction) = workload::next(&mut random, node.name(), wall_us());
        last = Some(node.edit(document, transaction).await?);
        if made % 50 == 49 {
            tell(&Tell::Progress { made: made + 1, of: edits });
        }
    }
    if let Some(dot) = last {
        node.stored(dot).await?;
    }
    tell(&Tell::Progress { made: edits, of: edits });
    Ok(())
}

/// Writes this node's share of a file. What the document holds already, from before a crash, is not written again.
async fn import_share(node: &Node, file: &Path, index: usize, of: usize) -> Result<()> {
    let batches = import::batches(&import::read(file)?);
    let share: Vec<Vec<Edit>> = batches.into_iter().skip(index).step_by(of).collect();
    let total = share.len() as u64;
    let mut last = None;
    for (made, batch) in (1..).zip(share) {
        let missing = node.read(move |documents| missing(documents, batch)).await?;
        if !missing.is_empty() {
            last = Some(node.edit(DOCUMENT, missing).await?);
        }
        if made % 20 == 0 {
            node.edit(CLOCKS, workload::tell_time(node.name(), wall_us())).await?;
            tell(&Tell::Progress { made, of: total });
        }
    }
    if let Some(dot) = last {
        node.stored(dot).await?;
    }
    tell(&Tell::Progress { made: total, of: total });
    Ok(())
}

fn named<'a>(documents: &'a Documents, name: &str) -> Option<&'a Document> {
    documents.document(&DocumentId::new(name).ok()?)
}

/// The edits whose outcome is not there yet.
fn missing(documents: &Documents, batch: Vec<Edit>) -> Vec<Edit> {
    let document = named(documents, DOCUMENT);
    let is_there = |edit: &Edit| {
        let Some(shown) = document.and_then(|document| document.to_json_at(edit.path())) else {
            return false;
        };
        match edit {
            Edit::Set { value, .. } => Value::from(&shown) == *value,
            Edit::MakeMap { .. } => shown.is_object(),
            _ => false,
        }
    };
    batch.into_iter().filter(|edit| !is_there(edit)).collect()
}
