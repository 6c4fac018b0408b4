//! The whole data flow of a node, in one place.
//!
//! Each function says where one machine's effects go: into which other machines, and what to the host. It is pure, so
//! the same routes serve actors (each machine in its own) and [`Mesh`](crate::Mesh) (all in one thread).
//!
//! ```text
//!  application ──Edit──► documents ──Append──► op-log ──Persist──► host ──Persisted──► op-log
//!                            ▲                  │ │ └──Stored──► consensus ──Confirmed──► application
//!                            └─────Deliver──────┘ │
//!   hub ◄──► discovery ◄──Signal──► transport ◄───┴── Send ──── presence, consensus
//!                └──PeerFound──────►    │  └─ PeerUp, PeerDown, Deliver ──► op-log, presence, consensus
//!                                       └── connections: WebRTC, memory
//! ```
//!
//! Invariant: messages between two machines keep their order; messages of different pairs may interleave in any way.

use meshwork_base::{Bytes, SessionId};
use meshwork_consensus as consensus;
use meshwork_crdt_state as documents;
use meshwork_discovery as discovery;
use meshwork_op_log as op_log;
use meshwork_presence as presence;
use meshwork_transport as transport;
use meshwork_wire::{Channel, Protocol};
use serde::Serialize;

use crate::{Command, Effect, Event, HubAction, HubEvent, Input, courier::Part};

/// An input for one machine, or an effect for the host.
#[derive(Debug)]
pub enum Routed {
    /// For the log.
    OpLog(op_log::Input),
    /// For the documents.
    Documents(documents::Input),
    /// For presence, if the node has it.
    Presence(presence::Input),
    /// For discovery, if the node has it.
    Discovery(discovery::Input),
    /// For transport.
    Transport(transport::Input),
    /// For consensus, if the node has it.
    Consensus(consensus::Input),
    /// For the host.
    Host(Effect),
}

impl Routed {
    /// For whom it is.
    pub fn destination(&self) -> Part {
        match self {
            Self::OpLog(_) => Part::OpLog,
            Self::Documents(_) => Part::Documents,
            Self::Presence(_) => Part::Presence,
            Self::Discovery(_) => Part::Discovery,
            Self::Transport(_) => Part::Transport,
            Self::Consensus(_) => Part::Consensus,
            Self::Host(_) => Part::Host,
        }
    }
}

use Routed::{Consensus, Discovery, Documents, Host, OpLog, Presence, Transport};

/// Routes what the host tells the node.
pub fn from_host(input: Input, mut to: impl FnMut(Routed)) {
    match input {
        Input::Command(Command::Start) => to(Discovery(discovery::Input::Start)),
        Input::Command(Command::Edit { request, document, edits }) => {
            to(Documents(documents::Input::Edit { request, document, edits }));
        }
        Input::Command(Command::EditMany { request, document, transactions }) => {
            to(Documents(documents::Input::EditMany { request, document, transactions }));
        }
        Input::Command(Command::Sync) => to(OpLog(op_log::Input::Sync)),
        Input::Command(Command::SetStatus(status)) => to(Presence(presence::Input::SetStatus(status))),
        Input::Command(Command::SetAway(away)) => to(Presence(presence::Input::SetAway(away))),
        Input::Command(Command::SetEphemeral { key, value, ttl_ms }) => {
            to(Presence(presence::Input::SetValue { key, value, ttl_ms }));
        }
        Input::Command(Command::ClearEphemeral { key }) => to(Presence(presence::Input::ClearValue { key })),
        // By way of the documents, so that the log has every edit that they answered before it closes.
        Input::Command(Command::Close) => to(Documents(documents::Input::Close)),
        Input::Command(Command::Depart) => say_goodbye(to),
        Input::Connection { link, event } => to(Transport(transport::Input::Connection { link, event })),
        Input::Hub { hub, event } => to(Discovery(match event {
            HubEvent::Opened => discovery::Input::Opened { hub },
            HubEvent::Closed { reason } => discovery::Input::Closed { hub, reason },
            HubEvent::Received(message) => discovery::Input::Received { hub, message },
        })),
        Input::Persisted { write } => to(OpLog(op_log::Input::Persisted { write })),
    }
}

fn say_goodbye(mut to: impl FnMut(Routed)) {
    to(Presence(presence::Input::Leave));
    to(Transport(transport::Input::Close));
    to(Discovery(discovery::Input::Stop));
}

