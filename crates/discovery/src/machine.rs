//! The machine.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use meshwork_base::{Deadline, Machine, Monotonic, NodeId, Random, Seed, SessionId, SpaceId, Timestamp};
use meshwork_identity::{Purpose, RoomAccess, Signer};

use crate::{
    ClientMessage, Config, Effect, ErrorCode, Event, HubId, HubStatus, Input, Nonce, PROTOCOL, RoomPeer,
    ServerMessage, Signal, SignalKind, challenge_transcript, clean_name,
    hub::{Heart, Hub, State},
    message::words,
    refusal::Refusal,
};

/// Who looks for peers.
#[derive(Clone)]
pub struct Context {
    /// The running process or tab.
    pub session: SessionId,
    /// Signs the hubs' challenges.
    pub signer: Arc<dyn Signer>,
    /// What to show to people.
    pub name: String,
    /// The space to meet in; `None` adopts the room's, or starts a fresh one in an empty room.
    pub space: Option<SpaceId>,
    /// Opens a room with a password.
    pub access: Option<RoomAccess>,
}

/// Finds the sessions in a room, on any number of hubs, and carries signals to them.
pub struct Discovery {
    config: Config,
    context: Context,
    /// Ours, or a fresh one as long as `settled` is false.
    space: SpaceId,
    settled: bool,
    /// What we show at a room's door has let us in before.
    proven: bool,
    random: Random,
    hubs: Vec<Hub>,
    effects: VecDeque<Effect>,
}

impl Discovery {
    /// A machine that rests until [`Input::Start`]. `config` has been [validated](Config::validate).
    pub fn new(config: Config, context: Context, _now: Timestamp, seed: Seed) -> Self {
        let fresh = SpaceId(seed.fork("space").random().bytes());
        Self {
            space: context.space.unwrap_or(fresh),
            settled: context.space.is_some(),
            proven: false,
            random: seed.fork("backoff").random(),
            hubs: config.hubs.iter().map(Hub::new).collect(),
            effects: VecDeque::new(),
            context: Context { name: clean_name(&context.name), ..context },
            config,
        }
    }

    /// The access is known to be right, as that of a member is. A refusal of it is then not taken for the last word.
    #[must_use]
    pub fn with_proven_access(mut self) -> Self {
        self.proven = true;
        self
    }

    /// The space to meet in, once it is settled.
    pub fn space(&self) -> Option<SpaceId> {
        self.settled.then_some(self.space)
    }

    /// Every session that some hub knows.
    pub fn peers(&self) -> BTreeMap<SessionId, NodeId> {
        self.hubs.iter().flat_map(|hub| &hub.peers).map(|(session, node)| (*session, *node)).collect()
    }

    /// How it stands with each hub, in the configured order.
    pub fn hubs(&self) -> impl Iterator<Item = HubStatus> {
        (0..).zip(&self.hubs).map(|(index, hub)| HubStatus {
            hub: HubId(index),
            url: hub.url.clone(),
            joined: hub.is_joined(),
            peers: hub.peers.len(),
        })
    }

    fn hub(&mut self, id: HubId) -> Option<&mut Hub> {
        self.hubs.get_mut(usize::from(id.0))
    }

    fn ids(&self) -> impl Iterator<Item = HubId> + use<> {
        (0..).take(self.hubs.len()).map(HubId)
    }

    fn send(&mut self, hub: HubId, message: ClientMessage) {
        self.effects.push_back(Effect::Send { hub, message });
    }

    fn reply_until(&self, now: Timestamp) -> Monotonic {
        now.monotonic + Duration::from_millis(self.config.reply_timeout_ms)
    }

    fn set_state(&mut self, id: HubId, state: State) {
        if let Some(hub) = self.hub(id) {
            hub.state = state;
        }
    }

    fn open(&mut self, now: Timestamp, id: HubId) {
        let until = self.reply_until(now);
        let Some(hub) = self.hub(id) else { return };
        hub.state = State::Opening { until };
        let url = hub.url.clone();
        self.effects.push_back(Effect::Open { hub: id, url });
    }

