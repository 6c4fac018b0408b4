//! A node at a glance.

use meshwork::{Membership, Mesh};
use meshwork_transport::LinkState;
use serde_json::{Value as Json, json};

use crate::{browser, event, progress, tabs::Tabs};

/// What `mesh.status()` shows.
pub(crate) fn of(mesh: &Mesh, membership: &Membership, role: &str, stalled: Option<&str>) -> Json {
    let machines = mesh.machines();
    let members = machines.presence.as_ref().map(|presence| presence.members()).unwrap_or_default();
    // They are in the order of their sessions.
    let name = |session| members.get(members.binary_search_by_key(session, |member| member.session).ok()?);
    let links: Vec<Json> = machines
        .transport
        .links()
        .iter()
        .map(|link| {
            let stage = match link.state {
                LinkState::Up => "up".into(),
                LinkState::Waiting { .. } => "waiting".into(),
                LinkState::Attempting(stage) => stage.to_string(),
            };
            json!({
                "session": link.session, "node": link.node, "stage": stage,
                "name": name(&link.session).map(|member| &member.name),
                "rttMs": link.rtt_us.map(|us| us as f64 / 1000.0), "queuedBytes": link.queued_bytes,
                "sentBytes": link.traffic.bytes_sent, "receivedBytes": link.traffic.bytes_received,
            })
        })
        .collect();
    let hubs: Vec<Json> = machines
        .discovery
        .iter()
        .flat_map(|discovery| discovery.hubs())
        .filter(|hub| !Tabs::are_at(&hub.url))
        .map(|hub| json!({"url": hub.url.as_str(), "joined": hub.joined}))
        .collect();
    let own = machines.presence.as_ref().map(|presence| event::member(&presence.own()));
    let incarnation = machines.op_log.incarnation();
    let clock: Json =
        machines.op_log.version().iter().map(|(replica, tip)| (replica.to_string(), tip.sequence)).collect();
    let totals = machines.transport.totals();
    let (shown, known) = progress::of(mesh);
    json!({
        "self": own,
        "replica": incarnation.replica,
        "space": membership.space,
        "role": role,
        "webrtc": browser::has_webrtc(),
        "hubs": hubs,
        "links": links,
        "peers": members.iter().map(event::member).collect::<Vec<_>>(),
        "clock": clock,
        "operations": machines.op_log.operations(),
        "shown": shown,
        "known": known,
        "pending": machines.op_log.pending(),
        "confirmed": machines.consensus.as_ref().map(|consensus| consensus.confirmed_operations()),
        "storageStalled": stalled,
        "sentBytes": totals.bytes_sent,
        "receivedBytes": totals.bytes_received,
    })
}
