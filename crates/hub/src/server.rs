//! The HTTP and WebSocket server around the machine.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    net::{IpAddr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, Responder,
    dev::ServerHandle,
    http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_SECURITY_POLICY, ContentType},
    web,
};
use meshwork_base::{Monotonic, Seed, Timestamp, step};
use meshwork_discovery::ErrorCode;
use meshwork_identity::{Ed25519, RoomCode};
use tokio::task::JoinHandle;

use crate::{
    ConnectionId, Effect, Hub, HubConfig, HubError, Input, Stats,
    connection::{Outgoing, Outlet, web_socket},
    page::Page,
    pages,
};

/// How many ports to try for a suggestion.
const PORTS_TRIED: u16 = 16;

/// How many sockets there may be beside the hub's connections.
const SOCKETS_SPARE: usize = 256;

/// The machine and its connections, for the handlers of one server.
pub(crate) struct Shared {
    config: HubConfig,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    hub: Hub,
    next: u64,
    outlets: BTreeMap<ConnectionId, Outlet>,
}

impl Shared {
    pub(crate) fn config(&self) -> &HubConfig {
        &self.config
    }

    /// A panic elsewhere leaves a hub that is still good: a machine finishes or refuses, and rooms are rebuilt.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        let monotonic = Monotonic(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX));
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp { monotonic, wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX) }
    }

    /// Takes a connection in; what the machine says to it goes to `outlet`.
    pub(crate) fn connect(&self, address: IpAddr, outlet: Outlet) -> ConnectionId {
        let mut state = self.lock();
        let connection = ConnectionId(state.next);
        state.next += 1;
        state.outlets.insert(connection, outlet);
        state.drive(self.now(), Some(Input::Connected { connection, address }));
        connection
    }

    /// Ends a connection, for a violation or because it is gone.
    pub(crate) fn disconnect(&self, connection: ConnectionId, violated: Option<ErrorCode>) {
        let mut state = self.lock();
        let input = match violated {
            Some(code) => Input::Violated { connection, code },
            None => Input::Disconnected { connection },
        };
        state.drive(self.now(), Some(input));
        state.outlets.remove(&connection);
    }

    pub(crate) fn drive(&self, input: Option<Input>) {
        self.lock().drive(self.now(), input);
    }

    fn stats(&self) -> Stats {
        self.lock().hub.stats()
    }

    /// Lets go of every connection; their writers end.
    fn close_all(&self) {
        self.lock().outlets.clear();
    }
}

impl State {
    fn drive(&mut self, now: Timestamp, input: Option<Input>) {
        let mut slow = Vec::new();
        let Self { hub, outlets, .. } = self;
        step(hub, now, input, |effect| perform(outlets, effect, &mut slow));
        // A client that does not read costs itself the connection, and nobody else anything.
        while let Some(connection) = slow.pop() {
            step(hub, now, Some(Input::Disconnected { connection }), |effect| {
                perform(outlets, effect, &mut slow)
            });
        }
    }
}

fn perform(outlets: &mut BTreeMap<ConnectionId, Outlet>, effect: Effect, slow: &mut Vec<ConnectionId>) {
    let (connection, outgoing) = match effect {
        Effect::Send { connection, message } => match message.to_json() {
            Ok(text) => (connection, Outgoing::Text(text)),
            Err(error) => {
                tracing::warn!(%error, "a message of the hub was not sent");
                return;
            }
        },
        Effect::Close { connection, reason } => (connection, Outgoing::Close(reason)),
    };
    let closes = matches!(outgoing, Outgoing::Close(_));
    let full = outlets.get(&connection).is_some_and(|outlet| !outlet.put(outgoing));
    if full && !closes {
        tracing::debug!(?connection, "a client does not read; closing");
        slow.push(connection);
    }
    if full || closes {
        outlets.remove(&connection);
    }
}

/// A hub that has its port, but does not serve yet.
pub struct HubServer {
    listener: TcpListener,
    local: SocketAddr,
    shared: web::Data<Shared>,
    page: Page,
}

