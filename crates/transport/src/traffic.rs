//! Payloads over links that are up, and the end of such links.

use bytes::Bytes;
use meshwork_base::{NodeId, SessionId, Timestamp};
use meshwork_wire::{Channel, Envelope, FRAME_BYTES_MAX, Protocol};

use crate::{
    Effect, Event, Farewell, LinkId, Message, Refusal, Transport,
    link::{Link, Phase},
    message::words,
    peer::{PeerEntry, Slot},
};

impl Transport {
    pub(crate) fn send(
        &mut self,
        now: Timestamp,
        to: SessionId,
        channel: Channel,
        protocol: Protocol,
        payload: Bytes,
    ) {
        // To a link that is just gone: its sender is being told by `PeerDown`.
        let Some(link) = self.peers.get_mut(&to).and_then(|entry| entry.up.as_mut()) else { return };
        if let Err(error) = link.push(channel, protocol, payload, &self.config) {
            tracing::error!(%error, peer = %to, ?protocol, "a payload that fits in no message was not sent");
            return;
        }
        link.pump(channel, &self.config, &mut self.out);
        self.watch_queue(now, to);
    }

    pub(crate) fn sent(&mut self, session: SessionId, id: LinkId, channel: Channel, bytes: usize) {
        let Some(entry) = self.peers.get_mut(&session) else { return };
        let Some(link) = entry.slot(id).and_then(|slot| entry.link(slot)) else { return };
        link.sent(channel, bytes);
        link.pump(channel, &self.config, &mut self.out);
        if link.congested && link.queued_bytes() <= self.config.queue_low_bytes {
            link.congested = false;
            self.out.effects.push_back(Effect::Drained { peer: session });
        }
    }

    /// Tells when a link's queue is full, and gives the link up when that did not help.
    fn watch_queue(&mut self, now: Timestamp, session: SessionId) {
        let Some(link) = self.peers.get_mut(&session).and_then(|entry| entry.up.as_mut()) else { return };
        let queued = link.queued_bytes();
        if queued > self.config.queue_hard_bytes_max {
            let reason = format!("it is too slow for what it is sent: {queued} bytes waited");
            self.lose(now, session, &reason);
            self.settle(session);
        } else if queued > self.config.queue_bytes_max && !link.congested {
            link.congested = true;
            self.out.effects.push_back(Effect::Congested { peer: session });
        }
    }

    pub(crate) fn received(
        &mut self,
        now: Timestamp,
        session: SessionId,
        id: LinkId,
        channel: Channel,
        frame: Bytes,
    ) {
        let outcome = match self.slot(session, id) {
            Some(Slot::Up) => self.received_up(now, session, id, channel, frame),
            Some(Slot::Attempt) => self.received_early(now, session, id, channel, frame),
            None => return,
        };
        let Err(refusal) = outcome else { return };
        // The link may have gone up, or away, on the way.
        match self.slot(session, id) {
            Some(Slot::Attempt) => self.refuse(now, session, refusal),
            Some(Slot::Up) => {
                self.misbehaved(now, session, self.config.misbehaviour_max, &refusal.to_string());
            }
            None => {}
        }
    }

    fn received_up(
        &mut self,
        now: Timestamp,
        session: SessionId,
        id: LinkId,
        channel: Channel,
        frame: Bytes,
    ) -> Result<(), Refusal> {
        let Some(link) = self.up(session, id) else { return Ok(()) };
        let bytes = frame.len();
        link.traffic.received(bytes);
        if let Phase::Up { liveness, .. } = &mut link.phase {
            liveness.received(now);
        }
        let envelopes = link.open(channel, frame);
        self.out.totals.received(bytes);
        for envelope in envelopes? {
            self.envelope(now, session, id, channel, envelope)?;
        }
        Ok(())
    }

    /// One message of a frame; those before it in the frame may have changed how the link stands.
    pub(crate) fn envelope(
        &mut self,
        now: Timestamp,
        session: SessionId,
        id: LinkId,
        channel: Channel,
        envelope: Envelope,
    ) -> Result<(), Refusal> {
        match self.slot(session, id) {
            Some(Slot::Up) if envelope.protocol == Protocol::Link => {
                self.link_message(now, session, id, channel, &envelope.payload)
            }
            // What is made for loss and disorder, and what is not, keep to their own channels.
            Some(Slot::Up) if (envelope.protocol == Protocol::Ephemeral) != (channel == Channel::Lossy) => {
                Err(Refusal::OutOfTurn("a message on a channel that is not for it"))
            }
            Some(Slot::Up) => {
                let Envelope { protocol, payload } = envelope;
                self.out.effects.push_back(Effect::Deliver { from: session, protocol, payload });
                Ok(())
            }
            Some(Slot::Attempt) => self.shake(now, session, envelope),
            None => Ok(()),
        }
    }