    fn start(&mut self, now: Timestamp) {
        for id in self.ids() {
            if self.hub(id).is_some_and(|hub| !hub.is_connected()) {
                self.open(now, id);
            }
        }
    }

    fn stop(&mut self) {
        for id in self.ids() {
            let Some(hub) = self.hub(id) else { continue };
            let (joined, connected) = (hub.is_joined(), hub.is_connected());
            hub.state = State::Idle;
            hub.peers.clear();
            hub.refused = None;
            if joined {
                self.send(id, ClientMessage::Leave);
            }
            if connected {
                self.effects.push_back(Effect::Close { hub: id });
            }
        }
    }

    /// Sends a signal by way of the first connected hub that knows the peer. Without one it is dropped: a transport
    /// repeats its attempt, and a signal that waited would belong to an attempt long given up.
    fn carry(&mut self, to: SessionId, signal: Signal) {
        let knows = |hub: &Hub| hub.is_joined() && hub.peers.contains_key(&to);
        let Some(hub) = (0..).zip(&self.hubs).find(|(_, hub)| knows(hub)).map(|(index, _)| HubId(index))
        else {
            tracing::debug!(peer = %to.short(), kind = ?signal.kind, "no hub knows the peer; signal dropped");
            return;
        };
        let message = ClientMessage::signal(to, signal);
        match message.to_json() {
            Ok(_) => self.send(hub, message),
            Err(error) => tracing::warn!(peer = %to.short(), %error, "signal dropped"),
        }
    }

    fn received(&mut self, now: Timestamp, id: HubId, message: ServerMessage) {
        let Some(hub) = self.hub(id) else { return };
        if !hub.is_connected() {
            return;
        }
        hub.heard();
        match (&hub.state, message) {
            (_, ServerMessage::Error { code, message }) => self.refused(now, id, code, message),
            (_, ServerMessage::HeartbeatAck) => hub.stable(),
            (State::Challenged { .. }, ServerMessage::Challenge { nonce, protocol, hub }) => {
                self.challenged(now, id, nonce, protocol, &hub);
            }
            (State::Authenticating { .. }, ServerMessage::Authenticated) => {
                let heart = Heart::new(now, &self.config);
                self.set_state(id, State::Authenticated(heart));
            }
            (State::Joining { .. }, ServerMessage::Joined { space, peers }) => {
                self.joined(now, id, space, peers)
            }
            (State::Joined(_), ServerMessage::PeerJoined { peer }) => self.peer_joined(now, id, peer),
            (State::Joined(_), ServerMessage::PeerLeft { session }) => self.peer_left(id, session),
            (State::Joined(_), ServerMessage::Offer { from, attempt, body }) => {
                self.signalled(id, from, Signal { attempt, kind: SignalKind::Offer, body });
            }
            (State::Joined(_), ServerMessage::Answer { from, attempt, body }) => {
                self.signalled(id, from, Signal { attempt, kind: SignalKind::Answer, body });
            }
            (State::Joined(_), ServerMessage::Candidate { from, attempt, body }) => {
                self.signalled(id, from, Signal { attempt, kind: SignalKind::Candidate, body });
            }
            _ => self.try_again(now, id, "the hub sent a message out of turn".into()),
        }
    }

    fn challenged(&mut self, now: Timestamp, id: HubId, nonce: Nonce, protocol: u64, release: &str) {
        if protocol != PROTOCOL {
            let release = words(release, 40);
            let reason = format!(
                "the hub ({release}) speaks version {protocol} of the protocol, this node version {PROTOCOL}: update \
                 the older of the two"
            );
            return self.refuse(now, id, Refusal::Lasting, reason);
        }
        let until = self.reply_until(now);
        let (session, signer, name) =
            (self.context.session, self.context.signer.clone(), self.context.name.clone());
        let Some(hub) = self.hub(id) else { return };
        hub.state = State::Authenticating { until };
        let host = hub.host.clone();
        let transcript = challenge_transcript(&nonce, &host, &session);
        let signature = signer.sign(Purpose::HubChallenge, transcript.as_bytes());
        self.send(id, ClientMessage::Authenticate { node: signer.node(), session, name, host, signature });
    }

