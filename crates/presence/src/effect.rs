//! What presence asks for.

use meshwork_base::SessionId;

use crate::{Member, Message};

/// One effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Send a message to a linked peer, on the control channel.
    Send {
        /// To whom.
        to: SessionId,
        /// What.
        message: Message,
    },
    /// A peer sent what no correct peer sends.
    Misbehaved {
        /// Who.
        peer: SessionId,
        /// What it did.
        reason: String,
    },
    /// Something that people may want to see.
    Event(Event),
}

/// What happened to the membership.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Somebody new.
    Joined(Member),
    /// Somebody whom we had given up is back.
    Returned(Member),
    /// Status, capabilities or `away` changed.
    Changed(Member),
    /// Somebody is gone.
    Left {
        /// Who.
        member: Member,
        /// By a goodbye, or after silence.
        gracefully: bool,
    },
}
