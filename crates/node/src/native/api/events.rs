//! `GET /api/events`: server-sent events.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix_web::{HttpResponse, get, web};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{Event, Member, Node, native::presence::shown};

/// After so much silence a stream shows that it is alive: what stands between closes connections that carry nothing, and
/// a client that has gone is only noticed when something is sent to it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[get("/api/events")]
pub(crate) async fn follow(node: web::Data<Node>) -> HttpResponse {
    let events = stream::unfold((node.events(), node), |(mut events, node)| async {
        let text = next(&mut events, &node, KEEP_ALIVE).await?;
        Some((Ok::<_, actix_web::Error>(web::Bytes::from(text)), (events, node)))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-store"))
        .streaming(events)
}

/// The next event as text, or a comment after so much silence; `None` once the node has ended.
async fn next(events: &mut Receiver<Arc<Event>>, node: &Node, keep_alive: Duration) -> Option<String> {
    let event = tokio::select! {
        // What happened before the end is told before it.
        biased;
        event = events.recv() => event,
        () = node.ended() => return None,
        () = tokio::time::sleep(keep_alive) => return Some(": still here\n\n".into()),
    };
    let (name, data) = match event {
        Ok(event) => describe(&event),
        Err(RecvError::Lagged(missed)) => ("lagged", json!({ "missed": missed })),
        Err(RecvError::Closed) => return None,
    };
    Some(format!("event: {name}\ndata: {data}\n\n"))
}

pub(super) fn show(member: &Member) -> Value {
    let capabilities: BTreeMap<&str, &str> = member.capabilities.iter().collect();
    json!({
        "session": member.session, "node": member.node, "name": member.name, "status": member.status,
        "away": member.away, "linked": member.linked, "capabilities": capabilities,
    })
}

/// An event's name and data.
fn describe(event: &Event) -> (&'static str, Value) {
    match event {
        Event::PeerJoined { member, again } => {
            ("peer_joined", json!({ "member": show(member), "again": again }))
        }
        Event::PeerChanged { member } => ("peer_changed", json!({ "member": show(member) })),
        Event::PeerLeft { member, gracefully } => {
            ("peer_left", json!({ "member": show(member), "gracefully": gracefully }))
        }
        Event::EphemeralSet { session, key, value } => {
            ("ephemeral_set", json!({ "session": session, "key": key, "value": shown(value) }))
        }
        Event::EphemeralGone { session, key } => {
            ("ephemeral_gone", json!({ "session": session, "key": key }))
        }
        Event::EphemeralRefused { key, error } => {
            ("ephemeral_refused", json!({ "key": key, "reason": error.to_string() }))
        }
        Event::LinkUp { peer } => {
            ("link_up", json!({ "session": peer.session, "node": peer.node, "connect_us": peer.connect_us }))
        }
        Event::LinkDown { peer, reason } => ("link_down", json!({ "session": peer, "reason": reason })),
        Event::LinkFailed { peer, stage, reason, retry_in_ms } => (
            "link_failed",
            json!({
                "session": peer, "stage": stage.to_string(),
                "reason": reason, "retry_in_ms": retry_in_ms,
            }),
        ),
        Event::LinksFull { peer } => ("links_full", json!({ "session": peer })),
        Event::OperationReceived { document, dots } => {
            ("operation_received", json!({ "document": document, "operations": dots }))
        }
        Event::StateSynced { peer } => ("state_synced", json!({ "session": peer })),
        Event::Confirmed { from, up_to } => {
            ("confirmed", json!({ "replica": up_to.replica, "from": from, "up_to": up_to.sequence }))
        }
        Event::Misbehaved { peer, reason, cut } => {
            ("misbehaved", json!({ "session": peer, "reason": reason, "cut": cut }))
        }
        Event::OperationInvalid { dot, author, reason } => {
            ("operation_invalid", json!({ "operation": dot, "author": author, "reason": reason }))
        }
        Event::OperationPending { dot } => ("operation_pending", json!({ "operation": dot })),
        Event::OperationsWaiting { operations, dots } => {
            ("operations_waiting", json!({ "operations": operations, "missing": dots }))
        }
        Event::TimeAhead { dot, author, ahead_ms } => {
            ("time_ahead", json!({ "operation": dot, "author": author, "ahead_ms": ahead_ms }))
        }
        Event::Equivocation { dot, author } => {
            ("equivocation", json!({ "operation": dot, "author": author }))
        }
        Event::ReplicaRetired { replica, kept, reason } => {
            ("replica_retired", json!({ "replica": replica, "kept": kept, "reason": reason }))
        }
        Event::HubJoined { hub, space } => ("hub_joined", json!({ "hub": hub, "space": space })),
        Event::HubUnreachable { hub, reason, retry_in_ms } => {
            ("hub_unreachable", json!({ "hub": hub, "reason": reason, "retry_in_ms": retry_in_ms }))
        }
        Event::HubRefused { hub, reason } => ("hub_refused", json!({ "hub": hub, "reason": reason })),
        Event::StorageStalled { reason } => ("storage_stalled", json!({ "reason": reason })),
        Event::StorageRecovered => ("storage_recovered", json!({})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_broken_by_comments_and_the_end_comes_last() {
        actix::System::new().block_on(async {
            let node = Node::builder().start().await.unwrap();
            let mut events = node.shared().events.subscribe();
            let soon = Duration::from_millis(1);
            assert_eq!(next(&mut events, &node, soon).await.unwrap(), ": still here\n\n");
            node.close().await;
            node.shared().emit(Event::StorageRecovered);
            let mut told = Vec::new();
            while let Some(text) = next(&mut events, &node, Duration::MAX).await {
                told.push(text);
            }
            assert_eq!(told.last().unwrap(), "event: storage_recovered\ndata: {}\n\n");
        });
    }
}
