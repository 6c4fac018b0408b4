//! The local API of a node: HTTP and JSON, on loopback.
//!
//! | request | answer |
//! |---|---|
//! | `GET /api/status` | who this is, who is linked, how much is held |
//! | `GET /api/documents` | the names of all documents |
//! | `GET /api/documents/{doc}?path=a/b` | the document, or what lies at a path, as JSON |
//! | `POST /api/documents/{doc}?wait=stored` | one edit or a list of them, as one transaction; answers with its dot |
//! | `GET /api/presence` | who is here, and what each of them shows |
//! | `POST /api/presence` | shows the others a value for a while, or clears it |
//! | `GET /api/events` | server-sent events |
//! | `POST /api/sync` | compares versions with every linked peer now |
//! | `GET /` | the page with which a browser becomes a member, if this program was built with it |
//!
//! Errors are `{"error": {"code": …, "message": …}}`. Requests must name a loopback host, come from no page of
//! another origin, and declare bodies as JSON, so that a web page cannot reach the node through somebody's browser.

mod documents;
mod error;
mod events;
mod page;
mod presence;
mod status;

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use actix_web::{
    App, HttpServer,
    dev::{Server, ServiceRequest, ServiceResponse},
    http::header,
    middleware::{Next, from_fn},
    web,
};
use meshwork_hub::Page;

use crate::Node;
use error::ApiError;

/// The longest body of a request, in bytes: the largest operation, written as JSON.
pub const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Serves one node's API.
pub struct ApiServer {
    node: Node,
    server: Server,
    local_addr: SocketAddr,
}

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Others could reach the node.
    #[error("the API listens on loopback only, and {0} is not a loopback address; use 127.0.0.1 or [::1]")]
    NotLoopback(SocketAddr),
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}: {source}; is another node running there? Choose another --api")]
    Io {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

impl ApiServer {
    /// Listens on `address` (port 0: any free one). Call it inside an actix system.
    pub fn bind(node: Node, address: SocketAddr) -> Result<Self, BindError> {
        Self::bind_with_page(node, address, Page::embedded())
    }

    /// The same, with another page for browsers than the one that this program was built with.
    pub fn bind_with_page(node: Node, address: SocketAddr, page: Page) -> Result<Self, BindError> {
        if !address.ip().is_loopback() {
            return Err(BindError::NotLoopback(address));
        }
        let io = |source| BindError::Io { address, source };
        let (data, page) = (web::Data::new(node.clone()), web::Data::new(page));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .app_data(page.clone())
                .app_data(web::JsonConfig::default().limit(REQUEST_BYTES_MAX).error_handler(error::bad_json))
                .app_data(web::QueryConfig::default().error_handler(error::bad_query))
                .wrap(from_fn(local_only))
                .service(status::get)
                .service(status::sync)
                .service(documents::list)
                .service(documents::get)
                .service(documents::edit)
                .service(presence::get)
                .service(presence::change)
                .service(events::follow)
                .service(page::index)
                .service(page::place)
                .service(page::file)
                .default_service(web::to(error::no_such_path))
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .bind(address)
        .map_err(io)?;
        let local_addr = server.addrs().first().copied().unwrap_or(address);
        Ok(Self { node, server: server.run(), local_addr })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until the node has ended and those who wait for an answer have it.
    pub async fn run(self) -> io::Result<()> {
        let Self { node, mut server, .. } = self;
        tokio::select! {
            broken = &mut server => return broken,
            () = node.ended() => {}
        }
        let stop = server.handle().stop(true);
        tokio::join!(server, stop).0
    }
}

/// Refuses what web pages ask for through somebody's browser.
async fn local_only(
    request: ServiceRequest,
    next: Next<impl actix_web::body::MessageBody>,
) -> Result<ServiceResponse<impl actix_web::body::MessageBody>, actix_web::Error> {
    check_host(&request)?;
    check_origin(&request)?;
    next.call(request).await
}

/// Refuses requests for another host: a page that resolves its own name to 127.0.0.1 must not get in.
fn check_host(request: &ServiceRequest) -> Result<(), ApiError> {
    let header = request.headers().get(header::HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
    // A request may name a host in its target too. What a proxy claims to have been asked for does not count.
    let named = [header.as_deref(), request.uri().authority().map(|authority| authority.as_str())];
    match named.into_iter().flatten().find(|host| !is_loopback(host)) {
        Some(foreign) => Err(ApiError::ForeignHost(foreign.to_owned())),
        None => Ok(()),
    }
}

/// Refuses requests of pages that this server has not served: a browser sends a simple request first and keeps its
/// answer from the page afterwards, when it has had its effect. Programs send neither of the two headers.
fn check_origin(request: &ServiceRequest) -> Result<(), ApiError> {
    let texts = |name| request.headers().get_all(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let own: Vec<String> = texts(header::HOST).map(|host| format!("http://{host}")).collect();
    if let Some(origin) =
        texts(header::ORIGIN).find(|origin| !own.iter().any(|own| own.eq_ignore_ascii_case(origin)))
    {
        return Err(ApiError::ForeignOrigin(origin.into_owned()));
    }
    let site = texts(header::HeaderName::from_static("sec-fetch-site"));
    match site.into_iter().find(|site| site != "same-origin" && site != "none") {
        Some(site) => Err(ApiError::ForeignOrigin(site.into_owned())),
        None => Ok(()),
    }
}

/// Whether `host`, with a port or without, is this machine's name for itself.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