    /// Joins wherever it is our turn. A session with a space joins everywhere at once; one without joins a single hub
    /// at a time, and lets those higher on the list go first.
    fn join_in_turn(&mut self, now: Timestamp) {
        for id in self.ids() {
            let index = usize::from(id.0);
            let waits = self.hubs.get(index).is_some_and(|hub| matches!(hub.state, State::Authenticated(_)));
            let after = |(other, hub): (usize, &Hub)| {
                other != index
                    && (matches!(hub.state, State::Joining { .. }) || other < index && hub.is_on_its_way())
            };
            if !waits || !self.settled && self.hubs.iter().enumerate().any(after) {
                continue;
            }
            let until = self.reply_until(now);
            self.set_state(id, State::Joining { until });
            let join = ClientMessage::Join {
                room: self.config.room,
                space: self.space,
                adopt: !self.settled,
                access: self.context.access.clone(),
            };
            self.send(id, join);
        }
    }

    fn joined(&mut self, now: Timestamp, id: HubId, space: SpaceId, peers: Vec<RoomPeer>) {
        if self.settled && space != self.space {
            return self.refuse(now, id, Refusal::Lasting, "another space lives in the room".into());
        }
        if peers.len() > self.config.peers_max {
            return self.refuse(now, id, Refusal::Lasting, self.too_many_peers());
        }
        (self.space, self.settled, self.proven) = (space, true, true);
        let own = self.context.session;
        let present: BTreeMap<_, _> =
            peers.iter().filter(|peer| peer.session != own).map(|peer| (peer.session, peer.node)).collect();
        let state = State::Joined(Heart::new(now, &self.config));
        let Some(hub) = self.hub(id) else { return };
        hub.state = state;
        hub.refused = None;
        let before = std::mem::replace(&mut hub.peers, present.clone());
        self.effects.push_back(Effect::Event(Event::Joined { hub: id, space }));
        let missed: Vec<_> = before.into_keys().filter(|session| !present.contains_key(session)).collect();
        // In an order of our own: did everybody begin with the same few, these would be full at once.
        let mut found: Vec<_> = present.into_iter().collect();
        for last in (1..found.len()).rev() {
            found.swap(last, self.random.below(last as u64 + 1) as usize);
        }
        self.effects.extend(found.into_iter().map(|(session, node)| Effect::PeerFound { session, node }));
        missed.into_iter().for_each(|session| self.tell_if_gone(session));
    }

    fn peer_joined(&mut self, now: Timestamp, id: HubId, RoomPeer { session, node, .. }: RoomPeer) {
        if session == self.context.session {
            return;
        }
        let peers_max = self.config.peers_max;
        let Some(hub) = self.hub(id) else { return };
        if hub.peers.len() >= peers_max && !hub.peers.contains_key(&session) {
            return self.refuse(now, id, Refusal::Lasting, self.too_many_peers());
        }
        hub.peers.insert(session, node);
        self.effects.push_back(Effect::PeerFound { session, node });
    }

    fn peer_left(&mut self, id: HubId, session: SessionId) {
        if self.hub(id).is_some_and(|hub| hub.peers.remove(&session).is_some()) {
            self.tell_if_gone(session);
        }
    }

    fn tell_if_gone(&mut self, session: SessionId) {
        if !self.hubs.iter().any(|hub| hub.peers.contains_key(&session)) {
            self.effects.push_back(Effect::PeerGone { session });
        }
    }

    /// A hub only carries signals of sessions that it has named.
    fn signalled(&mut self, id: HubId, from: SessionId, signal: Signal) {
        if self.hub(id).is_some_and(|hub| hub.peers.contains_key(&from)) {
            self.effects.push_back(Effect::Signal { from, signal });
        }
    }

