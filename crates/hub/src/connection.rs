//! One WebSocket of the server.

use std::{net::IpAddr, time::Duration};

use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, ProtocolError, Session};
use meshwork_discovery::ErrorCode;
use tokio::sync::mpsc;

use crate::{ConnectionId, HubConfig, Input, server::Shared};

/// What is to be written.
pub(crate) enum Outgoing {
    Text(String),
    Close(String),
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
    let stream = stream.max_frame_size(limit).aggregate_continuations().max_continuation_size(limit);
    actix_web::rt::spawn(serve(shared.into_inner(), address, session, stream));
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
async fn serve(
    shared: std::sync::Arc<Shared>,
    address: IpAddr,
    session: Session,
    stream: AggregatedMessageStream,
) {
    let (sender, queue) = mpsc::channel(shared.config().outgoing_messages_max);
    let id = shared.connect(address, sender);
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

/// Writes until told to close, until the machine lets go of the connection, or until the client stops reading.
async fn write(mut session: Session, mut queue: mpsc::Receiver<Outgoing>, timeout: Duration) {
    while let Some(outgoing) = queue.recv().await {
        match outgoing {
            Outgoing::Text(text) => match tokio::time::timeout(timeout, session.text(text)).await {
                Ok(Ok(())) => {}
                _ => return,
            },
            Outgoing::Close(reason) => {
                let reason = CloseReason { code: CloseCode::Policy, description: Some(reason) };
                let _ = tokio::time::timeout(timeout, session.close(Some(reason))).await;
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
    mut stream: AggregatedMessageStream,
) -> Option<ErrorCode> {
    loop {
        match stream.recv().await {
            Some(Ok(AggregatedMessage::Text(text))) => {
                shared.drive(Some(Input::Received { connection: id, message: text.to_string() }));
            }
            Some(Ok(AggregatedMessage::Ping(payload))) => session.pong(&payload).await.ok()?,
            Some(Ok(AggregatedMessage::Pong(_))) => {}
            Some(Ok(AggregatedMessage::Binary(_))) => return Some(ErrorCode::Malformed),
            Some(Err(ProtocolError::Overflow)) => return Some(ErrorCode::TooLarge),
            Some(Err(ProtocolError::Io(error))) if error.kind() != std::io::ErrorKind::InvalidData => {
                return None;
            }
            Some(Err(_)) => return Some(ErrorCode::Malformed),
            Some(Ok(AggregatedMessage::Close(reason))) => {
                let _ = session.close(reason).await;
                return None;
            }
            None => return None,
        }
    }
}
