//! A node's thread: opens storage, starts the actors, rebuilds them when one dies, closes them in order.

use std::{
    cell::Cell,
    collections::VecDeque,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use meshwork_base::{Seed, SessionId};
use meshwork_consensus::{self as consensus, Consensus};
use meshwork_crdt_state::Documents;
use meshwork_discovery::{self as discovery, Discovery};
use meshwork_identity::{Ed25519, RoomCode, Signer as _, SpaceSecret, Verifier};
use meshwork_op_log::{self as op_log, OpLog};
use meshwork_presence::{self as presence, Presence};
use meshwork_shell::{Clock, Inbox};
use meshwork_storage::{Store, StoreId};
use meshwork_transport::{self as transport, Transport};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use url::Url;

use super::{
    actors::Actors,
    hub_client::HubClients,
    membership::{self, Joined},
    node::{Identity, Inner, Running},
    performer::{Performer, SharedPerformer},
    shared::Shared,
    start_error::StartError,
    storage,
};
use crate::{Command, Event, Input, Machines, Membership, Node, NodeBuilder, Profile, route};

/// Connection events on their way to the transport machine.
const CONNECTION_EVENTS_MAX: usize = 256;
/// Edits on their way to the documents.
const EDITS_MAX: usize = 1024;
/// How often the actors may be rebuilt within [`REBUILDS_WINDOW`] before the node gives up.
const REBUILDS_MAX: usize = 5;
const REBUILDS_WINDOW: Duration = Duration::from_secs(60);
/// How long a closing node waits for its last write.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// What outlives a single life of the actors.
struct Frame {
    builder: NodeBuilder,
    profile: Profile,
    membership: Membership,
    /// The membership is that of the profile, or was let in by a hub or a peer.
    proven: bool,
    /// Which store this is.
    store: Cell<Option<StoreId>>,
    shared: Arc<Shared>,
    clock: Clock,
    seed: Seed,
}

/// What [`open`] leaves to the node's first life.
struct Opened {
    frame: Frame,
    store: Box<dyn Store>,
    joined: Option<Joined>,
}

/// Starts a node's thread and waits until the actors run. When this is dropped before, the thread ends.
pub(crate) async fn start(
    builder: NodeBuilder,
    invited: Option<Membership>,
) -> Result<(Node, broadcast::Receiver<Arc<Event>>), StartError> {
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy).map_err(|error| StartError::System(error.to_string()))?;
    let seed = Seed::new(entropy);
    let shared = Arc::new(Shared::new(builder.config.events_capacity, builder.config.unsaved_edits_max));
    let events = shared.events.subscribe();
    let name = builder.config.name.clone();
    let (stop, stopped) = watch::channel(false);
    let (ended, has_ended) = watch::channel(false);
    let (publish, running) = watch::channel(None);
    let (mut ready, started) = oneshot::channel();
    let on_thread = shared.clone();
    std::thread::Builder::new()
        .name(format!("meshwork {name}"))
        .spawn(move || {
            actix::System::new().block_on(async move {
                let opened = tokio::select! {
                    opened = open(builder, invited, on_thread, seed) => Some(opened),
                    // It may be waiting for a hub. Nobody waits for it any more.
                    () = ready.closed() => None,
                };
                match opened {
                    Some(Ok(opened)) => opened.live(ready, publish, stopped).await,
                    Some(Err(error)) => drop(ready.send(Err(error))),
                    None => {}
                }
                ended.send_replace(true);
            });
        })
        .map_err(|error| StartError::System(error.to_string()))?;
    let place = started.await.unwrap_or(Err(StartError::Ended))?;
    Ok((Node::new(Inner { name, place, shared, running, stop, ended: has_ended }), events))
}

/// Opens the store and the profile, and settles which space this is. The store comes first: whoever has it open is the
/// only one to write the profile. A profile that cannot be used is refused before either is touched.
async fn open(
    builder: NodeBuilder,
    invited: Option<Membership>,
    shared: Arc<Shared>,
    seed: Seed,
) -> Result<Opened, StartError> {
    let clock = Clock::system();
    let known = Cell::new(None);
    if let Some(directory) = &builder.config.data {
        Profile::find(directory)?;
    }
    let store = storage::open(&builder, &known)?;
    let mut profile = match &builder.config.data {
        Some(directory) => Profile::open(directory, &seed, store.stats().rows > 0)?,
        None => Profile::generate(&seed),
    };
    let (membership, joined) = membership::settle(&builder.config, &profile, invited, clock, &seed).await?;
    let proven = profile.membership.as_ref() == Some(&membership) || joined.is_some();
    let newcomer = profile.membership.is_none();
    profile.membership = Some(membership.clone());
    if let Some(directory) = &builder.config.data {
        if newcomer {
            profile.write(directory)?;
        } else if !proven {
            let events = shared.events.subscribe();
            tokio::task::spawn_local(membership::keep_once_proven(
                profile.clone(),
                directory.clone(),
                events,
            ));
        }
    }
    let frame = Frame { builder, profile, membership, proven, store: known, shared, clock, seed };
    Ok(Opened { frame, store, joined })
}

