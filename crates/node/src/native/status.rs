//! A node at a glance.

use std::collections::BTreeMap;

use meshwork_base::{NodeId, ReplicaId, SessionId, SpaceId};
use meshwork_transport::LinkState;
use serde::Serialize;

use super::node::{Node, NodeError};

/// What a person asks of a node first. Serialised as `GET /api/status` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The node's key.
    pub node_id: NodeId,
    /// This run of the node.
    pub session_id: SessionId,
    /// The incarnation of its storage.
    pub replica_id: Option<ReplicaId>,
    /// The space that it replicates.
    pub space_id: SpaceId,
    /// The name that others see.
    pub name: String,
    /// The room in which it meets others, if it knows a hub.
    pub room: Option<String>,
    /// For each hub, whether the node is in its room.
    pub hubs: BTreeMap<String, bool>,
    /// For each replica, the highest sequence held without a gap.
    pub vector_clock: BTreeMap<ReplicaId, u64>,
    /// The sessions that are linked.
    pub connected_peers: Vec<PeerStatus>,
    /// The sessions that are known and not linked.
    pub discovered_peers: Vec<PeerStatus>,
    /// How many sessions are known.
    pub total_peers: usize,
    /// Operations held.
    pub operation_log_size: u64,
    /// Operations that wait for their past, or to be stored.
    pub pending_operations: u64,
    /// Operations that are stored on enough nodes.
    pub confirmed_operations: u64,
    /// Why storage takes no writes, while it does not.
    pub storage_stalled: Option<String>,
    /// Bytes sent on all links since the start.
    pub sent_bytes: u64,
    /// Bytes received on all links since the start.
    pub received_bytes: u64,
}

/// Another session, as this node sees it.
#[derive(Clone, Debug, Serialize)]
pub struct PeerStatus {
    /// Which.
    pub session_id: SessionId,
    /// Its node, if known.
    pub node_id: Option<NodeId>,
    /// Its name, if presence told.
    pub name: Option<String>,
    /// How the link stands: `up`, `waiting`, `signalling`, `connecting`, `handshake`, or `none`.
    pub stage: String,
    /// The smoothed round trip, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Bytes that wait to be sent.
    pub queued_bytes: usize,
    /// Bytes sent on the present connection.
    pub sent_bytes: u64,
    /// Bytes received on the present connection.
    pub received_bytes: u64,
}

impl Status {
    pub(crate) async fn of(node: &Node) -> Result<Self, NodeError> {
        let running = node.alive().await?;
        let actors = &running.actors;
        let (vector_clock, operation_log_size, pending_operations) = node
            .ask(&actors.op_log, |log| {
                let version = log.version();
                let clock = version.iter().map(|(replica, tip)| (*replica, tip.sequence)).collect();
                (clock, log.operations(), log.pending())
            })
            .await?;
        let (links, traffic) =
            node.ask(&actors.transport, |transport| (transport.links(), transport.totals())).await?;
        let names: BTreeMap<SessionId, String> = match &actors.presence {
            Some(presence) => {
                node.ask(presence, |presence| {
                    presence.members().into_iter().map(|member| (member.session, member.name)).collect()
                })
                .await?
            }
            None => BTreeMap::new(),
        };
        let (found, hubs) = match &actors.discovery {
            Some(discovery) => {
                node.ask(discovery, |discovery| {
                    let hubs = discovery.hubs().map(|hub| (hub.url.to_string(), hub.joined)).collect();
                    (discovery.peers(), hubs)
                })
                .await?
            }
            None => (BTreeMap::new(), BTreeMap::new()),
        };
        let confirmed_operations = match &actors.consensus {
            Some(consensus) => node.ask(consensus, |consensus| consensus.confirmed_operations()).await?,
            None => 0,
        };
        let mut peers: BTreeMap<SessionId, PeerStatus> =
            found.into_iter().map(|(session, node)| (session, PeerStatus::found(session, node))).collect();
        peers.extend(links.iter().map(|link| (link.session, PeerStatus::of(link))));
        for (session, peer) in &mut peers {
            peer.name = names.get(session).cloned();
        }
        let total_peers = peers.len();
        let (connected_peers, discovered_peers) = peers.into_values().partition(|peer| peer.stage == "up");
        let identity = running.identity;
        Ok(Self {
            node_id: identity.node,
            session_id: identity.session,
            replica_id: node.incarnation().map(|incarnation| incarnation.replica),
            space_id: identity.space,
            name: node.name().to_owned(),
            room: node.room(),
            hubs,
            vector_clock,
            connected_peers,
            discovered_peers,
            total_peers,
            operation_log_size,
            pending_operations,
            confirmed_operations,
            storage_stalled: node.shared().stalled.borrow().clone(),
            sent_bytes: traffic.bytes_sent,
            received_bytes: traffic.bytes_received,
        })
    }
}

impl PeerStatus {
    fn found(session: SessionId, node: NodeId) -> Self {
        Self {
            session_id: session,
            node_id: Some(node),
            name: None,
            stage: "none".into(),
            rtt_ms: None,
            queued_bytes: 0,
            sent_bytes: 0,
            received_bytes: 0,
        }
    }

    fn of(link: &meshwork_transport::LinkStatus) -> Self {
        let stage = match link.state {
            LinkState::Up => "up".into(),
            LinkState::Waiting { .. } => "waiting".into(),
            LinkState::Attempting(stage) => stage.to_string(),
        };
        Self {
            session_id: link.session,
            node_id: link.node,
            name: None,
            stage,
            rtt_ms: link.rtt_us.map(|us| us as f64 / 1000.0),
            queued_bytes: link.queued_bytes,
            sent_bytes: link.traffic.bytes_sent,
            received_bytes: link.traffic.bytes_received,
        }
    }
}
