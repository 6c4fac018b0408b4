//! A hub that lies. It knows everything that it carries, and it decides what anybody hears of anybody by way of it.

use std::time::Duration;

use meshwork::{HubEvent, NodeId, Random, SessionId, SpaceId};
use meshwork_discovery::{ErrorCode, RoomPeer, ServerMessage};
use meshwork_hub::ConnectionId;

use super::{Event, World, hub::Hubs};
use crate::node::Node;

/// How often it does so, at the most.
const EVERY: Duration = Duration::from_millis(400);
/// More than a signal may have.
const LONGEST: u64 = 70_000;
/// So many sessions are made up at a time.
const MADE_UP: u64 = 20;

impl World {
    pub(super) fn hub_begins_to_lie(&mut self, fault: usize) {
        self.schedule(Duration::ZERO, Event::HubLie(fault));
    }

    /// Tells everybody something that is not true.
    pub(super) fn hub_lies(&mut self, fault: usize) {
        if !self.begun.contains(&fault) {
            return;
        }
        for (connection, node) in self.hubs.joined() {
            for lie in self.lies(node) {
                self.send_down(connection, HubEvent::Received(lie));
            }
        }
        let pause = self.hubs.random.duration(EVERY / 8, EVERY);
        self.schedule(pause, Event::HubLie(fault));
    }

    fn lies(&mut self, to: usize) -> Vec<ServerMessage> {
        let (nodes, Hubs { random, bodies, .. }) = (&self.nodes, &mut self.hubs);
        let others: Vec<&Node> =
            nodes.iter().enumerate().filter(|(node, _)| *node != to).map(|(_, node)| node).collect();
        let Some(other) = others.get(random.below(others.len() as u64) as usize) else { return Vec::new() };
        let session = other.session().unwrap_or_default();
        let peer =
            |session, node| ServerMessage::PeerJoined { peer: RoomPeer { session, node, name: "x".into() } };
        match random.below(12) {
            0..5 => {
                let signals = 1 + random.below(8);
                (0..signals)
                    .map(|_| ServerMessage::signal(session, bodies.draw(random, LONGEST, 0.2)))
                    .collect()
            }
            5 | 6 => vec![ServerMessage::PeerLeft { session }],
            7 => vec![peer(session, NodeId(random.bytes()))],
            8 => vec![peer(session, other.id())],
            9 => (0..MADE_UP).map(|_| peer(SessionId(random.bytes()), NodeId(random.bytes()))).collect(),
            10 => vec![peer(session, others[0].id())],
            _ => vec![out_of_turn(random)],
        }
    }

    /// What becomes of a signal while the hub lies: it is said to come from somebody else, or goes to somebody else.
    pub(super) fn mislead(
        &mut self,
        connection: ConnectionId,
        message: ServerMessage,
    ) -> (ConnectionId, ServerMessage) {
        let joined = self.hubs.joined();
        let random = &mut self.hubs.random;
        let sessions: Vec<SessionId> = self.nodes.iter().filter_map(Node::session).collect();
        let any = sessions.get(random.below(sessions.len() as u64) as usize).copied();
        match (random.below(4), any) {
            (0, Some(from)) => (connection, from_another(message, from)),
            (1, _) => {
                let to = joined.get(random.below(joined.len() as u64) as usize);
                (to.map_or(connection, |(to, _)| *to), message)
            }
            _ => (connection, message),
        }
    }
}

fn from_another(message: ServerMessage, other: SessionId) -> ServerMessage {
    match message {
        ServerMessage::Offer { attempt, body, .. } => ServerMessage::Offer { from: other, attempt, body },
        ServerMessage::Answer { attempt, body, .. } => ServerMessage::Answer { from: other, attempt, body },
        ServerMessage::Candidate { attempt, body, .. } => {
            ServerMessage::Candidate { from: other, attempt, body }
        }
        message => message,
    }
}

fn out_of_turn(random: &mut Random) -> ServerMessage {
    let codes =
        [ErrorCode::HubFull, ErrorCode::SpaceMismatch, ErrorCode::SessionTaken, ErrorCode::UnknownPeer];
    match random.below(4) {
        0 => ServerMessage::Authenticated,
        1 => ServerMessage::Joined { space: SpaceId(random.bytes()), peers: Vec::new() },
        2 => ServerMessage::HeartbeatAck,
        _ => {
            let code = codes[random.below(codes.len() as u64) as usize];
            ServerMessage::Error { code, message: "\u{1b}[2J go away ".repeat(100) }
        }
    }
}
