//! A worker: nodes, or one end of a bare connection, in a process of its own.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use meshwork::{
    DocumentId, Documents, Dot, Edit, Event, Incarnation, Machine as _, Node, NodeConfig, ReplicaId,
    RequestId, RoomCode, Timestamp, Value,
};
use meshwork_crdt_state as documents;
use tokio::sync::broadcast::error::RecvError;
use url::Url;

use super::{
    protocol::{Order, Tell},
    raw::Raw,
};
use crate::cli::process::{Orders, tell, wall_us};

const DOCUMENT: &str = "bench";
/// The size of an operation's body.
pub(crate) const OPERATION_BYTES: usize = 64;
/// How many values a node writes over and over.
const KEYS: u64 = 1_000;
/// Transactions under way at a time while flooding.
const IN_FLIGHT: usize = 2_048;

/// When operations of others became visible, by sequence; `None` while nobody asks.
type Seen = Arc<Mutex<Option<Vec<(u64, u64)>>>>;

pub(crate) async fn run() -> Result<()> {
    let mut orders = Orders::listen();
    let gone = orders.gone();
    tokio::select! {
        ended = obey_all(&mut orders) => ended,
        () = gone => Ok(()),
    }
}

async fn obey_all(orders: &mut Orders) -> Result<()> {
    let mut worker = Worker { nodes: Vec::new(), seen: Seen::default() };
    let mut raw: Option<Raw> = None;
    loop {
        let order = tokio::select! {
            order = orders.next() => order?,
            Some(event) = next_event(&mut raw) => {
                if let Some(raw) = &mut raw {
                    raw.hear(event).await?;
                }
                continue;
            }
        };
        match order {
            Some(Order::Raw(order)) => {
                let raw = match &mut raw {
                    Some(raw) => raw,
                    None => raw.insert(Raw::new()?),
                };
                raw.order(order);
            }
            Some(order) => worker.obey(order).await?,
            None => return Ok(()),
        }
    }
}

async fn next_event(raw: &mut Option<Raw>) -> Option<meshwork_transport::ConnectionEvent> {
    match raw {
        Some(raw) => raw.event().await,
        None => None,
    }
}

struct Worker {
    nodes: Vec<Node>,
    seen: Seen,
}

impl Worker {
    async fn obey(&mut self, order: Order) -> Result<()> {
        let told = match order {
            Order::Start { hub, room, name, data, nodes } => {
                let hub: Url = hub.parse().context("not a hub's address")?;
                for number in 0..nodes {
                    let node = start(&hub, room, format!("{name}{number}"), data.clone()).await?;
                    actix_web::rt::spawn(listen(node.clone(), self.seen.clone()));
                    self.nodes.push(node);
                }
                let replicas = self.nodes.iter().filter_map(Node::incarnation);
                let replicas = replicas.map(|incarnation| incarnation.replica).collect();
                Tell::Started { replicas, at_us: wall_us() }
            }
            Order::Watch => {
                *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
                Tell::Watching
            }
            Order::Seen => {
                let times = self.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
                Tell::Seen { times: times.unwrap_or_default() }
            }
            Order::Pace { edits, every_us } => {
                Tell::Paced { times: pace(self.node()?, edits, Duration::from_micros(every_us)).await? }
            }
            Order::Flood { batch, ms, edits } => {
                let start_us = wall_us();
                let until = ms.map(|ms| Instant::now() + Duration::from_millis(ms));
                let more = |made| {
                    edits.is_none_or(|edits| made < edits) && until.is_none_or(|until| Instant::now() < until)
                };
                let (made, last) = flood(self.node()?, batch, more).await?;
                Tell::Flooded { start_us, made, up_to: last.map_or(0, |dot| dot.sequence) }
            }
            Order::Await { up_to } => {
                reach(self.node()?, up_to).await?;
                Tell::Reached { at_us: wall_us() }
            }
            Order::Stop => {
                for node in self.nodes.drain(..) {
                    node.close().await;
                }
                Tell::Stopped
            }
            Order::Raw(_) => return Ok(()),
        };
        tell(&told);
        Ok(())
    }

    fn node(&self) -> Result<&Node> {
        self.nodes.first().context("no node was started")
    }
}

