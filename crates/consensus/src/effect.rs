//! What consensus asks for.

use meshwork_base::{Dot, SessionId};

use crate::Message;

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
    /// The policy is met for every operation of `up_to.replica` up to and including `up_to`; the ones before `from`
    /// were announced earlier.
    Confirmed {
        /// The first newly confirmed sequence.
        from: u64,
        /// The last.
        up_to: Dot,
    },
    /// A peer sent what no correct peer sends.
    Misbehaved {
        /// Who.
        peer: SessionId,
        /// What it did.
        reason: String,
    },
}
