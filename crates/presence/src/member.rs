//! A member, and what it says about itself.

use meshwork_base::{NodeId, SessionId};
use serde::{Deserialize, Serialize};

use crate::{Capabilities, PresenceError};

/// The longest name of a session, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 64;

/// The longest status of a session, in bytes of UTF-8.
pub const STATUS_BYTES_MAX: usize = 256;

/// Somebody who is here, or was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Which session.
    pub session: SessionId,
    /// Its node.
    pub node: NodeId,
    /// What it is called.
    pub name: String,
    /// What it shows to the others.
    pub status: String,
    /// What it can do.
    pub capabilities: Capabilities,
    /// It cannot keep its heartbeat for now (a background tab).
    pub away: bool,
    /// We have a link with it.
    pub linked: bool,
    /// Known from others only: nothing of this was said over a link of its own.
    pub hearsay: bool,
}

/// What a session says about itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Profile {
    /// Grows with every change.
    pub revision: u64,
    /// See [`Member::name`]; at most [`NAME_BYTES_MAX`], no control characters.
    pub name: String,
    /// See [`Member::status`]; at most [`STATUS_BYTES_MAX`], no control characters.
    pub status: String,
    /// See [`Member::capabilities`].
    pub capabilities: Capabilities,
    /// See [`Member::away`].
    pub away: bool,
}

impl Profile {
    /// Whether it is within bounds. (Its capabilities cannot be otherwise.)
    pub(crate) fn check(&self) -> Result<(), PresenceError> {
        check_text("name", &self.name, NAME_BYTES_MAX)?;
        check_text("status", &self.status, STATUS_BYTES_MAX)
    }

    /// Whether people would see a difference.
    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        (&self.name, &self.status, &self.capabilities, self.away)
            == (&other.name, &other.status, &other.capabilities, other.away)
    }

    /// Roughly how many bytes it takes on the wire, not too few.
    pub(crate) fn weight(&self) -> usize {
        let capabilities: usize =
            self.capabilities.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        self.name.len() + self.status.len() + capabilities + 16
    }
}

pub(crate) fn check_text(what: &'static str, text: &str, limit: usize) -> Result<(), PresenceError> {
    if text.len() > limit {
        return Err(PresenceError::TooLong { what, size: text.len(), limit });
    }
    if text.chars().any(char::is_control) {
        return Err(PresenceError::Control(what));
    }
    Ok(())
}

/// The longest beginning of `text` that passes [`check_text`], control characters left out.
pub(crate) fn fit(text: &str, limit: usize) -> String {
    let mut fitting = String::new();
    for char in text.chars().filter(|char| !char.is_control()) {
        if fitting.len() + char.len_utf8() > limit {
            break;
        }
        fitting.push(char);
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_made_to_fit_fits(text: String, limit in 0usize..40) {
            let fitting = fit(&text, limit);
            prop_assert_eq!(check_text("text", &fitting, limit), Ok(()));
            prop_assert!(check_text("text", &text, limit).is_err() || fitting == text);
        }
    }
}
