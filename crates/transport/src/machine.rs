//! The machine: what it holds, and who handles which input.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use meshwork_base::{
    Deadline, Fill, Machine, Monotonic, Random, ReplicaId, Seed, SessionId, SpaceId, Timestamp,
};
use meshwork_identity::{Signer, SpaceSecret, Verifier};
use meshwork_wire::Channel;

use crate::{
    Config, ConnectionAction, ConnectionEvent, Effect, Event, Farewell, Input, LinkId, LinkState, LinkStatus,
    Message, Traffic,
    conduct::Conduct,
    link::Phase,
    message::words,
    peer::{PeerEntry, Slot},
    timers::Timers,
};

/// Who we are and where we belong.
#[derive(Clone)]
pub struct Context {
    /// The space that links are about.
    pub space: SpaceId,
    /// Known to its members only.
    pub secret: SpaceSecret,
    /// This process or tab.
    pub session: SessionId,
    /// Whether our storage outlives the process.
    pub durable: bool,
    /// Signs as our node.
    pub signer: Arc<dyn Signer>,
    /// Checks what others signed.
    pub verifier: Arc<dyn Verifier>,
}

/// Links to peers, as a machine.
pub struct Transport {
    pub(crate) config: Config,
    pub(crate) context: Context,
    /// Named in our `Hello`s, which wait for it.
    pub(crate) replica: Option<ReplicaId>,
    pub(crate) random: Random,
    pub(crate) links_made: u64,
    /// Boxed: to find one, no others are passed over in memory.
    pub(crate) peers: BTreeMap<SessionId, Box<PeerEntry>>,
    /// Of every connection that is open or in the making.
    pub(crate) sessions: BTreeMap<LinkId, SessionId>,
    pub(crate) conduct: Conduct,
    pub(crate) out: Outbox,
    timers: Timers,
    last_run: Monotonic,
    closed: bool,
}

/// What leaves the machine.
#[derive(Default, Debug)]
pub(crate) struct Outbox {
    pub(crate) effects: VecDeque<Effect>,
    pub(crate) totals: Traffic,
}

impl Outbox {
    pub(crate) fn connection(&mut self, link: LinkId, action: ConnectionAction) {
        self.effects.push_back(Effect::Connection { link, action });
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.effects.push_back(Effect::Event(event));
    }
}

impl Transport {
    /// A transport without links. It makes connections from the start, and completes handshakes once it is told the
    /// incarnation.
    pub fn new(config: Config, context: Context, now: Timestamp, seed: Seed) -> Self {
        Self {
            config,
            context,
            replica: None,
            random: seed.random(),
            links_made: 0,
            peers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            conduct: Conduct::default(),
            out: Outbox::default(),
            timers: Timers::default(),
            last_run: now.monotonic,
            closed: false,
        }
    }

    /// Our own session.
    pub fn session(&self) -> SessionId {
        self.context.session
    }

    /// How every session stands that we are, or want to be, linked to, in the order of their ids.
    pub fn links(&self) -> Vec<LinkStatus> {
        self.peers.iter().map(|(session, entry)| status(*session, entry)).collect()
    }

    /// Whom a connection is with, while it is open or in the making.
    pub fn peer_of(&self, link: LinkId) -> Option<SessionId> {
        self.sessions.get(&link).copied()
    }

    /// How full its buffers are.
    pub fn fills(&self) -> [Fill; 3] {
        let queued = self.peers.values().filter_map(|entry| Some(entry.up.as_ref()?.queued_bytes()));
        let active = self.peers.values().filter(|entry| entry.is_active()).count();
        [
            Fill { buffer: "peers_max", held: self.peers.len(), bound: self.config.peers_max },
            Fill { buffer: "links_max", held: active, bound: self.config.links_max },
            Fill::fullest("queue_hard_bytes_max", queued, self.config.queue_hard_bytes_max),
        ]
    }

    /// Everything sent and received since the start, on all links.
    pub fn totals(&self) -> Traffic {
        self.out.totals
    }

    /// If the machine was not run for a while, so could no pong be heard.
    fn wake(&mut self, now: Timestamp) {
        if now.monotonic.since(self.last_run) > Duration::from_millis(self.config.pause_ms) {
            for (session, entry) in &mut self.peers {
                if let Some(Phase::Up { liveness, .. }) = entry.up.as_mut().map(|link| &mut link.phase) {
                    liveness.pause(now, &self.config);
                    self.timers.set(*session, entry.deadline(&self.config));
                }
            }
        }
        self.last_run = now.monotonic;
    }

    /// Whatever was done to a session, its deadline is read again, and it is forgotten when nothing is left of it.
    pub(crate) fn settle(&mut self, session: SessionId) {
        let Some(entry) = self.peers.get(&session) else { return self.timers.set(session, None) };
        let deadline = entry.deadline(&self.config);
        if !entry.listed && !entry.is_active() {
            self.peers.remove(&session);
        }
        self.timers.set(session, deadline);
    }

