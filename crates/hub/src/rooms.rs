//! The machine.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use meshwork_base::{Deadline, Machine, Monotonic, NodeId, Random, Seed, SessionId, Timestamp};
use meshwork_discovery::{
    ClientMessage, ErrorCode, MessageError, Nonce, PROTOCOL, ServerMessage, Signal, SignalKind,
    challenge_transcript, clean_name,
};
use meshwork_identity::{Purpose, RoomCode, Signature, Verifier};

use crate::{
    ConnectionId, Effect, HubConfig, Input, Signalling, Stats,
    bucket::Bucket,
    door::Door,
    error::explain,
    founding::{Founding, Join, Waiting},
    seats::{Seats, Session, Ticket, hash_access},
};

struct Connection {
    address: IpAddr,
    nonce: Nonce,
    /// Once it proved who it is.
    session: Option<SessionId>,
    heard_at: Monotonic,
    bucket: Bucket,
}

/// What a session claims to be.
struct Claim {
    node: NodeId,
    session: SessionId,
    name: String,
    host: String,
    signature: Signature,
}

/// Introduces sessions to each other.
pub struct Hub {
    config: HubConfig,
    verifier: Arc<dyn Verifier>,
    random: Random,
    connections: BTreeMap<ConnectionId, Connection>,
    door: Door,
    seats: Seats,
    counts: Signalling,
    founding: Founding,
    sweep_at: Monotonic,
    effects: VecDeque<Effect>,
}

impl Hub {
    /// An empty hub. `config` has been [validated](HubConfig::validate); `seed` makes the challenges, so nobody else
    /// may know it.
    pub fn new(config: HubConfig, verifier: Arc<dyn Verifier>, seed: Seed) -> Self {
        Self {
            config,
            verifier,
            random: seed.fork("challenges").random(),
            connections: BTreeMap::new(),
            door: Door::default(),
            seats: Seats::default(),
            counts: Signalling::default(),
            founding: Founding::default(),
            sweep_at: Monotonic::default(),
            effects: VecDeque::new(),
        }
    }

    /// Counts, for people and monitors.
    pub fn stats(&self) -> Stats {
        Stats {
            rooms: self.seats.rooms.len(),
            peers: self.seats.rooms.values().map(|room| room.members.len()).sum(),
            connections: self.connections.len(),
            signalling: self.counts,
        }
    }

    fn send(&mut self, connection: ConnectionId, message: ServerMessage) {
        self.effects.push_back(Effect::Send { connection, message });
    }

    fn tell_others(&mut self, room: RoomCode, about: SessionId, message: &ServerMessage) {
        for connection in self.seats.connections(room, about) {
            self.send(connection, message.clone());
        }
    }

    /// Names the violation and ends the connection.
    fn refuse(&mut self, now: Timestamp, id: ConnectionId, code: ErrorCode) {
        self.forget_connection(now, id);
        self.close(id, code);
    }

    fn close(&mut self, connection: ConnectionId, code: ErrorCode) {
        let reason = explain(code, &self.config);
        self.send(connection, ServerMessage::Error { code, message: reason.clone() });
        self.effects.push_back(Effect::Close { connection, reason });
    }

    /// The session, if it sat in a room, keeps its seat for a while.
    fn forget_connection(&mut self, now: Timestamp, id: ConnectionId) {
        let Some(connection) = self.connections.remove(&id) else { return };
        self.founding.forget(id);
        self.door.leave(connection.address);
        let Some(session_id) = connection.session else { return };
        let Some(session) = self.seats.sessions.get_mut(&session_id) else { return };
        if session.connection != Some(id) {
            return;
        }
        session.connection = None;
        match &mut session.seat {
            Some(seat) => {
                let kept_until = now.monotonic + Duration::from_millis(self.config.reconnect_ms);
                seat.kept_until.get_or_insert(kept_until);
            }
            None => {
                self.seats.sessions.remove(&session_id);
            }
        }
    }