async fn start(hub: &Url, room: RoomCode, name: String, data: Option<PathBuf>) -> Result<Node> {
    let mut config = NodeConfig { name, data, ..NodeConfig::default() };
    config.discovery.hubs = vec![hub.clone()];
    config.discovery.room = room;
    Ok(Node::builder().config(config).start().await?)
}

/// Tells of links, and notes what becomes visible.
async fn listen(node: Node, seen: Seen) {
    let mut events = node.events();
    // A strong handle would keep the node alive.
    drop(node);
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        let at_us = wall_us();
        match &*event {
            Event::LinkUp { peer } => tell(&Tell::Linked { connect_us: peer.connect_us, at_us }),
            Event::LinkDown { .. } => tell(&Tell::Unlinked { at_us }),
            Event::OperationReceived { dots, .. } => {
                if let Some(times) = &mut *seen.lock().unwrap_or_else(PoisonError::into_inner) {
                    times.extend(dots.iter().map(|dot| (dot.sequence, at_us)));
                }
            }
            _ => {}
        }
    }
}

fn edit(node: &str, number: u64, padding: usize) -> Vec<Edit> {
    let text = format!("{number:0>padding$}");
    vec![Edit::Set { path: vec![node.to_owned(), format!("k{}", number % KEYS)], value: Value::Text(text) }]
}

/// The length of text for which an edit that overwrites another becomes a body of [`OPERATION_BYTES`].
fn padding(node: &str) -> Result<usize> {
    let document = DocumentId::new(DOCUMENT)?;
    let mut trial = Documents::new(Default::default());
    let incarnation = Incarnation { replica: ReplicaId::default(), epoch: 1, next_sequence: 1 };
    trial.handle(Timestamp::default(), documents::Input::Incarnation(incarnation));
    let mut bytes = 0;
    let number = 100_000;
    for _ in 0..2 {
        let input = documents::Input::Edit {
            request: RequestId::default(),
            document: document.clone(),
            edits: edit(node, number, 6),
        };
        trial.handle(Timestamp::default(), input);
        while let Some(effect) = trial.poll_effect() {
            if let documents::Effect::Append(operations) = effect {
                bytes = operations.iter().map(|operation| operation.body.len()).sum();
            }
        }
    }
    Ok(6 + OPERATION_BYTES.saturating_sub(bytes))
}

/// Edits one at a time; returns when each was begun.
async fn pace(node: &Node, edits: u64, every: Duration) -> Result<Vec<(u64, u64)>> {
    let padding = padding(node.name())?;
    let mut times = Vec::new();
    for number in 0..edits {
        tokio::time::sleep(every).await;
        let begun_us = wall_us();
        let dot = node.edit(DOCUMENT, edit(node.name(), number, padding)).await?;
        times.push((dot.sequence, begun_us));
    }
    Ok(times)
}

/// Edits as fast as the node takes them, while there are to be more.
async fn flood(node: &Node, batch: usize, more: impl Fn(u64) -> bool) -> Result<(u64, Option<Dot>)> {
    let padding = padding(node.name())?;
    let calls = IN_FLIGHT.div_ceil(batch);
    let (mut made, mut last) = (0, None);
    let mut under_way = FuturesUnordered::new();
    loop {
        while under_way.len() < calls && more(made) {
            under_way.push(one_call(node, made, batch, padding));
            made += batch as u64;
        }
        match under_way.next().await {
            Some(dot) => last = dot?.max(last),
            None => return Ok((made, last)),
        }
    }
}

/// One call of the node: so many transactions at once.
async fn one_call(node: &Node, number: u64, batch: usize, padding: usize) -> Result<Option<Dot>> {
    if batch == 1 {
        return Ok(Some(node.edit(DOCUMENT, edit(node.name(), number, padding)).await?));
    }
    let edits = (number..number + batch as u64).map(|number| edit(node.name(), number, padding));
    let dots: Result<Vec<Dot>, _> = node.edit_many(DOCUMENT, edits).await?.into_iter().collect();
    Ok(dots?.last().copied())
}

/// Waits until everything up to there is durable and visible.
async fn reach(node: &Node, up_to: BTreeMap<ReplicaId, u64>) -> Result<()> {
    for (replica, sequence) in up_to {
        if sequence > 0 {
            node.stored(Dot::new(replica, sequence)).await?;
            // What is stored was on its way to the documents before.
            node.read(|_| ()).await?;
        }
    }
    Ok(())
}