/// Routes what the log asks for.
pub fn from_op_log(effect: op_log::Effect, mut to: impl FnMut(Routed)) {
    match effect {
        op_log::Effect::Incarnation(incarnation) => {
            let op_log::Incarnation { replica, epoch, .. } = incarnation;
            to(Documents(documents::Input::Incarnation(incarnation)));
            to(Transport(transport::Input::Incarnation { replica }));
            to(Consensus(consensus::Input::Incarnation { replica, epoch }));
            to(Host(Effect::Incarnation(incarnation)));
        }
        op_log::Effect::Persist { write, rows } => to(Host(Effect::Persist { write, rows })),
        op_log::Effect::Send { to: peer, channel, message } => {
            send(peer, channel, Protocol::OpLog, &message, to);
        }
        op_log::Effect::Deliver(operations) => to(Documents(documents::Input::Deliver(operations))),
        op_log::Effect::Rebuild => to(Documents(documents::Input::Rebuild)),
        op_log::Effect::Stored { version } => {
            to(Consensus(consensus::Input::Stored { version: version.clone() }));
            to(Host(Effect::Stored { version }));
        }
        op_log::Effect::Misbehaved { peer, reason } => to(misbehaved(peer, reason)),
        op_log::Effect::Event(event) => to(Host(Effect::Event(match event {
            op_log::Event::Synced { peer } => Event::StateSynced { peer },
            op_log::Event::Equivocation { dot, author } => Event::Equivocation { dot, author },
            op_log::Event::Waiting { operations, dots } => Event::OperationsWaiting { operations, dots },
            op_log::Event::Retired { replica, kept, reason } => {
                Event::ReplicaRetired { replica, kept, reason }
            }
        }))),
        op_log::Effect::Closed => {
            say_goodbye(&mut to);
            to(Host(Effect::Closed));
        }
    }
}

/// Routes what the documents ask for.
pub fn from_documents(effect: documents::Effect, mut to: impl FnMut(Routed)) {
    let event = match effect {
        documents::Effect::Append(operations) => return to(OpLog(op_log::Input::Append(operations))),
        documents::Effect::Close => return to(OpLog(op_log::Input::Close)),
        documents::Effect::Edited { request, result } => return to(Host(Effect::Edited { request, result })),
        documents::Effect::EditedMany { request, results } => {
            return to(Host(Effect::EditedMany { request, results }));
        }
        documents::Effect::Changed { document, dots } => Event::OperationReceived { document, dots },
        documents::Effect::Invalid { dot, author, reason } => Event::OperationInvalid { dot, author, reason },
        documents::Effect::TimeAhead { dot, author, ahead_ms } => Event::TimeAhead { dot, author, ahead_ms },
        documents::Effect::Pending { dot } => Event::OperationPending { dot },
    };
    to(Host(Effect::Event(event)));
}

/// Routes what presence asks for.
pub fn from_presence(effect: presence::Effect, mut to: impl FnMut(Routed)) {
    match effect {
        presence::Effect::Send { to: peer, message } => {
            send(peer, Channel::Control, Protocol::Presence, &message, to);
        }
        presence::Effect::Show { to: peer, datagram } => {
            send(peer, Channel::Lossy, Protocol::Ephemeral, &datagram, to);
        }
        presence::Effect::Misbehaved { peer, reason } => to(misbehaved(peer, reason)),
        presence::Effect::Event(event) => to(Host(Effect::Event(match event {
            presence::Event::Joined(member) => Event::PeerJoined { member, again: false },
            presence::Event::Returned(member) => Event::PeerJoined { member, again: true },
            presence::Event::Changed(member) => Event::PeerChanged { member },
            presence::Event::Left { member, gracefully } => Event::PeerLeft { member, gracefully },
            presence::Event::ValueSet { session, key, value } => Event::EphemeralSet { session, key, value },
            presence::Event::ValueGone { session, key } => Event::EphemeralGone { session, key },
            presence::Event::ValueRefused { key, error } => Event::EphemeralRefused { key, error },
        }))),
    }
}

/// Routes what discovery asks for.
pub fn from_discovery(effect: discovery::Effect, mut to: impl FnMut(Routed)) {
    match effect {
        discovery::Effect::Open { hub, url } => {
            to(Host(Effect::Hub { hub, action: HubAction::Open { url } }))
        }
        discovery::Effect::Send { hub, message } => {
            to(Host(Effect::Hub { hub, action: HubAction::Send(message) }));
        }
        discovery::Effect::Close { hub } => to(Host(Effect::Hub { hub, action: HubAction::Close })),
        discovery::Effect::PeerFound { session, node } => {
            to(Transport(transport::Input::PeerFound { session, node }));
        }
        discovery::Effect::PeerGone { session } => to(Transport(transport::Input::PeerGone { session })),
        discovery::Effect::Signal { from, signal } => {
            to(Transport(transport::Input::Signal { from, signal: to_transport(signal) }));
        }
        discovery::Effect::Event(event) => to(Host(Effect::Event(match event {
            discovery::Event::Joined { hub, space } => Event::HubJoined { hub: hub.0, space },
            discovery::Event::Unreachable { hub, reason, retry_in_ms } => {
                Event::HubUnreachable { hub: hub.0, reason, retry_in_ms }
            }
            discovery::Event::Refused { hub, reason } => Event::HubRefused { hub: hub.0, reason },
        }))),
    }
}

