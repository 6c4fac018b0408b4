//! What a hostile node sends.

use meshwork::Bytes;
use meshwork_wire::Channel;

use super::{Charge, frames};

/// A frame that it sends.
pub(crate) struct Shot {
    /// To which of its prey.
    pub(crate) to: usize,
    pub(crate) channel: Channel,
    pub(crate) frame: Bytes,
    /// What the receiver will certainly hold against it.
    pub(crate) charge: Charge,
}

/// The same for everybody.
pub(super) struct Volley {
    channel: Channel,
    frames: Vec<Bytes>,
    charge: Option<Charge>,
}

impl Volley {
    pub(super) fn of(channel: Channel, frames: Vec<Bytes>) -> Self {
        Self { channel, frames, charge: None }
    }

    /// Of one frame that says something for which its sender is certainly charged.
    pub(super) fn counted(self) -> Self {
        Self { charge: Some(Charge::Counted), ..self }
    }

    pub(super) fn innocent(self) -> Self {
        Self { charge: Some(Charge::None), ..self }
    }

    pub(super) fn at(self, to: usize) -> impl Iterator<Item = Shot> {
        let Self { channel, frames, charge } = self;
        frames.into_iter().map(move |frame| {
            let charge = charge.unwrap_or_else(|| frames::charge(channel, &frame));
            Shot { to, channel, frame, charge }
        })
    }
}