    fn link_message(
        &mut self,
        now: Timestamp,
        session: SessionId,
        id: LinkId,
        channel: Channel,
        payload: &[u8],
    ) -> Result<(), Refusal> {
        let message = Message::decode(payload)?;
        let Some(link) = self.peers.get_mut(&session).and_then(|entry| entry.up.as_mut()) else {
            return Ok(());
        };
        if link.id != id || channel != Channel::Control {
            return Err(Refusal::OutOfTurn("a link message on a payload channel"));
        }
        match message {
            // What waits in a long queue says as much as a pong, and a flood of pings fills no memory.
            Message::Ping { token } => {
                if link.control().writer.waiting_bytes() < FRAME_BYTES_MAX {
                    link.say(&Message::Pong { token });
                    link.pump(Channel::Control, &self.config, &mut self.out);
                }
            }
            Message::Pong { token } => {
                if let Phase::Up { liveness, .. } = &mut link.phase {
                    liveness.pong(now, token);
                }
            }
            // Its `Ready`, overtaken by payloads on another channel.
            Message::Ready => {}
            Message::Bye(Farewell::Leaving) => self.left(now, session),
            Message::Bye(Farewell::Refused(reason)) => {
                if let Some(entry) = self.peers.get_mut(&session) {
                    entry.refused();
                }
                self.lose(now, session, &Refusal::ByPeer(words(&reason)).to_string());
            }
            Message::Hello(_) | Message::Proof(_) => return Err(Refusal::OutOfTurn("a second handshake")),
        }
        Ok(())
    }

    /// Counts misbehaviour against the node behind `session`, and cuts all its links when that is enough.
    pub(crate) fn misbehaved(&mut self, now: Timestamp, session: SessionId, weight: u32, reason: &str) {
        // Without a link, this is about what was under way when it was cut.
        let up = self.peers.get(&session).and_then(|entry| entry.up.as_ref());
        let Some(node) = up.and_then(Link::node) else { return };
        let cut = self.conduct.count(now, node, weight, &self.config);
        self.out.event(Event::Misbehaved { peer: session, reason: reason.to_string(), cut });
        if !cut {
            return;
        }
        let same_node = |entry: &PeerEntry| entry.up.as_ref().and_then(Link::node) == Some(node);
        let sessions: Vec<SessionId> =
            self.peers.iter().filter(|(_, entry)| same_node(entry)).map(|(session, _)| *session).collect();
        for session in sessions {
            self.end(now, session, false, &format!("cut off: {reason}"), Some(Farewell::refused(reason)));
            self.settle(session);
        }
    }

    /// The peer said that its session ends: nothing is tried again until a hub announces it anew.
    fn left(&mut self, now: Timestamp, session: SessionId) {
        if let Some(entry) = self.peers.get_mut(&session) {
            entry.listed = false;
        }
        self.end(now, session, true, "it said goodbye", None);
    }

    /// The link is of no use any more; another one is tried soon.
    pub(crate) fn lose(&mut self, now: Timestamp, session: SessionId, reason: &str) {
        self.end(now, session, false, reason, None);
    }

    pub(crate) fn end(
        &mut self,
        now: Timestamp,
        session: SessionId,
        left: bool,
        reason: &str,
        last: Option<Farewell>,
    ) {
        let Some(entry) = self.peers.get_mut(&session) else { return };
        let Some(link) = entry.up.take() else { return };
        let wait = entry.backoff(&mut self.random, &self.config);
        self.sessions.remove(&link.id);
        link.close(last, &self.config, &mut self.out);
        self.out.effects.push_back(Effect::PeerDown { peer: session, left, reason: reason.to_string() });
        self.plan(now, session, wait);
        self.make_room(now);
    }

    fn up(&mut self, session: SessionId, id: LinkId) -> Option<&mut Link> {
        self.peers.get_mut(&session)?.up.as_mut().filter(|link| link.id == id)
    }
}

impl Link {
    fn node(&self) -> Option<NodeId> {
        match &self.phase {
            Phase::Up { peer, .. } => Some(peer.node),
            _ => None,
        }
    }
}
