//! A performer in memory: several transports in one process, on a clock of its own, with faults on demand.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use meshwork_base::{Machine, Monotonic, NodeId, SessionId, Timestamp, step};
use meshwork_wire::Channel;

use crate::{ConnectionAction, ConnectionEvent, Effect, Fingerprints, Input, LinkId, Signal, Transport};

/// One direction between two sessions.
type Way = (SessionId, SessionId);
/// One end of a connection.
type End = (SessionId, LinkId);
/// What becomes of a frame on its way: nothing, itself, something else, or several.
type TamperFrames = Box<dyn FnMut(Channel, Bytes) -> Vec<Bytes> + Send>;
/// What becomes of a signal on its way.
type TamperSignals = Box<dyn FnMut(Signal) -> Vec<Signal> + Send>;

/// Transports in one process, and everything between them.
///
/// Deterministic: time passes only in [`advance`](Self::advance), and what happens at one moment happens in the order in
/// which it was caused.
pub struct MemoryNetwork {
    now: Timestamp,
    latency: Duration,
    members: BTreeMap<SessionId, Member>,
    /// What will happen, by moment and order of cause.
    agenda: BTreeMap<(Monotonic, u64), (SessionId, Input)>,
    scheduled: u64,
    /// Connections by each of their ends; the other end, once known.
    ends: BTreeMap<End, Option<End>>,
    silent: BTreeSet<Way>,
    /// `Sent` that is held back, by way.
    held: BTreeMap<Way, Vec<(LinkId, Channel, usize)>>,
    frames: BTreeMap<Way, TamperFrames>,
    signals: BTreeMap<Way, TamperSignals>,
    certificates: BTreeMap<Way, String>,
}

struct Member {
    transport: Transport,
    node: NodeId,
    effects: Vec<Effect>,
}

