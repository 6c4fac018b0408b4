//! The tabs of one browser that have one store: to the machines they are one more hub, without a server.
//!
//! The tab that writes the store knows all that follow, and each of these knows the writer; `js/tabs.js` carries what
//! they say over a `BroadcastChannel`. Links between them are those of `connection/tab.rs`.

use std::collections::BTreeMap;

use meshwork::{HubAction, HubEvent, NodeId, ReplicaId, SessionId, SpaceId, Version};
use meshwork_discovery::{ClientMessage, HubId, Nonce, PROTOCOL, RoomPeer, ServerMessage};
use serde_json::json;
use url::Url;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// The channel of `js/tabs.js`.
    #[wasm_bindgen(js_name = Tabs)]
    pub(crate) type Port;
    /// Carries a signal to the tab of that session.
    #[wasm_bindgen(method)]
    fn signal(this: &Port, to: &str, text: &str);
    /// Tells all tabs what has become durable.
    #[wasm_bindgen(method)]
    fn held(this: &Port, tips: &str);
}

/// Where the machines believe this hub to be.
const HOST: &str = "tabs.invalid";

/// The other tabs.
pub(crate) struct Tabs {
    port: Option<Port>,
    session: SessionId,
    /// By which number discovery knows them.
    hub: Option<HubId>,
    /// Discovery has asked for them.
    asked: bool,
    /// The space, once discovery is in it.
    joined: Option<SpaceId>,
    peers: BTreeMap<SessionId, NodeId>,
    /// Up to where the others know what is stored.
    told: BTreeMap<ReplicaId, u64>,
}

impl Tabs {
    pub(crate) fn new(port: Option<Port>, session: SessionId) -> Self {
        let (peers, told) = (BTreeMap::new(), BTreeMap::new());
        Self { port, session, hub: None, asked: false, joined: None, peers, told }
    }

    /// For discovery's list of hubs: the last one, so that it never decides about the space.
    pub(crate) fn url() -> Option<Url> {
        format!("ws://{HOST}/").parse().ok()
    }

    pub(crate) fn are_at(url: &Url) -> bool {
        url.host_str() == Some(HOST)
    }

    /// Whether discovery's hub of this number is the tabs.
    pub(crate) fn are(&self, hub: HubId) -> bool {
        self.hub == Some(hub)
    }

    /// Whether a session is one of them.
    pub(crate) fn know(&self, session: &SessionId) -> bool {
        self.peers.contains_key(session)
    }

    /// Does what discovery asks of a hub. They answer only a member, who has a space to meet them in.
    pub(crate) fn perform(&mut self, hub: HubId, action: HubAction, is_member: bool) -> Vec<HubEvent> {
        self.hub = Some(hub);
        match action {
            HubAction::Open { .. } => {
                self.asked = true;
                if is_member { self.open() } else { Vec::new() }
            }
            HubAction::Send(message) => self.answer(message).into_iter().map(HubEvent::Received).collect(),
            HubAction::Close => {
                self.close();
                Vec::new()
            }
        }
    }

    /// Lets go of them, as discovery is told by whoever asks for it.
    pub(crate) fn close(&mut self) -> Option<HubId> {
        (self.asked, self.joined) = (false, None);
        self.hub
    }

    /// This tab is a member now; what discovery hears if it has asked before.
    pub(crate) fn admit(&mut self) -> Vec<(HubId, HubEvent)> {
        let Some(hub) = self.hub.filter(|_| self.asked && self.joined.is_none()) else { return Vec::new() };
        self.open().into_iter().map(|event| (hub, event)).collect()
    }

    fn open(&mut self) -> Vec<HubEvent> {
        let challenge =
            ServerMessage::Challenge { nonce: Nonce([0; 32]), protocol: PROTOCOL, hub: "tabs".into() };
        vec![HubEvent::Opened, HubEvent::Received(challenge)]
    }

    fn answer(&mut self, message: ClientMessage) -> Option<ServerMessage> {
        let from = self.session;
        let (to, signal) = match message {
            // Who may read this browser's storage for our page has our key anyway.
            ClientMessage::Authenticate { .. } => return Some(ServerMessage::Authenticated),
            ClientMessage::Join { space, .. } => {
                self.joined = Some(space);
                let peers = self.peers.iter().map(|(session, node)| peer(*session, *node)).collect();
                return Some(ServerMessage::Joined { space, peers });
            }
            ClientMessage::Heartbeat => return Some(ServerMessage::HeartbeatAck),
            ClientMessage::Leave => {
                self.joined = None;
                return None;
            }
            ClientMessage::Offer { to, attempt, body } => (to, ServerMessage::Offer { from, attempt, body }),
            ClientMessage::Answer { to, attempt, body } => {
                (to, ServerMessage::Answer { from, attempt, body })
            }
            ClientMessage::Candidate { to, attempt, body } => {
                (to, ServerMessage::Candidate { from, attempt, body })
            }
        };
        // Discovery has measured it.
        if let (Some(port), Ok(text)) = (&self.port, signal.to_json()) {
            port.signal(&to.to_string(), &text);
        }
        None
    }