    fn connected(&mut self, now: Timestamp, id: ConnectionId, address: IpAddr) {
        if let Err(code) = self.door.enter(address, self.connections.len(), &self.config) {
            return self.close(id, code);
        }
        let nonce = Nonce(self.random.bytes());
        let bucket = Bucket::full(now);
        let connection = Connection { address, nonce, session: None, heard_at: now.monotonic, bucket };
        self.connections.insert(id, connection);
        let hub = concat!("meshwork-hub ", env!("CARGO_PKG_VERSION")).into();
        self.send(id, ServerMessage::Challenge { nonce, protocol: PROTOCOL, hub });
    }

    /// Whether the connection may say something more; if not, it is refused.
    fn may_speak(&mut self, now: Timestamp, id: ConnectionId) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return false };
        let may = connection.bucket.take(now, self.config.message_rate());
        if !may {
            self.refuse(now, id, ErrorCode::TooFast);
        }
        may
    }

    fn received(&mut self, now: Timestamp, id: ConnectionId, text: &str) {
        if !self.may_speak(now, id) {
            return;
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.heard_at = now.monotonic;
        if text.len() > self.config.message_bytes_max {
            return self.refuse(now, id, ErrorCode::TooLarge);
        }
        let session = connection.session;
        match (ClientMessage::from_json(text), session) {
            (Err(MessageError::TooLarge { .. }), _) => self.refuse(now, id, ErrorCode::TooLarge),
            (Err(MessageError::Malformed(_)), _) => self.refuse(now, id, ErrorCode::Malformed),
            (Ok(ClientMessage::Authenticate { node, session, name, host, signature }), None) => {
                self.authenticate(now, id, Claim { node, session, name, host, signature });
            }
            (Ok(message), Some(session)) => self.told(now, id, session, message),
            (Ok(_), None) => self.refuse(now, id, ErrorCode::Unexpected),
        }
    }

    fn authenticate(&mut self, now: Timestamp, id: ConnectionId, claim: Claim) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !self.config.hosts.is_empty() && !self.config.hosts.contains(&claim.host) {
            return self.refuse(now, id, ErrorCode::WrongHost);
        }
        let transcript = challenge_transcript(&connection.nonce, &claim.host, &claim.session);
        let bytes = transcript.as_bytes();
        if !self.verifier.verify(&claim.node, Purpose::HubChallenge, bytes, &claim.signature) {
            return self.refuse(now, id, ErrorCode::BadSignature);
        }
        let known = self.seats.sessions.get(&claim.session);
        if known.is_some_and(|session| session.node != claim.node) {
            return self.refuse(now, id, ErrorCode::SessionTaken);
        }
        connection.session = Some(claim.session);
        if let Some(old) = known.and_then(|session| session.connection) {
            self.refuse(now, old, ErrorCode::Replaced);
        }
        let seat = self.seats.sessions.remove(&claim.session).and_then(|session| session.seat);
        let session = Session { node: claim.node, name: clean_name(&claim.name), connection: Some(id), seat };
        self.seats.sessions.insert(claim.session, session);
        self.send(id, ServerMessage::Authenticated);
    }

    fn told(&mut self, now: Timestamp, id: ConnectionId, session: SessionId, message: ClientMessage) {
        match message {
            ClientMessage::Join { room, space, adopt, access } => {
                self.join(now, id, session, room, Join { space, adopt, access });
                self.let_in(now);
            }
            ClientMessage::Offer { to, attempt, body } => {
                self.carry(now, id, session, to, Signal { attempt, kind: SignalKind::Offer, body });
            }
            ClientMessage::Answer { to, attempt, body } => {
                self.carry(now, id, session, to, Signal { attempt, kind: SignalKind::Answer, body });
            }
            ClientMessage::Candidate { to, attempt, body } => {
                self.carry(now, id, session, to, Signal { attempt, kind: SignalKind::Candidate, body });
            }
            ClientMessage::Heartbeat => self.send(id, ServerMessage::HeartbeatAck),
            ClientMessage::Leave => {
                self.founding.forget(id);
                self.leave(now, session);
            }
            ClientMessage::Authenticate { .. } => self.refuse(now, id, ErrorCode::Unexpected),
        }
    }

    fn join(&mut self, now: Timestamp, id: ConnectionId, session: SessionId, room: RoomCode, join: Join) {
        let Some(address) = self.connections.get(&id).map(|connection| connection.address) else { return };
        if self.founding.waits(id) || self.seats.room_of(session).is_some() {
            return self.refuse(now, id, ErrorCode::Unexpected);
        }
        if !self.door.may_guess(now, address, &self.config) {
            return self.refuse(now, id, ErrorCode::TooManyFailures);
        }
        if join.adopt && !self.seats.rooms.contains_key(&room) && self.founding.is_young(now) {
            return self.founding.wait(Waiting { connection: id, room, join });
        }
        let Join { space, adopt, access } = join;
        // A seat that was kept in this room is taken up again; in another one it is given up.
        let kept =
            self.seats.sessions.get(&session).and_then(|session| session.seat.as_ref()).map(|seat| seat.room);
        if kept.is_some_and(|kept| kept != room) {
            self.leave(now, session);
        }
        if !self.seats.rooms.contains_key(&room) && !self.door.founds(now, address, &self.config) {
            return self.refuse(now, id, ErrorCode::RoomsFull);
        }
        let ticket = Ticket { space, adopt, access: hash_access(access) };
        if let Err(code) = self.seats.sit(now.monotonic, session, room, ticket, &self.config) {
            if code == ErrorCode::WrongPassword {
                self.door.guessed(now, address, &self.config);
            }
            return self.refuse(now, id, code);
        }
        let space = self.seats.rooms.get(&room).map_or(space, |room| room.space);
        let peers = self.seats.others(room, session);
        self.send(id, ServerMessage::Joined { space, peers });
        if kept != Some(room)
            && let Some(peer) = self.seats.peer(session)
        {
            self.tell_others(room, session, &ServerMessage::PeerJoined { peer });
        }
        self.deliver_waiting(now, id, session);
    }

    /// Lets those join for whom the wait is over: their room is known now, or they may name its space.
    fn let_in(&mut self, now: Timestamp) {
        let (may_found, rooms) = (!self.founding.is_young(now), &self.seats.rooms);
        let ready = self.founding.take(|waiting| may_found || rooms.contains_key(&waiting.room));
        for Waiting { connection, room, join } in ready {
            let session = self.connections.get(&connection).and_then(|connection| connection.session);
            if let Some(session) = session {
                self.join(now, connection, session, room, join);
            }
        }
    }

    fn deliver_waiting(&mut self, now: Timestamp, id: ConnectionId, session: SessionId) {
        let seat = self.seats.sessions.get_mut(&session).and_then(|session| session.seat.as_mut());
        let waiting = seat.map(|seat| std::mem::take(&mut seat.waiting)).unwrap_or_default();
        for (until, from, signal) in waiting {
            if until <= now.monotonic {
                self.counts.expired += 1;
            } else {
                self.send(id, ServerMessage::signal(from, signal));
            }
        }
    }

    fn leave(&mut self, now: Timestamp, session: SessionId) {
        if let Some((room, undelivered)) = self.seats.stand_up(now.monotonic, session) {
            self.counts.expired += undelivered as u64;
            self.tell_others(room, session, &ServerMessage::PeerLeft { session });
        }
    }

    /// Carries a signal to a session of the same room; where that one is just reconnecting, it waits.
    fn carry(&mut self, now: Timestamp, id: ConnectionId, from: SessionId, to: SessionId, signal: Signal) {
        let Some(room) = self.seats.room_of(from) else { return self.refuse(now, id, ErrorCode::Unexpected) };
        let target = self.seats.sessions.get_mut(&to).filter(|_| to != from);
        let target = target.and_then(|session| Some((session.connection, session.seat.as_mut()?)));
        let Some((connection, seat)) = target.filter(|(_, seat)| seat.room == room) else {
            return self.undeliverable(id);
        };
        let kind = signal.kind;
        match connection.filter(|_| seat.kept_until.is_none()) {
            Some(connection) => self.send(connection, ServerMessage::signal(from, signal)),
            None if seat.takes(&signal, &self.config) => {
                let until = now.monotonic + Duration::from_millis(self.config.signal_ttl_ms);
                seat.waiting.push_back((until, from, signal));
            }
            None => return self.undeliverable(id),
        }
        match kind {
            SignalKind::Offer => self.counts.offers += 1,
            SignalKind::Answer => self.counts.answers += 1,
            SignalKind::Candidate => self.counts.candidates += 1,
        }
    }

    fn undeliverable(&mut self, id: ConnectionId) {
        self.counts.refused += 1;
        let code = ErrorCode::UnknownPeer;
        let message = explain(code, &self.config);
        self.send(id, ServerMessage::Error { code, message });
    }

    /// Ends what has been silent, kept or empty for too long.
    fn sweep(&mut self, now: Timestamp) {
        self.sweep_at = now.monotonic + Duration::from_millis(self.config.sweep_ms);
        self.door.sweep(now);
        let timeout = Duration::from_millis(self.config.heartbeat_timeout_ms);
        let silent = |connection: &Connection| now.monotonic.since(connection.heard_at) >= timeout;
        let silent: Vec<_> =
            self.connections.iter().filter(|(_, connection)| silent(connection)).map(|(id, _)| *id).collect();
        silent.into_iter().for_each(|id| self.refuse(now, id, ErrorCode::HeartbeatTimeout));
        self.sweep_seats(now);
        let idle = Duration::from_millis(self.config.room_idle_ms);
        self.seats
            .rooms
            .retain(|_, room| !room.members.is_empty() || now.monotonic.since(room.empty_since) < idle);
    }

    fn sweep_seats(&mut self, now: Timestamp) {
        let mut lapsed = Vec::new();
        for (id, session) in &mut self.seats.sessions {
            let Some(seat) = &mut session.seat else { continue };
            let before = seat.waiting.len();
            seat.waiting.retain(|(until, ..)| *until > now.monotonic);
            self.counts.expired += (before - seat.waiting.len()) as u64;
            if seat.kept_until.is_some_and(|until| until <= now.monotonic) {
                lapsed.push(*id);
            }
        }
        for id in lapsed {
            self.leave(now, id);
            if self.seats.sessions.get(&id).is_some_and(|session| session.connection.is_none()) {
                self.seats.sessions.remove(&id);
            }
        }
    }
}

impl Machine for Hub {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Timestamp, input: Input) {
        self.founding.begin(now, &self.config);
        match input {
            Input::Connected { connection, address } => self.connected(now, connection, address),
            Input::Received { connection, message } => self.received(now, connection, &message),
            Input::NothingSaid { connection } => {
                self.may_speak(now, connection);
            }
            Input::Violated { connection, code } if self.connections.contains_key(&connection) => {
                self.refuse(now, connection, code);
            }
            Input::Violated { .. } => {}
            Input::Disconnected { connection } => self.forget_connection(now, connection),
        }
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.founding.begin(now, &self.config);
        self.let_in(now);
        if self.sweep_at <= now.monotonic {
            self.sweep(now);
        }
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        let idle = self.connections.is_empty() && self.seats.rooms.is_empty() && self.door.is_empty();
        let sweep = (!idle).then_some(Deadline { at: self.sweep_at, why: "sweep of a hub" });
        Deadline::earliest(sweep, self.founding.deadline())
    }
}
