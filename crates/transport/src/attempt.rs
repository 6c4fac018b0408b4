//! From an attempt to a link that is up, or to its end.

use std::time::Duration;

use bytes::Bytes;
use meshwork_base::{NodeId, ReplicaId, SessionId, Timestamp};
use meshwork_wire::{Channel, Envelope, Protocol};

use crate::{
    Config, ConnectionAction, Effect, Event, Farewell, Fingerprints, LinkId, Message, Peer, Refusal, Signal,
    SignalKind, Stage, Transport,
    handshake::{Expected, Handshake, Role},
    link::{Link, Phase, SAY_AGAIN_AFTER},
    liveness::Liveness,
    machine::Outbox,
    message::words,
};

/// The longest frame that an unproved peer may send. A handshake's are a tenth of it.
const UNPROVED_FRAME_BYTES_MAX: usize = 4 * 1024;

impl Link {
    /// Both descriptions are there.
    pub(crate) fn connecting(&mut self, now: Timestamp, config: &Config) {
        let expires = now.monotonic + Duration::from_millis(config.connecting_timeout_ms);
        self.phase = Phase::Connecting { since: now.monotonic, expires, early: None };
    }

    /// The node that has proved in the handshake that it is at the other end.
    fn proved(&self) -> Option<NodeId> {
        match &self.phase {
            Phase::Handshake { handshake, .. } => handshake.proved().map(|hello| hello.node),
            _ => None,
        }
    }

    pub(crate) fn add_candidate(&mut self, candidate: String, config: &Config, out: &mut Outbox) {
        if self.candidates.len() < config.candidates_max && !self.candidates.contains(&candidate) {
            self.candidates.push(candidate.clone());
            out.connection(self.id, ConnectionAction::AddCandidate(candidate));
        }
    }
}

impl Transport {
    pub(crate) fn described(&mut self, now: Timestamp, session: SessionId, id: LinkId, description: String) {
        let Some(link) = self.peers.get_mut(&session).and_then(|entry| entry.attempt.as_mut()) else {
            return;
        };
        if link.id != id || !matches!(link.phase, Phase::Signalling { .. }) {
            return;
        }
        let kind = match link.role {
            Role::Offerer => SignalKind::Offer(description),
            Role::Answerer => {
                link.connecting(now, &self.config);
                SignalKind::Answer(description)
            }
        };
        link.said_at = now.monotonic;
        link.said.insert(0, kind.clone());
        let signal = Signal { attempt: link.attempt, kind };
        self.out.effects.push_back(Effect::Signal { to: session, signal });
    }

    /// Tells the peer once more what a hub may have lost.
    pub(crate) fn say_again(&mut self, now: Timestamp, session: SessionId) {
        let Some(link) = self.peers.get_mut(&session).and_then(|entry| entry.attempt.as_mut()) else {
            return;
        };
        if now.monotonic.since(link.said_at) < SAY_AGAIN_AFTER {
            return;
        }
        link.said_at = now.monotonic;
        for kind in &link.said {
            let signal = Signal { attempt: link.attempt, kind: kind.clone() };
            self.out.effects.push_back(Effect::Signal { to: session, signal });
        }
    }

    pub(crate) fn candidate_found(&mut self, session: SessionId, id: LinkId, candidate: String) {
        let candidates_max = self.config.candidates_max;
        let Some(link) = self.attempt(session, id) else { return };
        let kind = SignalKind::Candidate(candidate);
        if link.said.len() < candidates_max {
            link.said.push(kind.clone());
        }
        let signal = Signal { attempt: link.attempt, kind };
        self.out.effects.push_back(Effect::Signal { to: session, signal });
    }

    pub(crate) fn opened(&mut self, now: Timestamp, session: SessionId, id: LinkId, seen: &Fingerprints) {
        let expires = now.monotonic + Duration::from_millis(self.config.handshake_timeout_ms);
        let Some(link) = self.attempt(session, id) else { return };
        let Phase::Connecting { since, early, .. } = &mut link.phase else { return };
        let (since, early) = (*since, early.take());
        link.said = Vec::new();
        link.connect_us = u64::try_from(now.monotonic.since(since).as_micros()).unwrap_or(u64::MAX);
        match Handshake::new(link.role, seen) {
            Ok(handshake) => link.phase = Phase::Handshake { expires, handshake: Box::new(handshake) },
            Err(refusal) => return self.refuse(now, session, refusal),
        }
        self.say_hello(session);
        if let Some(frame) = early {
            self.received(now, session, id, Channel::Control, frame);
        }
    }

