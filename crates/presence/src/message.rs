//! What peers exchange.

use meshwork_base::{NodeId, SessionId};
use serde::{Deserialize, Serialize};

use crate::{PresenceError, Profile};

/// The most rumours in one message.
pub const RUMOURS_MAX: usize = 1_024;

/// The most sessions that one can say it hears.
pub const HEARS_MAX: usize = 4_096;

/// What the rumours of one message weigh at most, in bytes; the rest goes in a second message.
const RUMOURS_BYTES: usize = 32 * 1024;

/// One message. A variant's number never changes its meaning; a new format is a new variant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Message {
    /// "I am here."
    Heartbeat {
        /// The sender.
        session: SessionId,
        /// Grows with every heartbeat of the session.
        beat: u64,
        /// When the receiver does not have this revision yet.
        profile: Option<Profile>,
        /// What the sender heard of others since it last told the receiver.
        rumours: Vec<Rumour>,
    },
    /// More rumours.
    Rumours(Vec<Rumour>),
    /// "I go." The last message of a session.
    Leave {
        /// Higher than that of any heartbeat of the session.
        beat: u64,
    },
    /// The sessions that the sender hears over links of its own, in order, in place of those that it named before: it
    /// needs no rumours of them.
    Hears(Vec<SessionId>),
}

/// What the sender heard of a session other than itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rumour {
    /// Of whom.
    pub session: SessionId,
    /// Its highest beat.
    pub beat: u64,
    /// What it is about.
    pub news: News,
}

/// What a rumour is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum News {
    /// It is here.
    Alive {
        /// How long ago the beat was heard from the session itself.
        age_ms: u64,
        /// Its node and profile, when the receiver does not have this revision yet.
        profile: Option<(NodeId, Profile)>,
    },
    /// It said goodbye; `beat` is the one of the goodbye.
    Left,
}

impl Message {
    /// Checks a message from `from`.
    pub(crate) fn check(&self, from: SessionId) -> Result<(), PresenceError> {
        let (profile, rumours) = match self {
            Self::Heartbeat { session, .. } if *session != from => {
                return Err(PresenceError::Impersonation(*session));
            }
            Self::Heartbeat { profile, rumours, .. } => (profile.as_ref(), rumours.as_slice()),
            Self::Rumours(rumours) => (None, rumours.as_slice()),
            Self::Hears(sessions) if sessions.len() > HEARS_MAX || !sessions.is_sorted_by(|a, b| a < b) => {
                return Err(PresenceError::Hears);
            }
            Self::Leave { .. } | Self::Hears(_) => (None, &[][..]),
        };
        if rumours.len() > RUMOURS_MAX {
            return Err(PresenceError::Rumours(rumours.len()));
        }
        let told = rumours.iter().filter_map(|rumour| match &rumour.news {
            News::Alive { profile: Some((_, profile)), .. } => Some(profile),
            _ => None,
        });
        profile.into_iter().chain(told).try_for_each(Profile::check)
    }
}

impl Rumour {
    /// Roughly how many bytes it takes on the wire, not too few.
    fn weight(&self) -> usize {
        let profile = match &self.news {
            News::Alive { profile: Some((_, profile)), .. } => 32 + profile.weight(),
            _ => 0,
        };
        40 + profile
    }
}

/// Parts of a size that fits a message each.
pub(crate) fn split(rumours: Vec<Rumour>) -> Vec<Vec<Rumour>> {
    let mut parts = vec![Vec::new()];
    let mut bytes = 0;
    for rumour in rumours {
        let weight = rumour.weight();
        let full = |part: &Vec<Rumour>| {
            part.len() >= RUMOURS_MAX || (bytes + weight > RUMOURS_BYTES && !part.is_empty())
        };
        if parts.last().is_none_or(full) {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += weight;
        if let Some(part) = parts.last_mut() {
            part.push(rumour);
        }
    }
    parts
}
