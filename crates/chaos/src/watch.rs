//! Those who look on: at each process, and at each node's events.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::sleep;

use crate::{member::Member, record::Record};

const LOOK_EVERY: Duration = Duration::from_millis(200);
const LISTEN_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Reports each process that dies by itself, for ever.
pub(crate) async fn processes(members: Vec<Arc<Member>>, record: Arc<Record>) {
    loop {
        for member in &members {
            if let Some(death) = member.look().await {
                record.complain(death);
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Notes a node's events through all its lives, for ever. Runs on the node's host.
pub(crate) async fn events(node: Arc<Member>, record: Arc<Record>) {
    loop {
        if let Ok(mut events) = node.api.events().await {
            while let Ok(Some((name, data))) = events.next().await {
                note(&node, &record, &name, &data);
            }
        }
        sleep(LISTEN_AGAIN_AFTER).await;
    }
}

fn note(node: &Member, record: &Record, name: &str, data: &Value) {
    let mut notes = record.lock();
    *notes.events.entry(node.number).or_default().entry(name.to_owned()).or_default() += 1;
    match name {
        "confirmed" => {
            if let (Some(replica), Some(up_to)) = (data["replica"].as_str(), data["up_to"].as_u64()) {
                notes.ledger.confirmed(replica.to_owned(), up_to);
            } else {
                notes.complaints.push(format!("{} sends a strange event: {data}", node.name));
            }
        }
        // Nobody here cheats.
        "misbehaved" | "equivocation" | "operation_invalid" | "operation_pending" => {
            notes.complaints.push(format!("{} reports {name}: {data}", node.name));
        }
        _ => {}
    }
}
