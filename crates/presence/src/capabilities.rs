//! What a session can do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{PresenceError, member::check_text};

/// The most capabilities of a session.
pub const CAPABILITIES_MAX: usize = 16;

/// The longest name of a capability, in bytes of UTF-8.
pub const CAPABILITY_NAME_BYTES_MAX: usize = 32;

/// The longest value of a capability, in bytes of UTF-8.
pub const CAPABILITY_VALUE_BYTES_MAX: usize = 64;

/// A few short facts about a session by name, such as `kind: native` or `durable: yes`. Within bounds by construction,
/// decoded ones too.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Capabilities(BTreeMap<String, String>);

impl Capabilities {
    /// With one more, or another value for one.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, PresenceError> {
        self.0.insert(name.into(), value.into());
        Self::try_from(self.0)
    }

    /// The value of `name`, if it is there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All of them, in order of name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl TryFrom<BTreeMap<String, String>> for Capabilities {
    type Error = PresenceError;

    fn try_from(all: BTreeMap<String, String>) -> Result<Self, PresenceError> {
        if all.len() > CAPABILITIES_MAX {
            return Err(PresenceError::Capabilities(all.len()));
        }
        for (name, value) in &all {
            if name.is_empty() {
                return Err(PresenceError::Unnamed);
            }
            check_text("capability's name", name, CAPABILITY_NAME_BYTES_MAX)?;
            check_text("capability's value", value, CAPABILITY_VALUE_BYTES_MAX)?;
        }
        Ok(Self(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_for_made_and_for_decoded_ones() {
        let one = Capabilities::default().with("kind", "browser").unwrap();
        assert_eq!((one.get("kind"), one.get("durable"), one.iter().len()), (Some("browser"), None, 1));
        assert_eq!(one.clone().with("", "x"), Err(PresenceError::Unnamed));
        assert!(one.clone().with(&"n".repeat(33), "x").is_err());
        assert!(one.clone().with("n", &"x".repeat(65)).is_err());
        assert_eq!(one.with("n", "a\u{1b}b"), Err(PresenceError::Control("capability's value")));
        let many: BTreeMap<String, String> = (0..17).map(|n| (n.to_string(), String::new())).collect();
        assert_eq!(Capabilities::try_from(many.clone()), Err(PresenceError::Capabilities(17)));
        let bytes = meshwork_wire::encode(&many).unwrap();
        assert!(meshwork_wire::decode::<Capabilities>(&bytes).is_err());
    }
}
