//! What two sessions tell each other, by way of a hub, to set up a link.

use meshwork_base::SessionId;

use crate::{ClientMessage, ServerMessage};

/// Which step of setting up a link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SignalKind {
    /// A session description to answer.
    Offer,
    /// The answer to an offer.
    Answer,
    /// An address to try (ICE candidate).
    Candidate,
}

/// One signal. Hubs carry it without looking inside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signal {
    /// Which attempt at a link it belongs to; meaningful to the two sessions only.
    pub attempt: u64,
    /// Which step.
    pub kind: SignalKind,
    /// The description or candidate.
    pub body: String,
}

impl ClientMessage {
    /// The message that asks a hub to carry `signal` to `to`.
    pub fn signal(to: SessionId, signal: Signal) -> Self {
        let Signal { attempt, kind, body } = signal;
        match kind {
            SignalKind::Offer => Self::Offer { to, attempt, body },
            SignalKind::Answer => Self::Answer { to, attempt, body },
            SignalKind::Candidate => Self::Candidate { to, attempt, body },
        }
    }
}

impl ServerMessage {
    /// The message that brings `signal` from `from`.
    pub fn signal(from: SessionId, signal: Signal) -> Self {
        let Signal { attempt, kind, body } = signal;
        match kind {
            SignalKind::Offer => Self::Offer { from, attempt, body },
            SignalKind::Answer => Self::Answer { from, attempt, body },
            SignalKind::Candidate => Self::Candidate { from, attempt, body },
        }
    }
}
