//! Events as JavaScript hears them: objects with a `type`.

use meshwork::{DocumentId, Dot, Event, Member, Peer};
use serde_json::{Value as Json, json};

/// An event for listeners.
pub(crate) fn to_json(event: &Event) -> Json {
    match event {
        Event::PeerJoined { member: who, again } => {
            json!({"type": "peer-joined", "peer": member(who), "again": again})
        }
        Event::PeerChanged { member: who } => json!({"type": "peer-changed", "peer": member(who)}),
        Event::PeerLeft { member: who, gracefully } => {
            json!({"type": "peer-left", "peer": member(who), "gracefully": gracefully})
        }
        Event::EphemeralSet { session, key, value } => {
            let value = serde_json::from_slice::<Json>(value).unwrap_or(Json::Null);
            json!({"type": "ephemeral", "session": session, "key": key, "value": value})
        }
        Event::EphemeralGone { session, key } => {
            json!({"type": "ephemeral-gone", "session": session, "key": key})
        }
        Event::EphemeralRefused { key, error } => {
            json!({"type": "ephemeral-refused", "key": key, "reason": error.to_string()})
        }
        Event::LinkUp { peer: Peer { session, node, durable, connect_us, .. } } => json!({
            "type": "link-up", "session": session, "node": node, "durable": durable,
            "connectMs": *connect_us as f64 / 1000.0,
        }),
        Event::LinkDown { peer, reason } => json!({"type": "link-down", "session": peer, "reason": reason}),
        Event::LinkFailed { peer, stage, reason, retry_in_ms } => json!({
            "type": "link-failed", "session": peer, "stage": stage.to_string(),
            "reason": reason, "retryInMs": retry_in_ms,
        }),
        Event::LinksFull { peer } => json!({"type": "links-full", "session": peer}),
        Event::OperationReceived { document, dots } => {
            let dots: Vec<Json> = dots.iter().map(dot).collect();
            json!({"type": "operation", "document": document.as_str(), "operations": dots, "local": false})
        }
        Event::StateSynced { peer } => json!({"type": "synced", "session": peer}),
        Event::Confirmed { from, up_to } => json!({
            "type": "confirmed", "replica": up_to.replica, "from": from, "upTo": up_to.sequence,
        }),
        Event::Misbehaved { peer, reason, cut } => {
            json!({"type": "misbehaved", "session": peer, "reason": reason, "cut": cut})
        }
        Event::OperationInvalid { dot: which, author, reason } => {
            json!({"type": "operation-invalid", "operation": dot(which), "author": author, "reason": reason})
        }
        Event::OperationPending { dot: which } => {
            json!({"type": "operation-pending", "operation": dot(which)})
        }
        Event::OperationsWaiting { operations, dots } => {
            let dots: Vec<Json> = dots.iter().map(dot).collect();
            json!({"type": "operations-waiting", "count": operations, "missing": dots})
        }
        Event::TimeAhead { dot: which, author, ahead_ms } => {
            json!({"type": "time-ahead", "operation": dot(which), "author": author, "aheadMs": ahead_ms})
        }
        Event::Equivocation { dot: which, author } => {
            json!({"type": "equivocation", "operation": dot(which), "author": author})
        }
        Event::ReplicaRetired { replica, kept, reason } => {
            json!({"type": "replica-retired", "replica": replica, "kept": kept, "reason": reason})
        }
        Event::HubJoined { hub, space } => json!({"type": "hub-joined", "hub": hub, "space": space}),
        Event::HubUnreachable { hub, reason, retry_in_ms } => {
            json!({"type": "hub-unreachable", "hub": hub, "reason": reason, "retryInMs": retry_in_ms})
        }
        Event::HubRefused { hub, reason } => json!({"type": "hub-refused", "hub": hub, "reason": reason}),
        Event::StorageStalled { reason } => json!({"type": "storage-stalled", "reason": reason}),
        Event::StorageRecovered => json!({"type": "storage-recovered"}),
    }
}

/// An edit of our own, as listeners hear of it.
pub(crate) fn edited(document: &DocumentId, which: &Dot) -> Json {
    json!({"type": "operation", "document": document.as_str(), "operations": [dot(which)], "local": true})
}

/// A member, as JavaScript sees it.
pub(crate) fn member(member: &Member) -> Json {
    let Member { session, node, name, status, capabilities, away, linked, hearsay: _ } = member;
    json!({
        "session": session, "node": node, "name": name, "status": status, "away": away, "linked": linked,
        "kind": capabilities.get("kind"), "storage": capabilities.get("storage"),
    })
}

/// An operation's id, as JavaScript sees it.
pub(crate) fn dot(dot: &Dot) -> Json {
    json!({"replica": dot.replica, "sequence": dot.sequence})
}
