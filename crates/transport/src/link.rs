//! One connection: how far it is, its channels, and what it carried.

use std::time::Duration;

use bytes::Bytes;
use meshwork_base::{Deadline, Monotonic};
use meshwork_wire::{Channel, Envelope, Protocol, WireError, open_datagram, seal_datagram};

use crate::{
    Config, ConnectionAction, Farewell, LinkId, Message, Peer, SignalKind, Stage, Traffic,
    handshake::{Handshake, Role},
    lane::Lane,
    liveness::Liveness,
    lossy::LossyLane,
    machine::Outbox,
};

/// The same is not said again sooner, whoever asks for it.
pub(crate) const SAY_AGAIN_AFTER: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    /// The offering side's number for it.
    pub(crate) attempt: u64,
    pub(crate) role: Role,
    pub(crate) phase: Phase,
    lanes: [Lane; Channel::RELIABLE.len()],
    lossy: LossyLane,
    pub(crate) traffic: Traffic,
    pub(crate) connect_us: u64,
    /// The peer's candidates that were handed to the performer.
    pub(crate) candidates: Vec<String>,
    /// What the peer was told in order to connect, the description first: it may not have heard it.
    pub(crate) said: Vec<SignalKind>,
    pub(crate) said_at: Monotonic,
    pub(crate) congested: bool,
}

/// How far a link is.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Until both descriptions are there.
    Signalling { expires: Monotonic },
    /// Since both descriptions are there. The peer may see the channels open before we do, and say `Hello`.
    Connecting { since: Monotonic, expires: Monotonic, early: Option<Bytes> },
    /// Since the channels are open.
    Handshake { expires: Monotonic, handshake: Box<Handshake> },
    /// Both sides' proofs hold.
    Up { peer: Box<Peer>, liveness: Liveness },
}

impl Link {
    pub(crate) fn new(id: LinkId, attempt: u64, role: Role, expires: Monotonic) -> Self {
        Self {
            id,
            attempt,
            role,
            phase: Phase::Signalling { expires },
            lanes: Default::default(),
            lossy: LossyLane::default(),
            traffic: Traffic::default(),
            connect_us: 0,
            candidates: Vec::new(),
            said: Vec::new(),
            said_at: Monotonic::default(),
            congested: false,
        }
    }

    /// How far an attempt came.
    pub(crate) fn stage(&self) -> Stage {
        match self.phase {
            Phase::Signalling { .. } => Stage::Signalling,
            Phase::Connecting { .. } => Stage::Connecting,
            Phase::Handshake { .. } | Phase::Up { .. } => Stage::Handshake,
        }
    }

    /// The other side's description has been applied, so that its candidates can be.
    pub(crate) fn takes_candidates(&self) -> bool {
        self.role == Role::Answerer || !matches!(self.phase, Phase::Signalling { .. })
    }

    pub(crate) fn deadline(&self, config: &Config) -> Deadline {
        match &self.phase {
            Phase::Signalling { expires } => {
                let expires = Deadline { at: *expires, why: "signalling takes too long" };
                let again = self.offer_again_at(config);
                again.map_or(expires, |at| expires.min(Deadline { at, why: "offer again" }))
            }
            Phase::Connecting { expires, .. } => Deadline { at: *expires, why: "connecting takes too long" },
            Phase::Handshake { expires, .. } => {
                Deadline { at: *expires, why: "the handshake takes too long" }
            }
            Phase::Up { liveness, .. } => liveness.ping_at(config).min(liveness.dead_at(config)),
        }
    }

    /// When an offer that was not answered is made again.
    pub(crate) fn offer_again_at(&self, config: &Config) -> Option<Monotonic> {
        let waits = self.role == Role::Offerer && self.stage() == Stage::Signalling && !self.said.is_empty();
        let wait = Duration::from_millis(config.offer_wait_ms).max(SAY_AGAIN_AFTER);
        waits.then(|| self.said_at + wait)
    }

    /// Queues a payload; refuses one that is longer than the channel's messages may be.
    pub(crate) fn push(
        &mut self,
        channel: Channel,
        protocol: Protocol,
        payload: Bytes,
        config: &Config,
    ) -> Result<(), WireError> {
        match self.lane(channel) {
            Some(lane) => lane.writer.push(protocol, payload),
            None => {
                let datagram = seal_datagram(protocol, &payload)?;
                self.lossy.push(datagram, config.lossy_datagrams_max);
                Ok(())
            }
        }
    }

    /// The messages that a frame completes.
    pub(crate) fn open(&mut self, channel: Channel, frame: Bytes) -> Result<Vec<Envelope>, WireError> {
        match self.lane(channel) {
            Some(lane) => lane.assembler.open(frame),
            None => open_datagram(&frame).map(|envelope| vec![envelope]),
        }
    }

    /// Takes note that the performer has transmitted so much.
    pub(crate) fn sent(&mut self, channel: Channel, bytes: usize) {
        match self.lane(channel) {
            Some(lane) => lane.sent(bytes),
            None => self.lossy.sent(bytes),
        }
    }

    /// Queues a message of our own.
    pub(crate) fn say(&mut self, message: &Message) {
        self.say_bytes(message.encode());
    }

    pub(crate) fn say_bytes(&mut self, message: Bytes) {
        if let Err(error) = self.control().writer.push(Protocol::Link, message) {
            unreachable!("a link message is short: {error}");
        }
    }

    /// Transmits what the channel takes now.
    pub(crate) fn pump(&mut self, channel: Channel, config: &Config, out: &mut Outbox) {
        while let Some(frame) = self.next_frame(channel, config) {
            self.traffic.sent(frame.len());
            out.totals.sent(frame.len());
            out.connection(self.id, ConnectionAction::Transmit { channel, frame });
        }
    }

    fn next_frame(&mut self, channel: Channel, config: &Config) -> Option<Bytes> {
        match self.lane(channel) {
            Some(lane) => lane.next_frame(config.batch_above_bytes),
            None => self.lossy.next_frame(),
        }
    }

    /// Closes the connection, after a last word if there is one and if the channel takes it.
    pub(crate) fn close(mut self, last: Option<Farewell>, config: &Config, out: &mut Outbox) {
        if let Some(last) = last {
            self.say(&Message::Bye(last));
            self.pump(Channel::Control, config, out);
        }
        out.connection(self.id, ConnectionAction::Close);
    }

    /// One of the reliable channels.
    fn lane(&mut self, channel: Channel) -> Option<&mut Lane> {
        let [control, live, bulk] = &mut self.lanes;
        match channel {
            Channel::Control => Some(control),
            Channel::Live => Some(live),
            Channel::Bulk => Some(bulk),
            Channel::Lossy => None,
        }
    }

    pub(crate) fn control(&mut self) -> &mut Lane {
        let [control, ..] = &mut self.lanes;
        control
    }

    /// What waits on the reliable channels. (What waits on the lossy one is bounded by giving way.)
    pub(crate) fn queued_bytes(&self) -> usize {
        self.lanes.iter().map(|lane| lane.writer.waiting_bytes()).sum()
    }
}
