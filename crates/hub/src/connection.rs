//! One WebSocket of the server.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{CloseCode, CloseReason, Item, Message, MessageStream, ProtocolError, Session};
use meshwork_discovery::ErrorCode;
use tokio::{sync::mpsc, time::Instant};

use crate::{ConnectionId, HubConfig, Input, server::Shared};

/// In how many frames a text may come. Counting bytes alone would let empty frames fill the memory.
const TEXT_PARTS_MAX: usize = 16;

/// What is to be written.
pub(crate) enum Outgoing {
    Text(String),
    Close(String),
}

/// Where the machine puts what is to be written to a client.
pub(crate) struct Outlet {
    sender: mpsc::Sender<Outgoing>,
    bytes_max: usize,
    bytes: Arc<AtomicUsize>,
}

/// Where the writer finds it.
struct Queue {
    receiver: mpsc::Receiver<Outgoing>,
    bytes: Arc<AtomicUsize>,
}

impl Outlet {
    fn new(config: &HubConfig) -> (Self, Queue) {
        let (sender, receiver) = mpsc::channel(config.outgoing_messages_max);
        let bytes = Arc::new(AtomicUsize::new(0));
        let outlet = Self { sender, bytes_max: config.outgoing_bytes_max, bytes: bytes.clone() };
        (outlet, Queue { receiver, bytes })
    }

    /// Whether there was room for it.
    pub(crate) fn put(&self, outgoing: Outgoing) -> bool {
        let Outgoing::Text(text) = &outgoing else { return self.sender.try_send(outgoing).is_ok() };
        let size = text.len();
        let waiting = self.bytes.fetch_add(size, Ordering::Relaxed);
        waiting + size <= self.bytes_max && self.sender.try_send(outgoing).is_ok()
    }
}

/// `GET /ws`.
pub(crate) async fn web_socket(
    request: HttpRequest,
    body: web::Payload,
    shared: web::Data<Shared>,
) -> actix_web::Result<HttpResponse> {
    let address = client_address(&request, shared.config())
        .ok_or_else(|| actix_web::error::ErrorBadRequest("the client's address is unknown"))?;
    let (response, session, stream) = actix_ws::handle(&request, body)?;
    let limit = shared.config().message_bytes_max;
    actix_web::rt::spawn(serve(shared.into_inner(), address, session, stream.max_frame_size(limit)));
    Ok(response)
}

fn client_address(request: &HttpRequest, config: &HubConfig) -> Option<IpAddr> {
    if config.behind_proxy {
        // Only the last entry was written by our own proxy; the ones before it are the client's claims.
        let forwarded = request.headers().get_all("x-forwarded-for").last()?.to_str().ok()?;
        return forwarded.rsplit(',').next()?.trim().parse().ok();
    }
    request.peer_addr().map(|address| address.ip())
}

/// Serves a connection until either side ends it. Reading stops while the machine works, and a writer that the client
/// does not drain ends by its timeout, so a connection never holds more than its bounds.
async fn serve(shared: Arc<Shared>, address: IpAddr, session: Session, stream: MessageStream) {
    let (outlet, queue) = Outlet::new(shared.config());
    let id = shared.connect(address, outlet);
    let timeout = Duration::from_millis(shared.config().write_timeout_ms);
    let mut writer = std::pin::pin!(write(session.clone(), queue, timeout));
    tokio::select! {
        () = &mut writer => {}
        violated = read(&shared, id, session, stream) => {
            shared.disconnect(id, violated);
            // What the machine said last, such as why it refuses, still goes out.
            writer.await;
        }
    }
    shared.disconnect(id, None);
}

/// Writes until told to close, until the machine lets go of the connection, or until the client stops reading. Once the
/// machine has let go, all that is left has to be written in the time of one message.
async fn write(mut session: Session, mut queue: Queue, timeout: Duration) {
    let mut last = None;
    while let Some(outgoing) = queue.receiver.recv().await {
        let end = Instant::now() + timeout;
        let end = if queue.receiver.is_closed() { *last.get_or_insert(end) } else { end };
        match outgoing {
            Outgoing::Text(text) => {
                let size = text.len();
                match tokio::time::timeout_at(end, session.text(text)).await {
                    Ok(Ok(())) => queue.bytes.fetch_sub(size, Ordering::Relaxed),
                    _ => return,
                };
            }
            Outgoing::Close(reason) => {
                let reason = CloseReason { code: CloseCode::Policy, description: Some(reason) };
                let _ = tokio::time::timeout_at(end, session.close(Some(reason))).await;
                return;
            }
        }
    }
}

/// Hands every text to the machine. Returns at the end of the connection, with the violation if one ended it.
async fn read(
    shared: &Shared,
    id: ConnectionId,
    mut session: Session,
    mut stream: MessageStream,
) -> Option<ErrorCode> {
    let received = |message| shared.drive(Some(Input::Received { connection: id, message }));
    let nothing_said = || shared.drive(Some(Input::NothingSaid { connection: id }));
    let mut parts = Parts { bytes_max: shared.config().message_bytes_max, text: None };
    loop {
        match stream.recv().await {
            Some(Ok(Message::Text(text))) if parts.text.is_none() => received(text.to_string()),
            Some(Ok(Message::Continuation(part))) => match parts.add(part) {
                Ok(Some(text)) => received(text),
                Ok(None) => nothing_said(),
                Err(code) => return Some(code),
            },
            Some(Ok(Message::Ping(payload))) => {
                nothing_said();
                session.pong(&payload).await.ok()?;
            }
            Some(Ok(Message::Pong(_) | Message::Nop)) => nothing_said(),
            Some(Ok(Message::Text(_) | Message::Binary(_))) => return Some(ErrorCode::Malformed),
            Some(Err(ProtocolError::Overflow)) => return Some(ErrorCode::TooLarge),
            Some(Err(ProtocolError::Io(error))) if error.kind() != std::io::ErrorKind::InvalidData => {
                return None;
            }
            Some(Err(_)) => return Some(ErrorCode::Malformed),
            Some(Ok(Message::Close(reason))) => {
                let _ = session.close(reason).await;
                return None;
            }
            None => return None,
        }
    }
}

/// Puts together a text that comes in parts.
struct Parts {
    bytes_max: usize,
    /// What has come of it, and in how many frames.
    text: Option<(Vec<u8>, usize)>,
}

impl Parts {
    /// The text, with its last part.
    fn add(&mut self, part: Item) -> Result<Option<String>, ErrorCode> {
        let (begun, part, last) = match (self.text.take(), part) {
            (None, Item::FirstText(part)) => ((Vec::new(), 0), part, false),
            (Some(begun), Item::Continue(part)) => (begun, part, false),
            (Some(begun), Item::Last(part)) => (begun, part, true),
            _ => return Err(ErrorCode::Malformed),
        };
        let (mut text, frames) = begun;
        if text.len() + part.len() > self.bytes_max || frames == TEXT_PARTS_MAX {
            return Err(ErrorCode::TooLarge);
        }
        text.extend_from_slice(&part);
        if last {
            return String::from_utf8(text).map(Some).map_err(|_| ErrorCode::Malformed);
        }
        self.text = Some((text, frames + 1));
        Ok(None)
    }
}