impl Opened {
    /// Lives until told to stop, through any number of rebuilds.
    async fn live(
        self,
        ready: oneshot::Sender<Result<Option<(Url, RoomCode)>, StartError>>,
        publish: watch::Sender<Option<Running>>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let Self { frame, store, mut joined } = self;
        let mut store = Some(store);
        let mut ready = Some(ready);
        let mut rebuilds: VecDeque<Instant> = VecDeque::new();
        for life in 0u64.. {
            let (tell_death, mut deaths) = mpsc::unbounded_channel();
            let mut incarnation = frame.shared.incarnation.subscribe();
            let (running, performer) = match frame.be_born(life, store.take(), joined.take(), tell_death) {
                Ok(born) => born,
                Err(error) => {
                    match ready.take() {
                        Some(ready) => drop(ready.send(Err(error))),
                        None => tracing::error!(%error, "the node cannot start again"),
                    }
                    break;
                }
            };
            route::from_host(Input::Command(Command::Start), |routed| running.actors.tell(routed));
            let serve = async {
                // The log names its incarnation first of all; before that, the documents take no edits.
                let _ = incarnation.changed().await;
                publish.send_replace(Some(running.clone()));
                if let Some(ready) = ready.take() {
                    // Whoever started the node may have gone.
                    let _ = ready.send(Ok(frame.place()));
                }
                // An error means that every handle is gone.
                let _ = stopped.wait_for(|stopped| *stopped).await;
            };
            let died = tokio::select! {
                biased;
                name = deaths.recv() => name,
                () = serve => None,
            };
            publish.send_replace(None);
            if died.is_none() {
                frame.say_goodbye(&running).await;
            }
            running.actors.shutdown().await;
            // The wiring holds the other reference, and is gone with the actors.
            let performer = performer.borrow_mut().take();
            if let Some(performer) = performer {
                performer.close().await;
            }
            frame.shared.abandon_edits();
            let Some(name) = died else { break };
            frame.shared.deaths.send_modify(|deaths| *deaths += 1);
            rebuilds.push_back(Instant::now());
            rebuilds.retain(|at| at.elapsed() < REBUILDS_WINDOW);
            if rebuilds.len() > REBUILDS_MAX {
                tracing::error!(part = name, "rebuilt too often; the node gives up");
                break;
            }
            tracing::error!(part = name, "a part of the node failed: rebuilding it from storage");
        }
    }
}

impl Frame {
    /// Starts an actor for each machine, on the store that is open already, or else on one that is opened again.
    fn be_born(
        &self,
        life: u64,
        store: Option<Box<dyn Store>>,
        joined: Option<Joined>,
        deaths: mpsc::UnboundedSender<&'static str>,
    ) -> Result<(Running, SharedPerformer), StartError> {
        let session = match life {
            0 => membership::first_session(&self.seed),
            life => SessionId(self.seed.fork(&format!("session {life}")).random().bytes()),
        };
        let identity = Identity { node: self.profile.key.node(), session, space: self.membership.space };
        let store = store.map_or_else(|| storage::open(&self.builder, &self.store), Ok)?;
        let durable = store.durable();
        let machines = self.machines(life, identity, durable, store.as_ref())?;
        let (connection_events, incoming) = mpsc::channel(CONNECTION_EVENTS_MAX);
        let connector = self.builder.make_connector(connection_events).map_err(StartError::Connector)?;
        let (running, hubs) = match joined {
            Some(Joined { discovery, effects, hubs }) => (Some((discovery, effects)), Some(hubs)),
            None => (None, None),
        };
        let told = deaths.clone();
        let (actors, performer) = Actors::start(machines, running, self.clock, deaths, |actors| {
            let discovery = actors.discovery.clone();
            let (config, op_log) = (&self.builder.config.storage, actors.op_log.clone());
            let writer = storage::spawn_writer(store, config, op_log, self.shared.clone(), told);
            let hubs = hubs.or_else(|| discovery.map(|discovery| HubClients::new(discovery.recipient())));
            Performer::start(writer, connector, hubs, self.shared.clone())
        });
        carry_connection_events(&actors, incoming);
        let documents = Inbox::new(actors.documents.clone().recipient(), EDITS_MAX);
        Ok((Running { identity, actors, documents }, performer))
    }

