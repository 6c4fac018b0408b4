//! Performs WebSockets to the hub, and hosts the hub's machine.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use meshwork::{HubAction, HubEvent, Input, step};
use meshwork_discovery::{HubId, ServerMessage};
use meshwork_hub::ConnectionId;

use super::{Event, World};

impl World {
    pub(super) fn hub_action(&mut self, node: usize, hub: HubId, action: HubAction) {
        let life = self.nodes[node].life;
        match action {
            HubAction::Open { .. } => {
                self.next_connection += 1;
                let connection = ConnectionId(self.next_connection);
                self.hub_connections.insert(connection, (node, life));
                let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, node as u8));
                self.hub_later(meshwork_hub::Input::Connected { connection, address });
                let input = Input::Hub { hub, event: HubEvent::Opened };
                self.schedule(self.scenario.network.delay_min, Event::Tell { node, life, input });
            }
            HubAction::Send(message) => {
                let Some(connection) = self.connections_of(node).last().copied() else { return };
                if let Ok(message) = message.to_json() {
                    self.hub_later(meshwork_hub::Input::Received { connection, message });
                }
            }
            HubAction::Close => {
                for connection in self.connections_of(node) {
                    self.hub_connections.remove(&connection);
                    self.hub_later(meshwork_hub::Input::Disconnected { connection });
                }
            }
        }
    }

    /// A hub's connection is TCP: in order, and never lost.
    fn hub_later(&mut self, input: meshwork_hub::Input) {
        self.schedule(self.scenario.network.delay_min, Event::HubTold(input));
    }

    pub(super) fn step_hub(&mut self, input: Option<meshwork_hub::Input>) {
        let now = self.timestamp();
        let mut effects = Vec::new();
        let deadline = step(&mut self.hub, now, input, |effect| effects.push(effect));
        for effect in effects {
            match effect {
                meshwork_hub::Effect::Send { connection, message } => self.hub_says(connection, message),
                meshwork_hub::Effect::Close { connection, reason } => self.hub_closes(connection, reason),
            }
        }
        if let Some(deadline) = deadline {
            let soonest = self.now + Duration::from_millis(100);
            self.schedule_at(deadline.at.max(soonest), Event::HubWake);
        }
    }

    fn hub_says(&mut self, connection: ConnectionId, message: ServerMessage) {
        let Some((node, life)) = self.hub_connections.get(&connection).copied() else { return };
        if self.connections_of(node).last() != Some(&connection) {
            return;
        }
        let is_signal = matches!(
            message,
            ServerMessage::Offer { .. } | ServerMessage::Answer { .. } | ServerMessage::Candidate { .. }
        );
        if is_signal && self.network.loses(&mut self.random) {
            return;
        }
        let copies = if is_signal && self.network.duplicates(&mut self.random) { 2 } else { 1 };
        for _ in 0..copies {
            let input = Input::Hub { hub: HubId(0), event: HubEvent::Received(message.clone()) };
            let delay = self.scenario.network.delay_min;
            self.schedule(delay, Event::Tell { node, life, input });
        }
    }

    fn hub_closes(&mut self, connection: ConnectionId, reason: String) {
        if let Some((node, life)) = self.hub_connections.remove(&connection) {
            let input = Input::Hub { hub: HubId(0), event: HubEvent::Closed { reason } };
            self.schedule(self.scenario.network.delay_min, Event::Tell { node, life, input });
        }
    }
}
