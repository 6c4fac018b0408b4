//! A hub in a test, and what clients say to it.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use meshwork_base::{Machine, NodeId, Seed, SessionId, SpaceId, Timestamp, step};
use meshwork_discovery::{
    ClientMessage, ErrorCode, Nonce, RoomPeer, ServerMessage, Signal, SignalKind, challenge_transcript,
};
use meshwork_hub::{ConnectionId, Effect, Hub, HubConfig, Input};
use meshwork_identity::{KeyedHash, Purpose, RoomAccess, Signer};

pub const SPACE: SpaceId = SpaceId([7; 16]);
pub const OTHER_SPACE: SpaceId = SpaceId([8; 16]);

/// Something that a client does.
pub type Act = fn(&mut Rig);

pub fn signer(node: u8) -> KeyedHash {
    KeyedHash { node: NodeId([node; 32]), world: [1; 32] }
}

pub fn session(id: u8) -> SessionId {
    SessionId([id; 16])
}

pub fn signal(body: &str) -> Signal {
    Signal { attempt: 1, kind: SignalKind::Offer, body: body.into() }
}

pub fn peer(id: u8) -> RoomPeer {
    RoomPeer { session: session(id), node: NodeId([id; 32]), name: format!("n{id}") }
}

pub fn join_message(room: &str, space: SpaceId, adopt: bool, access: Option<u8>) -> ClientMessage {
    let access = access.map(|byte| RoomAccess([byte; 32]));
    ClientMessage::Join { room: room.parse().unwrap(), space, adopt, access }
}

/// A hub, and what each connection was sent since it was last looked at. Connection `n` speaks for session `n` of
/// node `n` unless told otherwise.
pub struct Rig {
    pub hub: Hub,
    pub now: Timestamp,
    pub sent: BTreeMap<u64, Vec<ServerMessage>>,
    pub closed: Vec<u64>,
}

impl Rig {
    pub fn new(config: HubConfig) -> Self {
        config.validate().unwrap();
        let hub = Hub::new(config, Arc::new(signer(0)), Seed::from_number(1));
        let mut rig = Self { hub, now: Timestamp::default(), sent: BTreeMap::new(), closed: Vec::new() };
        rig.feed(None);
        // Grown up, so that nobody has to wait.
        rig.now = rig.now.after(Duration::from_secs(8));
        rig
    }

    pub fn feed(&mut self, input: Option<Input>) {
        let (sent, closed) = (&mut self.sent, &mut self.closed);
        step(&mut self.hub, self.now, input, |effect| match effect {
            Effect::Send { connection, message } => sent.entry(connection.0).or_default().push(message),
            Effect::Close { connection, .. } => closed.push(connection.0),
        });
    }

    /// Lets time pass; the hub wakes as often as it wants to.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now.after(Duration::from_millis(ms));
        while let Some(deadline) = self.hub.poll_timeout().filter(|deadline| deadline.at <= end.monotonic) {
            self.now = self.now.after(deadline.at.since(self.now.monotonic));
            self.feed(None);
        }
        self.now = end;
    }

    pub fn connect_from(&mut self, connection: u64, address: &str) {
        let address: IpAddr = address.parse().unwrap();
        self.feed(Some(Input::Connected { connection: ConnectionId(connection), address }));
    }

    pub fn say(&mut self, connection: u64, message: &ClientMessage) {
        self.say_text(connection, message.to_json().unwrap());
    }

    pub fn say_text(&mut self, connection: u64, message: String) {
        self.feed(Some(Input::Received { connection: ConnectionId(connection), message }));
    }

    pub fn disconnect(&mut self, connection: u64) {
        self.feed(Some(Input::Disconnected { connection: ConnectionId(connection) }));
    }

    pub fn heard(&mut self, connection: u64) -> Vec<ServerMessage> {
        self.sent.remove(&connection).unwrap_or_default()
    }

    /// The error a connection was told before it was closed.
    pub fn refusal(&mut self, connection: u64) -> Option<ErrorCode> {
        let closed = self.closed.contains(&connection);
        match self.heard(connection).last() {
            Some(ServerMessage::Error { code, .. }) if closed => Some(*code),
            _ => None,
        }
    }

    pub fn authenticate_as(&mut self, connection: u64, node: u8, id: u8, host: &str) {
        let nonce = self.heard(connection).into_iter().find_map(|message| match message {
            ServerMessage::Challenge { nonce, .. } => Some(nonce),
            _ => None,
        });
        let transcript = challenge_transcript(&nonce.unwrap_or(Nonce([0; 32])), "h", &session(id));
        let signature = signer(node).sign(Purpose::HubChallenge, transcript.as_bytes());
        let (node, name) = (NodeId([node; 32]), format!("n{node}"));
        let claim =
            ClientMessage::Authenticate { node, session: session(id), name, host: host.into(), signature };
        self.say(connection, &claim);
    }

    pub fn enter(&mut self, connection: u64) {
        self.connect_from(connection, "10.0.0.1");
        self.authenticate_as(connection, connection as u8, connection as u8, "h");
        assert_eq!(self.heard(connection), [ServerMessage::Authenticated]);
    }

    pub fn join(&mut self, connection: u64) -> Vec<ServerMessage> {
        self.enter(connection);
        self.say(connection, &join_message("A3B7K9", SPACE, false, None));
        self.heard(connection)
    }
}