    pub(crate) fn incarnation(&mut self, replica: ReplicaId) {
        self.replica = Some(replica);
        let sessions: Vec<SessionId> = self.peers.keys().copied().collect();
        for session in sessions {
            self.say_hello(session);
        }
    }

    /// Says what is ready to be said: `Hello` as soon as our incarnation is known, `Proof` as soon as both said `Hello`.
    fn say_hello(&mut self, session: SessionId) {
        let (Some(replica), Some(entry)) = (self.replica, self.peers.get_mut(&session)) else { return };
        let Some(link) = &mut entry.attempt else { return };
        let Phase::Handshake { handshake, .. } = &mut link.phase else { return };
        let nonce = self.random.bytes();
        if let Some(hello) = handshake.hello(&self.context, replica, nonce) {
            let proof = handshake.proof(&self.context);
            link.say_bytes(hello);
            if let Some(proof) = proof {
                link.say(&proof);
            }
            link.pump(Channel::Control, &self.config, &mut self.out);
        }
    }

    /// A frame on a connection whose other end is not proved, or has not said that we are. The link may be up
    /// afterwards.
    pub(crate) fn received_early(
        &mut self,
        now: Timestamp,
        session: SessionId,
        id: LinkId,
        channel: Channel,
        frame: Bytes,
    ) -> Result<(), Refusal> {
        let Some(link) = self.attempt(session, id) else { return Ok(()) };
        let proved = match &mut link.phase {
            Phase::Connecting { early: early @ None, .. }
                if channel == Channel::Control && frame.len() <= UNPROVED_FRAME_BYTES_MAX =>
            {
                *early = Some(frame);
                return Ok(());
            }
            Phase::Handshake { handshake, .. } => handshake.proved().is_some(),
            _ => return Err(Refusal::OutOfTurn("frames before the connection was open")),
        };
        if proved && channel != Channel::Control {
            // It sends here only after our `Ready`, hence after its own, which is still on its way.
            self.go_up(now, session)?;
            self.received(now, session, id, channel, frame);
            return Ok(());
        }
        if !proved && (channel != Channel::Control || frame.len() > UNPROVED_FRAME_BYTES_MAX) {
            return Err(Refusal::OutOfTurn("payloads before the handshake was done"));
        }
        let bytes = frame.len();
        link.traffic.received(bytes);
        let envelopes = link.open(channel, frame);
        self.out.totals.received(bytes);
        for envelope in envelopes? {
            self.envelope(now, session, id, channel, envelope)?;
        }
        Ok(())
    }

    /// One message before the link is up.
    pub(crate) fn shake(
        &mut self,
        now: Timestamp,
        session: SessionId,
        envelope: Envelope,
    ) -> Result<(), Refusal> {
        if envelope.protocol != Protocol::Link {
            return Err(Refusal::OutOfTurn("payloads before the handshake was done"));
        }
        let Some(entry) = self.peers.get_mut(&session) else { return Ok(()) };
        let expected = Expected { session, node: entry.node };
        let Some(link) = &mut entry.attempt else { return Ok(()) };
        let Phase::Handshake { handshake, .. } = &mut link.phase else { return Ok(()) };
        match Message::decode(&envelope.payload)? {
            Message::Hello(hello) => {
                let node = hello.node;
                handshake.on_hello(&self.context, expected, hello, envelope.payload)?;
                if self.conduct.banned_for(now, &node, &self.config).is_some() {
                    return Err(Refusal::Banned { node });
                }
                if let Some(proof) = handshake.proof(&self.context) {
                    link.say(&proof);
                }
            }
            Message::Proof(proof) => {
                handshake.on_proof(&self.context, &proof)?;
                link.say(&Message::Ready);
            }
            Message::Ready if handshake.proved().is_some() => {
                return self.go_up(now, session);
            }
            Message::Bye(Farewell::Refused(reason)) => return Err(Refusal::ByPeer(words(&reason))),
            Message::Bye(Farewell::Leaving) => return Err(Refusal::ByPeer("it is leaving".into())),
            Message::Ready => return Err(Refusal::OutOfTurn("Ready without Proof")),
            Message::Ping { .. } | Message::Pong { .. } => {
                return Err(Refusal::OutOfTurn("pings before the handshake was done"));
            }
        }
        link.pump(Channel::Control, &self.config, &mut self.out);
        Ok(())
    }

