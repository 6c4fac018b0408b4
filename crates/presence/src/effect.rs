//! What presence asks for.

use meshwork_base::{Bytes, SessionId};

use crate::{Datagram, Member, Message, PresenceError};

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
    /// Send a datagram to a linked peer, on the lossy channel.
    Show {
        /// To whom.
        to: SessionId,
        /// What.
        datagram: Datagram,
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

/// What happened to the membership, and to what members show.
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
    /// Another member shows a value, or another one than before. (That it will live longer is no event.)
    ValueSet {
        /// Who.
        session: SessionId,
        /// Its key.
        key: String,
        /// It.
        value: Bytes,
    },
    /// Another member shows a value no longer: cleared, out of time, or gone with the member.
    ValueGone {
        /// Who.
        session: SessionId,
        /// Its key.
        key: String,
    },
    /// A value of our own that is not shown, since it breaks a bound. The one before it still is.
    ValueRefused {
        /// Its key.
        key: String,
        /// Which bound.
        error: PresenceError,
    },
}