impl MemoryNetwork {
    /// An empty network, on which everything takes `latency` one way.
    pub fn new(latency: Duration) -> Self {
        Self {
            now: Timestamp::default(),
            latency,
            members: BTreeMap::new(),
            agenda: BTreeMap::new(),
            scheduled: 0,
            ends: BTreeMap::new(),
            silent: BTreeSet::new(),
            held: BTreeMap::new(),
            frames: BTreeMap::new(),
            signals: BTreeMap::new(),
            certificates: BTreeMap::new(),
        }
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Takes in a transport.
    pub fn add(&mut self, transport: Transport) {
        let member = Member { node: transport.context.signer.node(), transport, effects: Vec::new() };
        self.members.insert(member.transport.session(), member);
    }

    /// Takes a transport out as if its process had been killed: its links just fall silent.
    pub fn kill(&mut self, session: SessionId) -> Option<Transport> {
        self.ends.retain(|(of, _), _| *of != session);
        self.members.remove(&session).map(|member| member.transport)
    }

    /// A member.
    pub fn transport(&self, session: SessionId) -> Option<&Transport> {
        self.members.get(&session).map(|member| &member.transport)
    }

    /// Lets two members find each other.
    pub fn introduce(&mut self, a: SessionId, b: SessionId) {
        for (one, other) in [(a, b), (b, a)] {
            if let Some(node) = self.members.get(&other).map(|member| member.node) {
                self.input(one, Input::PeerFound { session: other, node });
            }
        }
    }

    /// Gives a member an input now, and performs what it asks for.
    pub fn input(&mut self, session: SessionId, input: Input) {
        self.step(session, Some(input));
    }

    /// What a member told since the last call, without what concerns the performer alone.
    pub fn take(&mut self, session: SessionId) -> Vec<Effect> {
        self.members.get_mut(&session).map(|member| std::mem::take(&mut member.effects)).unwrap_or_default()
    }

    /// Lets time pass, with everything that happens in it.
    pub fn advance(&mut self, span: Duration) {
        let end = self.now.after(span);
        loop {
            let event = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let timers = self.members.iter().filter_map(|(session, member)| {
                member.transport.poll_timeout().map(|deadline| (deadline.at, *session))
            });
            let timer = timers.min();
            let at = match (event, timer) {
                (Some(event), Some((timer, _))) => event.min(timer),
                (Some(event), None) => event,
                (None, Some((timer, _))) => timer,
                (None, None) => break,
            };
            if at > end.monotonic {
                break;
            }
            self.now = self.now.after(at.since(self.now.monotonic));
            if event == Some(at) {
                if let Some((_, (session, input))) = self.agenda.pop_first() {
                    self.step(session, Some(input));
                }
            } else if let Some((_, session)) = timer {
                self.step(session, None);
            }
        }
        self.now = end;
    }

    /// Lets time pass in which nobody runs, as when a machine sleeps.
    pub fn sleep(&mut self, span: Duration) {
        self.now = self.now.after(span);
    }

    /// Nothing arrives any more from either of the two at the other, and neither is told.
    pub fn silence(&mut self, a: SessionId, b: SessionId) {
        self.silent.extend([(a, b), (b, a)]);
    }

    /// Undoes [`silence`](Self::silence), for what is sent from now on.
    pub fn heal(&mut self, a: SessionId, b: SessionId) {
        self.silent.remove(&(a, b));
        self.silent.remove(&(b, a));
    }

    /// Breaks the connections between the two, and tells both.
    pub fn disconnect(&mut self, a: SessionId, b: SessionId) {
        let between = |(session, _): &End, other: &Option<End>| {
            let other = other.map(|(session, _)| session);
            (*session == a && other == Some(b)) || (*session == b && other == Some(a))
        };
        let ends: Vec<End> =
            self.ends.iter().filter(|(end, other)| between(end, other)).map(|(end, _)| *end).collect();
        for end in ends {
            self.ends.remove(&end);
            self.event(
                Duration::ZERO,
                end,
                ConnectionEvent::Closed { reason: "the connection broke".into() },
            );
        }
    }

    /// Holds back `Sent` for what `from` transmits to `to`, as when `to` takes nothing any more.
    pub fn hold_sent(&mut self, from: SessionId, to: SessionId) {
        self.held.entry((from, to)).or_default();
    }

    /// Lets go what [`hold_sent`](Self::hold_sent) held back.
    pub fn release_sent(&mut self, from: SessionId, to: SessionId) {
        for (link, channel, bytes) in self.held.remove(&(from, to)).unwrap_or_default() {
            self.event(Duration::ZERO, (from, link), ConnectionEvent::Sent { channel, bytes });
        }
    }

    /// Passes every frame from `from` to `to` through `tamper`.
    pub fn tamper_frames(
        &mut self,
        from: SessionId,
        to: SessionId,
        tamper: impl FnMut(Channel, Bytes) -> Vec<Bytes> + Send + 'static,
    ) {
        self.frames.insert((from, to), Box::new(tamper));
    }

    /// Passes every signal from `from` to `to` through `tamper`.
    pub fn tamper_signals(
        &mut self,
        from: SessionId,
        to: SessionId,
        tamper: impl FnMut(Signal) -> Vec<Signal> + Send + 'static,
    ) {
        self.signals.insert((from, to), Box::new(tamper));
    }

    /// Shows `at` this certificate instead of that of `of`, as somebody in the middle would.
    pub fn substitute_certificate(&mut self, at: SessionId, of: SessionId, certificate: &str) {
        self.certificates.insert((at, of), certificate.into());
    }

    /// Puts a frame on every connection from `from` that is open at `to`, as if `from` had transmitted it.
    pub fn inject(&mut self, from: SessionId, to: SessionId, channel: Channel, frame: Bytes) {
        let open = |end: &End, other: &Option<End>| end.0 == to && other.is_some_and(|other| other.0 == from);
        let ends: Vec<End> =
            self.ends.iter().filter(|(end, other)| open(end, other)).map(|(end, _)| *end).collect();
        for end in ends {
            self.event(self.latency, end, ConnectionEvent::Received { channel, frame: frame.clone() });
        }
    }

    fn step(&mut self, session: SessionId, input: Option<Input>) {
        let Some(member) = self.members.get_mut(&session) else { return };
        let mut effects = Vec::new();
        step(&mut member.transport, self.now, input, |effect| effects.push(effect));
        for effect in effects {
            match effect {
                Effect::Connection { link, action } => self.perform((session, link), action),
                Effect::Signal { to, signal } => self.carry(session, to, signal),
                told => {
                    if let Some(member) = self.members.get_mut(&session) {
                        member.effects.push(told);
                    }
                }
            }
        }
    }

    fn perform(&mut self, end: End, action: ConnectionAction) {
        match action {
            ConnectionAction::Offer => {
                self.ends.insert(end, None);
                self.describe(end);
            }
            ConnectionAction::Answer { offer } => {
                self.ends.insert(end, parse(&offer));
                self.describe(end);
            }
            ConnectionAction::Accept { answer } => self.connect(end, parse(&answer)),
            ConnectionAction::AddCandidate(_) => {}
            ConnectionAction::Transmit { channel, frame } => self.transmit(end, channel, frame),
            ConnectionAction::Close => {
                if let Some(Some(other)) = self.ends.remove(&end)
                    && self.ends.get(&other) == Some(&Some(end))
                    && !self.silent.contains(&(end.0, other.0))
                {
                    let reason = "the other end closed the connection".into();
                    self.event(self.latency, other, ConnectionEvent::Closed { reason });
                }
            }
        }
    }

    fn describe(&mut self, end: End) {
        self.event(Duration::ZERO, end, ConnectionEvent::Described(format!("{} {}", end.0, end.1.0)));
        self.event(Duration::ZERO, end, ConnectionEvent::Candidate(format!("memory {}", end.0.short())));
    }

    fn connect(&mut self, end: End, other: Option<End>) {
        let Some(other) = other.filter(|other| self.ends.get(other) == Some(&Some(end))) else { return };
        self.ends.insert(end, Some(other));
        if self.silent.contains(&(end.0, other.0)) {
            return;
        }
        for (at, of) in [(end, other), (other, end)] {
            let shown = self.certificates.get(&(at.0, of.0)).cloned().unwrap_or_else(|| certificate(of));
            // Performers may differ in letter case.
            let seen = Fingerprints { local: certificate(at).to_uppercase(), remote: shown };
            self.event(self.latency, at, ConnectionEvent::Opened(seen));
        }
    }

    fn transmit(&mut self, end: End, channel: Channel, frame: Bytes) {
        let Some(Some(other)) = self.ends.get(&end).copied() else { return };
        let way = (end.0, other.0);
        match self.held.get_mut(&way) {
            Some(held) => held.push((end.1, channel, frame.len())),
            None => self.event(Duration::ZERO, end, ConnectionEvent::Sent { channel, bytes: frame.len() }),
        }
        if self.silent.contains(&way) {
            return;
        }
        let frames = match self.frames.get_mut(&way) {
            Some(tamper) => tamper(channel, frame),
            None => vec![frame],
        };
        for frame in frames {
            self.event(self.latency, other, ConnectionEvent::Received { channel, frame });
        }
    }

    fn carry(&mut self, from: SessionId, to: SessionId, signal: Signal) {
        let signals = match self.signals.get_mut(&(from, to)) {
            Some(tamper) => tamper(signal),
            None => vec![signal],
        };
        for signal in signals {
            self.schedule(self.latency, to, Input::Signal { from, signal });
        }
    }

    fn event(&mut self, wait: Duration, (session, link): End, event: ConnectionEvent) {
        self.schedule(wait, session, Input::Connection { link, event });
    }

    fn schedule(&mut self, wait: Duration, session: SessionId, input: Input) {
        self.scheduled += 1;
        self.agenda.insert((self.now.monotonic + wait, self.scheduled), (session, input));
    }
}

/// The end that a description describes.
fn parse(description: &str) -> Option<End> {
    let (session, link) = description.split_once(' ')?;
    Some((session.parse().ok()?, LinkId(link.parse().ok()?)))
}

fn certificate((session, link): End) -> String {
    format!("memory {session} {}", link.0)
}