/// Routes what transport asks for.
pub fn from_transport(effect: transport::Effect, mut to: impl FnMut(Routed)) {
    match effect {
        transport::Effect::Connection { link, action } => to(Host(Effect::Connection { link, action })),
        transport::Effect::Signal { to: peer, signal } => {
            to(Discovery(discovery::Input::Signal { to: peer, signal: to_discovery(signal) }));
        }
        transport::Effect::Deliver { from, protocol, payload } => deliver(from, protocol, &payload, to),
        transport::Effect::PeerUp(peer) => {
            let transport::Peer { session, node, .. } = peer;
            to(OpLog(op_log::Input::PeerUp { peer: session }));
            to(Presence(presence::Input::PeerUp { peer: session, node }));
            to(Consensus(consensus::Input::PeerUp { peer: session, node }));
            to(Host(Effect::Event(Event::LinkUp { peer })));
        }
        transport::Effect::PeerDown { peer, left, reason } => {
            to(OpLog(op_log::Input::PeerDown { peer }));
            to(Presence(presence::Input::PeerDown { peer, left }));
            to(Consensus(consensus::Input::PeerDown { peer }));
            to(Host(Effect::Event(Event::LinkDown { peer, reason })));
        }
        transport::Effect::Congested { peer } => to(OpLog(op_log::Input::Congested { peer })),
        transport::Effect::Drained { peer } => to(OpLog(op_log::Input::Drained { peer })),
        transport::Effect::Event(event) => to(Host(Effect::Event(match event {
            transport::Event::ConnectFailed { peer, stage, reason, retry_in_ms } => {
                Event::LinkFailed { peer, stage, reason, retry_in_ms }
            }
            transport::Event::Misbehaved { peer, reason, cut } => Event::Misbehaved { peer, reason, cut },
            transport::Event::LinksFull { peer } => Event::LinksFull { peer },
        }))),
    }
}

/// Routes what consensus asks for.
pub fn from_consensus(effect: consensus::Effect, mut to: impl FnMut(Routed)) {
    match effect {
        consensus::Effect::Send { to: peer, message } => {
            send(peer, Channel::Control, Protocol::Consensus, &message, to);
        }
        consensus::Effect::Confirmed { from, up_to } => {
            to(Host(Effect::Event(Event::Confirmed { from, up_to })));
        }
        consensus::Effect::Misbehaved { peer, reason } => to(misbehaved(peer, reason)),
    }
}

/// Hands a payload from a peer to the machine that it is for; one that does not decode is the peer's fault.
fn deliver(from: SessionId, protocol: Protocol, payload: &Bytes, mut to: impl FnMut(Routed)) {
    let decoded = match protocol {
        Protocol::OpLog => {
            meshwork_wire::decode(payload).map(|message| OpLog(op_log::Input::Received { from, message }))
        }
        Protocol::Presence => meshwork_wire::decode(payload)
            .map(|message| Presence(presence::Input::Received { from, message })),
        Protocol::Ephemeral => {
            meshwork_wire::decode(payload).map(|datagram| Presence(presence::Input::Seen { from, datagram }))
        }
        Protocol::Consensus => meshwork_wire::decode(payload)
            .map(|message| Consensus(consensus::Input::Received { from, message })),
        Protocol::Link => Ok(misbehaved(from, "a link message outside its handshake".into())),
    };
    to(decoded.unwrap_or_else(|error| misbehaved(from, error.to_string())));
}

/// Encodes a message for a peer. Machines keep their messages within the limits, so a refusal is a bug of ours; it is
/// told, and anti-entropy, or the next refresh, makes up for the message.
fn send(
    peer: SessionId,
    channel: Channel,
    protocol: Protocol,
    message: &impl Serialize,
    mut to: impl FnMut(Routed),
) {
    match meshwork_wire::encode(message) {
        Ok(payload) => {
            to(Transport(transport::Input::Send { to: peer, channel, protocol, payload: payload.into() }));
        }
        Err(error) => tracing::error!(%peer, ?protocol, %error, "a message of ours does not encode"),
    }
}

fn misbehaved(peer: SessionId, reason: String) -> Routed {
    Transport(transport::Input::Misbehaved { peer, reason })
}

fn to_discovery(signal: transport::Signal) -> discovery::Signal {
    let (kind, body) = match signal.kind {
        transport::SignalKind::Offer(body) => (discovery::SignalKind::Offer, body),
        transport::SignalKind::Answer(body) => (discovery::SignalKind::Answer, body),
        transport::SignalKind::Candidate(body) => (discovery::SignalKind::Candidate, body),
    };
    discovery::Signal { attempt: signal.attempt, kind, body }
}

fn to_transport(signal: discovery::Signal) -> transport::Signal {
    let kind = match signal.kind {
        discovery::SignalKind::Offer => transport::SignalKind::Offer(signal.body),
        discovery::SignalKind::Answer => transport::SignalKind::Answer(signal.body),
        discovery::SignalKind::Candidate => transport::SignalKind::Candidate(signal.body),
    };
    transport::Signal { attempt: signal.attempt, kind }
}