    /// Both proofs hold: the attempt becomes the link, in place of an older one.
    fn go_up(&mut self, now: Timestamp, session: SessionId) -> Result<(), Refusal> {
        let Some(entry) = self.peers.get_mut(&session) else { return Ok(()) };
        let proved = entry.attempt.as_ref().and_then(|link| match &link.phase {
            Phase::Handshake { handshake, .. } => handshake.proved(),
            _ => None,
        });
        let Some(hello) = proved else { return Ok(()) };
        // It may have been cut off, under another session, since its `Hello`.
        if self.conduct.banned_for(now, &hello.node, &self.config).is_some() {
            return Err(Refusal::Banned { node: hello.node });
        }
        let peer = Peer {
            session,
            node: hello.node,
            replica: hello.replica,
            durable: hello.durable,
            connect_us: entry.attempt.as_ref().map_or(0, |link| link.connect_us),
        };
        let Some(mut link) = entry.attempt.take() else { return Ok(()) };
        let mut liveness = Liveness::new(now);
        link.say(&Message::Ping { token: liveness.ping(now) });
        link.phase = Phase::Up { peer: Box::new(peer.clone()), liveness };
        entry.succeeded();
        if let Some(older) = entry.up.take() {
            self.sessions.remove(&older.id);
            older.close(None, &self.config, &mut self.out);
            let reason = "a newer connection took its place".to_string();
            self.out.effects.push_back(Effect::PeerDown { peer: session, left: false, reason });
        }
        self.out.effects.push_back(Effect::PeerUp(peer));
        entry.up.insert(link).pump(Channel::Control, &self.config, &mut self.out);
        Ok(())
    }

    /// The attempt failed for a reason that may pass.
    pub(crate) fn fail(&mut self, now: Timestamp, session: SessionId, reason: &str) {
        let wait = match self.peers.get_mut(&session) {
            Some(entry) => entry.backoff(&mut self.random, &self.config),
            None => return,
        };
        self.give_up(now, session, reason, wait, None);
    }

    /// The attempt failed for a reason that will not pass by itself: a long wait.
    pub(crate) fn refuse(&mut self, now: Timestamp, session: SessionId, refusal: Refusal) {
        let reason = refusal.to_string();
        // Until it has proved who it is, it may be anybody whom a hub led here.
        let proved = self.peers.get(&session).and_then(|entry| entry.attempt.as_ref()?.proved());
        if let Some(node) = proved.filter(|_| refusal.is_misbehaviour()) {
            let cut = self.conduct.count(now, node, self.config.misbehaviour_max, &self.config);
            self.out.event(Event::Misbehaved { peer: session, reason: reason.clone(), cut });
        }
        if let Some(entry) = self.peers.get_mut(&session) {
            entry.refused();
        }
        let last = (!matches!(refusal, Refusal::ByPeer(_))).then(|| Farewell::refused(&reason));
        self.give_up(now, session, &reason, Duration::from_millis(self.config.refused_retry_ms), last);
    }

    pub(crate) fn give_up(
        &mut self,
        now: Timestamp,
        session: SessionId,
        reason: &str,
        wait: Duration,
        last: Option<Farewell>,
    ) {
        let Some(entry) = self.peers.get_mut(&session) else { return };
        let Some(link) = entry.attempt.take() else { return };
        let stage = link.stage();
        if link.role == Role::Answerer && stage != Stage::Handshake {
            entry.forget_offer(link.attempt);
        }
        self.sessions.remove(&link.id);
        link.close(last, &self.config, &mut self.out);
        let retry_in_ms =
            self.plan(now, session, wait).map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        self.out.event(Event::ConnectFailed {
            peer: session,
            stage,
            reason: reason.to_string(),
            retry_in_ms,
        });
        self.make_room(now);
    }

    fn attempt(&mut self, session: SessionId, id: LinkId) -> Option<&mut Link> {
        self.peers.get_mut(&session)?.attempt.as_mut().filter(|link| link.id == id)
    }
}