    fn machines(
        &self,
        life: u64,
        identity: Identity,
        durable: bool,
        store: &dyn Store,
    ) -> Result<Machines, StartError> {
        let Identity { node, session, space } = identity;
        let config = &self.builder.config;
        let now = self.clock.now();
        let seed = |part: &str| self.seed.fork(&format!("{part} {life}"));
        let signer = Arc::new(self.profile.key.clone());
        let verifier: Arc<dyn Verifier> = Arc::new(Ed25519);
        let secret = self.membership.secret.clone();
        let access = (secret != SpaceSecret::open(&space)).then(|| secret.room_access());
        let context = op_log::Context { space, signer: signer.clone(), verifier: verifier.clone() };
        let op_log = OpLog::open(config.op_log.clone(), context, now, seed("op-log"), store.load()?)
            .map_err(|source| StartError::Log { directory: self.directory(), source })?;
        let context = transport::Context {
            space,
            secret,
            session,
            durable,
            signer: signer.clone(),
            verifier: verifier.clone(),
        };
        let transport = Transport::new(config.transport.clone(), context, now, seed("transport"));
        let presence = self.builder.presence.then(|| {
            let capabilities = capabilities(durable);
            let context = presence::Context { session, node, name: config.name.clone(), capabilities };
            Presence::new(config.presence.clone(), context, now)
        });
        let discovery = (!config.discovery.hubs.is_empty()).then(|| {
            let context = discovery::Context {
                session,
                signer: signer.clone(),
                name: config.name.clone(),
                space: Some(space),
                access,
            };
            let discovery = Discovery::new(config.discovery.clone(), context, now, seed("discovery"));
            if self.proven { discovery.with_proven_access() } else { discovery }
        });
        let consensus = self.builder.consensus.then(|| {
            let context =
                consensus::Context { space, durable, signer: signer.clone(), verifier: verifier.clone() };
            Consensus::new(config.consensus.clone(), context)
        });
        let documents = Documents::new(config.documents.clone());
        Ok(Machines { op_log, documents, transport, presence, discovery, consensus })
    }

    fn place(&self) -> Option<(Url, RoomCode)> {
        let discovery = &self.builder.config.discovery;
        discovery.hubs.first().map(|hub| (hub.clone(), discovery.room))
    }

    fn directory(&self) -> String {
        self.builder.config.data.clone().unwrap_or_else(|| PathBuf::from("memory")).display().to_string()
    }

    /// Stores everything, and says goodbye to everybody.
    async fn say_goodbye(&self, running: &Running) {
        let mut closed = self.shared.closed.subscribe();
        route::from_host(Input::Command(Command::Close), |routed| running.actors.tell(routed));
        if tokio::time::timeout(CLOSE_TIMEOUT, closed.wait_for(|closed| *closed)).await.is_err() {
            tracing::error!("storage did not take the last writes in time; what was acknowledged is safe");
        }
    }
}

/// What this kind of node tells about itself.
fn capabilities(durable: bool) -> presence::Capabilities {
    let told = [("kind", "native"), ("storage", if durable { "disk" } else { "memory" })];
    told.into_iter().fold(presence::Capabilities::default(), |capabilities, (name, value)| {
        // Names and values of ours are within the bounds.
        capabilities.clone().with(name, value).unwrap_or(capabilities)
    })
}

/// Carries what happens to connections to the transport machine, as fast as that takes it.
fn carry_connection_events(
    actors: &Actors,
    mut incoming: mpsc::Receiver<(transport::LinkId, transport::ConnectionEvent)>,
) {
    let inbox = Inbox::new(actors.transport.clone().recipient(), CONNECTION_EVENTS_MAX);
    tokio::task::spawn_local(async move {
        while let Some((link, event)) = incoming.recv().await {
            if inbox.send(transport::Input::Connection { link, event }).await.is_err() {
                return;
            }
        }
    });
}