impl HubServer {
    /// Checks the settings and takes the port; port 0 takes any free one.
    pub fn bind(config: HubConfig, listen: SocketAddr) -> Result<Self, HubError> {
        config.validate()?;
        let refuse = |source: std::io::Error| match source.kind() {
            ErrorKind::AddrInUse => HubError::PortInUse { address: listen, free: free_port(listen) },
            _ => HubError::Listen { address: listen, source },
        };
        let listener = TcpListener::bind(listen).map_err(refuse)?;
        let local = listener.local_addr()?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| HubError::Random(error.to_string()))?;
        let hub = Hub::new(config.clone(), Arc::new(Ed25519), Seed::new(seed));
        let state = Mutex::new(State { hub, next: 0, outlets: BTreeMap::new() });
        let shared = web::Data::new(Shared { config, started: Instant::now(), state });
        Ok(Self { listener, local, shared, page: Page::embedded() })
    }

    /// Serves another page to browsers than the one that this program was built with.
    #[must_use]
    pub fn with_page(self, page: Page) -> Self {
        Self { page, ..self }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Serves on one worker thread until the returned handle is stopped or dropped. To be called inside an actix
    /// system; installs no signal handlers.
    pub fn run(self) -> Result<RunningHub, HubError> {
        let Self { listener, local, shared, page } = self;
        let (data, page) = (shared.clone(), web::Data::new(page));
        let app = move || App::new().app_data(data.clone()).app_data(page.clone()).configure(routes);
        // Those that the machine refuses have to be told so, and pages have visitors; beyond that, nobody gets in.
        let sockets_max = shared.config().connections_max.saturating_add(SOCKETS_SPARE);
        let server = HttpServer::new(app).workers(1).max_connections(sockets_max).disable_signals();
        let server = server.shutdown_timeout(1).listen(listener)?.run();
        let sweeper = actix_web::rt::spawn(sweep(shared.clone()));
        Ok(RunningHub {
            local,
            shared,
            handle: server.handle(),
            server: actix_web::rt::spawn(server),
            sweeper,
        })
    }
}

async fn sweep(shared: web::Data<Shared>) {
    // The hub's life begins now, and those who wait for the end of its youth are not left until the next sweep.
    shared.drive(None);
    let grown = tokio::time::sleep(Duration::from_millis(shared.config().found_after_ms));
    let mut interval = tokio::time::interval(Duration::from_millis(shared.config().sweep_ms));
    let sweeps = async {
        loop {
            interval.tick().await;
            shared.drive(None);
        }
    };
    let grows = async {
        grown.await;
        shared.drive(None);
    };
    tokio::join!(sweeps, grows);
}

fn free_port(taken: SocketAddr) -> Option<u16> {
    let mut ports = (1..=PORTS_TRIED).filter_map(|step| taken.port().checked_add(step));
    ports.find(|port| TcpListener::bind(SocketAddr::new(taken.ip(), *port)).is_ok())
}

/// A hub at work. Dropping it stops it.
pub struct RunningHub {
    local: SocketAddr,
    shared: web::Data<Shared>,
    handle: ServerHandle,
    server: JoinHandle<std::io::Result<()>>,
    sweeper: JoinHandle<()>,
}

impl RunningHub {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Counts, as at `/api/stats`.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Closes every connection and frees the port.
    pub async fn stop(self) {
        self.shared.close_all();
        self.handle.stop(false).await;
    }

    /// Waits for the server to end by itself, which it does only when it breaks down.
    pub async fn finished(&mut self) -> Result<(), HubError> {
        match (&mut self.server).await {
            Ok(result) => Ok(result?),
            Err(error) => Err(std::io::Error::other(error).into()),
        }
    }
}

impl Drop for RunningHub {
    fn drop(&mut self) {
        self.sweeper.abort();
        self.shared.close_all();
        // The command is sent at once; only waiting for it to be done would take the future.
        drop(self.handle.stop(false));
    }
}

fn routes(app: &mut web::ServiceConfig) {
    app.route("/", web::get().to(home))
        .route("/ws", web::get().to(web_socket))
        .route("/api/stats", web::get().to(stats))
        .route("/page/place.json", web::get().to(place))
        .route("/page/{file}", web::get().to(file))
        .route("/join/{room}", web::get().to(join));
}

async fn home(request: HttpRequest, page: web::Data<Page>) -> impl Responder {
    let index = page.index(&request);
    index.unwrap_or_else(|| HttpResponse::Ok().content_type(ContentType::html()).body(pages::home()))
}

async fn file(request: HttpRequest, name: web::Path<String>, page: web::Data<Page>) -> impl Responder {
    page.file(&name, &request).unwrap_or_else(|| HttpResponse::NotFound().finish())
}

/// What the page suggests to whoever joins: here, this hub, which its address names.
async fn place() -> impl Responder {
    HttpResponse::Ok().json(serde_json::json!({}))
}

async fn stats(shared: web::Data<Shared>) -> impl Responder {
    HttpResponse::Ok().insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*")).json(shared.stats())
}

async fn join(request: HttpRequest, room: web::Path<String>, page: web::Data<Page>) -> impl Responder {
    match room.parse::<RoomCode>() {
        Ok(room) => page.index(&request).unwrap_or_else(|| {
            HttpResponse::Ok()
                .content_type(ContentType::html())
                .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; script-src 'unsafe-inline'"))
                .body(pages::join(room))
        }),
        Err(_) => HttpResponse::NotFound().content_type(ContentType::plaintext()).body(pages::NO_ROOM),
    }
}