    fn too_many_peers(&self) -> String {
        format!("the hub names more than {} peers (`peers_max`)", self.config.peers_max)
    }

    fn refused(&mut self, now: Timestamp, id: HubId, code: ErrorCode, message: String) {
        let message = words(&message, 200);
        match Refusal::of(code, self.proven) {
            Refusal::None => {}
            Refusal::Passing => self.try_again(now, id, message),
            refusal => self.refuse(now, id, refusal, message),
        }
    }

    /// Ends the connection and tries again after the usual backoff.
    fn try_again(&mut self, now: Timestamp, id: HubId, reason: String) {
        self.effects.push_back(Effect::Close { hub: id });
        self.wait(now, id, reason);
    }

    fn wait(&mut self, now: Timestamp, id: HubId, reason: String) {
        let Some(hub) = self.hubs.get_mut(usize::from(id.0)) else { return };
        let delay = hub.backoff(&self.config, &mut self.random);
        hub.state = State::Waiting { until: now.monotonic + delay };
        let retry_in_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.effects.push_back(Effect::Event(Event::Unreachable { hub: id, reason, retry_in_ms }));
    }

    /// Ends the connection for long or for good, and forgets whom that hub knew: it will not lead us to them.
    fn refuse(&mut self, now: Timestamp, id: HubId, refusal: Refusal, reason: String) {
        let retry_at = now.monotonic + Duration::from_millis(self.config.refused_retry_ms);
        let Some(hub) = self.hub(id) else { return };
        hub.state = if refusal == Refusal::Final { State::Idle } else { State::Waiting { until: retry_at } };
        let forgotten = std::mem::take(&mut hub.peers);
        let is_news = hub.refused.as_ref() != Some(&reason);
        hub.refused = Some(reason.clone());
        self.effects.push_back(Effect::Close { hub: id });
        forgotten.into_keys().for_each(|session| self.tell_if_gone(session));
        if is_news {
            self.effects.push_back(Effect::Event(Event::Refused { hub: id, reason }));
        }
    }

    fn timeout(&mut self, now: Timestamp, id: HubId) {
        let answer_by = self.reply_until(now);
        let beat_at = now.monotonic + Duration::from_millis(self.config.heartbeat_ms);
        let Some(hub) = self.hub(id) else { return };
        match &mut hub.state {
            State::Idle => {}
            State::Waiting { .. } => self.open(now, id),
            State::Authenticated(heart) | State::Joined(heart)
                if heart.answer_by.is_none_or(|answer_by| answer_by > now.monotonic) =>
            {
                heart.beat_at = beat_at;
                heart.answer_by.get_or_insert(answer_by);
                self.send(id, ClientMessage::Heartbeat);
            }
            State::Opening { .. } => self.try_again(now, id, "the hub cannot be reached".into()),
            _ => self.try_again(now, id, "the hub does not answer".into()),
        }
    }
}

impl Machine for Discovery {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Start => self.start(now),
            Input::Opened { hub: id } => {
                let until = self.reply_until(now);
                if self.hub(id).is_some_and(|hub| matches!(hub.state, State::Opening { .. })) {
                    self.set_state(id, State::Challenged { until });
                }
            }
            Input::Closed { hub: id, reason } => {
                if self.hub(id).is_some_and(|hub| hub.is_connected()) {
                    // It may quote the hub.
                    self.wait(now, id, words(&reason, 500));
                }
            }
            Input::Received { hub, message } => self.received(now, hub, message),
            Input::Signal { to, signal } => self.carry(to, signal),
            Input::Stop => self.stop(),
        }
        self.join_in_turn(now);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        for id in self.ids() {
            if self.hub(id).and_then(|hub| hub.deadline()).is_some_and(|deadline| deadline.is_due(now)) {
                self.timeout(now, id);
            }
        }
        self.join_in_turn(now);
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.hubs.iter().fold(None, |earliest, hub| Deadline::earliest(earliest, hub.deadline()))
    }
}