    /// A tab has come.
    pub(crate) fn came(&mut self, session: SessionId, node: NodeId) -> Option<(HubId, HubEvent)> {
        self.peers.insert(session, node);
        self.told(ServerMessage::PeerJoined { peer: peer(session, node) })
    }

    /// A tab is gone.
    pub(crate) fn gone(&mut self, session: SessionId) -> Option<(HubId, HubEvent)> {
        self.peers.remove(&session)?;
        self.told(ServerMessage::PeerLeft { session })
    }

    /// A message of another tab, for discovery.
    pub(crate) fn told(&self, message: ServerMessage) -> Option<(HubId, HubEvent)> {
        self.joined?;
        Some((self.hub?, HubEvent::Received(message)))
    }

    /// Tells those who follow what has become durable.
    pub(crate) fn stored(&mut self, version: &Version) {
        let Some(port) = self.port.as_ref().filter(|_| !self.peers.is_empty()) else { return };
        let mut news = serde_json::Map::new();
        for (replica, tip) in version.iter() {
            let told = self.told.entry(*replica).or_default();
            if tip.sequence > *told {
                *told = tip.sequence;
                news.insert(replica.to_string(), json!(tip.sequence));
            }
        }
        if !news.is_empty() {
            port.held(&serde_json::Value::from(news).to_string());
        }
    }
}

fn peer(session: SessionId, node: NodeId) -> RoomPeer {
    RoomPeer { session, node, name: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork_identity::{NodeKey, Purpose, Signer as _};

    const HUB: HubId = HubId(2);
    const SPACE: SpaceId = SpaceId([1; 16]);

    fn session(id: u8) -> SessionId {
        SessionId([id; 16])
    }

    fn send(tabs: &mut Tabs, message: ClientMessage) -> Vec<HubEvent> {
        tabs.perform(HUB, HubAction::Send(message), true)
    }

    fn authenticate() -> ClientMessage {
        let key = NodeKey::from_seed(&meshwork::Seed::from_number(1));
        let signature = key.sign(Purpose::HubChallenge, b"whatever");
        let (name, host) = ("ada".into(), "tabs.invalid".into());
        ClientMessage::Authenticate { node: key.node(), session: session(1), name, host, signature }
    }

    fn join() -> ClientMessage {
        let room = "A3B7K9".parse().unwrap();
        ClientMessage::Join { room, space: SPACE, adopt: false, access: None }
    }

    #[test]
    fn they_answer_as_a_hub_does_once_there_is_a_space() {
        let mut tabs = Tabs::new(None, session(1));
        let url = Tabs::url().unwrap();
        assert!(Tabs::are_at(&url) && !tabs.are(HUB));
        assert!(tabs.perform(HUB, HubAction::Open { url }, false).is_empty());
        assert!(tabs.are(HUB));
        assert!(tabs.came(session(2), NodeId([9; 32])).is_none());
        let opened = tabs.admit();
        assert!(matches!(
            &opened[..],
            [(HUB, HubEvent::Opened), (HUB, HubEvent::Received(ServerMessage::Challenge { .. }))]
        ));
        let answer = send(&mut tabs, authenticate());
        assert!(matches!(&answer[..], [HubEvent::Received(ServerMessage::Authenticated)]));
        let answer = send(&mut tabs, join());
        let [HubEvent::Received(ServerMessage::Joined { space: SPACE, peers })] = &answer[..] else {
            panic!("{answer:?}");
        };
        assert_eq!(peers[..], [peer(session(2), NodeId([9; 32]))]);
        assert!(tabs.admit().is_empty());
    }

    #[test]
    fn who_comes_and_goes_is_told_and_known() {
        let mut tabs = Tabs::new(None, session(1));
        tabs.perform(HUB, HubAction::Open { url: Tabs::url().unwrap() }, true);
        send(&mut tabs, join());
        let came = tabs.came(session(2), NodeId([9; 32]));
        assert!(matches!(came, Some((HUB, HubEvent::Received(ServerMessage::PeerJoined { .. })))));
        assert!(tabs.know(&session(2)) && !tabs.know(&session(3)));
        assert!(tabs.gone(session(3)).is_none());
        let gone = tabs.gone(session(2));
        assert!(matches!(gone, Some((HUB, HubEvent::Received(ServerMessage::PeerLeft { .. })))));
        assert_eq!(tabs.close(), Some(HUB));
        assert!(tabs.came(session(2), NodeId([9; 32])).is_none());
    }
}