    /// Which of a session's connections it is.
    pub(crate) fn slot(&self, session: SessionId, link: LinkId) -> Option<Slot> {
        self.peers.get(&session)?.slot(link)
    }

    fn connection(&mut self, now: Timestamp, link: LinkId, event: ConnectionEvent) {
        let Some(session) = self.sessions.get(&link).copied() else { return };
        match event {
            ConnectionEvent::Described(description) => self.described(now, session, link, description),
            ConnectionEvent::Candidate(candidate) => self.candidate_found(session, link, candidate),
            ConnectionEvent::Opened(fingerprints) => self.opened(now, session, link, &fingerprints),
            ConnectionEvent::Received { channel, frame } => self.received(now, session, link, channel, frame),
            // Which moves no deadline.
            ConnectionEvent::Sent { channel, bytes } => return self.sent(session, link, channel, bytes),
            // It may quote what the other side sent.
            ConnectionEvent::Closed { reason } => match self.slot(session, link) {
                Some(Slot::Up) => self.lose(now, session, &words(&reason)),
                Some(Slot::Attempt) => self.fail(now, session, &words(&reason)),
                None => {}
            },
        }
        self.settle(session);
    }

    fn close(&mut self) {
        self.closed = true;
        for (session, entry) in std::mem::take(&mut self.peers) {
            self.timers.set(session, None);
            if let Some(attempt) = entry.attempt {
                attempt.close(None, &self.config, &mut self.out);
            }
            if let Some(up) = entry.up {
                up.close(Some(Farewell::Leaving), &self.config, &mut self.out);
                let reason = "closed here".to_string();
                self.out.effects.push_back(Effect::PeerDown { peer: session, left: false, reason });
            }
        }
        self.sessions.clear();
    }

    fn run_due(&mut self, now: Timestamp, session: SessionId) {
        let Some(entry) = self.peers.get_mut(&session) else { return };
        if let Some(link) = &mut entry.up
            && let Phase::Up { liveness, .. } = &mut link.phase
        {
            if liveness.dead_at(&self.config).is_due(now) {
                let reason = format!("nothing was heard for {} ms", self.config.dead_after_ms);
                self.lose(now, session, &reason);
            } else if liveness.ping_at(&self.config).is_due(now) {
                let ping = Message::Ping { token: liveness.ping(now) };
                link.say(&ping);
                link.pump(Channel::Control, &self.config, &mut self.out);
            }
        }
        let attempt = self.peers.get(&session).and_then(|entry| entry.attempt.as_ref());
        let again = attempt.and_then(|link| link.offer_again_at(&self.config));
        if again.is_some_and(|at| at <= now.monotonic) {
            self.say_again(now, session);
        }
        let attempt = self.peers.get(&session).and_then(|entry| entry.attempt.as_ref());
        if let Some(deadline) = attempt.map(|link| link.deadline(&self.config)).filter(|at| at.is_due(now)) {
            self.fail(now, session, deadline.why);
        }
        let due = self.peers.get(&session).and_then(|entry| entry.due);
        if due.is_some_and(|due| due <= now.monotonic) {
            self.dial(now, session);
        }
        self.settle(session);
    }
}

fn status(session: SessionId, entry: &PeerEntry) -> LinkStatus {
    let shown = entry.up.as_ref().or(entry.attempt.as_ref());
    let (proved, rtt_us) = match shown.map(|link| &link.phase) {
        Some(Phase::Up { peer, liveness }) => (Some(peer.node), liveness.rtt_us()),
        _ => (None, None),
    };
    let state = match shown {
        Some(_) if entry.up.is_some() => LinkState::Up,
        Some(link) => LinkState::Attempting(link.stage()),
        None => LinkState::Waiting { retry_at: entry.due },
    };
    LinkStatus {
        session,
        node: proved.or(entry.node),
        state,
        rtt_us,
        queued_bytes: shown.map_or(0, |link| link.queued_bytes()),
        traffic: shown.map_or_else(Traffic::default, |link| link.traffic),
        connect_us: shown.map_or(0, |link| link.connect_us),
    }
}

impl Machine for Transport {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Timestamp, input: Input) {
        if self.closed {
            return;
        }
        self.wake(now);
        match input {
            Input::Incarnation { replica } => self.incarnation(replica),
            Input::PeerFound { session, node } => self.peer_found(now, session, node),
            Input::PeerGone { session } => self.peer_gone(now, session),
            Input::Signal { from, signal } => self.signal(now, from, signal),
            Input::Send { to, channel, protocol, payload } => self.send(now, to, channel, protocol, payload),
            Input::Misbehaved { peer, reason } => self.misbehaved(now, peer, 1, &reason),
            Input::Close => self.close(),
            Input::Connection { link, event } => self.connection(now, link, event),
        }
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        if self.closed {
            return;
        }
        self.wake(now);
        for session in self.timers.due(now) {
            self.run_due(now, session);
        }
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.out.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.timers.first()
    }
}
