//! Who a node is, and the text in which that is kept.

use meshwork_base::{Seed, SpaceId};
use meshwork_identity::{NodeKey, SpaceSecret};
use serde::{Deserialize, Serialize};

/// The format of the text. Another one is refused by name.
pub(crate) const FORMAT: u32 = 1;

/// What a text is instead of a profile.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileTextError {
    /// Written by another version.
    #[error("has format {found}, this build reads format {FORMAT}")]
    Format {
        /// Its format.
        found: u32,
    },
    /// Not a profile, or a damaged one.
    #[error("is not a meshwork profile: {0}")]
    Malformed(String),
}

/// A node's key, and the space that it is a member of.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The node's key.
    pub key: NodeKey,
    /// The space, once the node has joined one, and what lets it in.
    pub membership: Option<Membership>,
}

/// Membership of one space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Membership {
    /// The space.
    pub space: SpaceId,
    /// What lets a session in.
    pub secret: SpaceSecret,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    key: String,
    space: Option<SpaceId>,
    secret: Option<String>,
}

impl Profile {
    /// A new node, member of nothing yet.
    pub fn generate(seed: &Seed) -> Self {
        Self { key: NodeKey::from_seed(seed), membership: None }
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    pub fn from_json(text: &str) -> Result<Self, ProfileTextError> {
        let malformed = |reason: &str| ProfileTextError::Malformed(reason.to_owned());
        let value: serde_json::Value = serde_json::from_str(text).map_err(|e| malformed(&e.to_string()))?;
        let format =
            value.get("format").and_then(serde_json::Value::as_u64).ok_or_else(|| malformed("no format"))?;
        if format != u64::from(FORMAT) {
            return Err(ProfileTextError::Format { found: u32::try_from(format).unwrap_or(u32::MAX) });
        }
        let stored: Stored = serde_json::from_value(value).map_err(|e| malformed(&e.to_string()))?;
        let key = decode(&stored.key).ok_or_else(|| malformed("the key is damaged"))?;
        let membership = match (stored.space, stored.secret) {
            (Some(space), Some(secret)) => {
                let secret = decode(&secret).ok_or_else(|| malformed("the space secret is damaged"))?;
                Some(Membership { space, secret: SpaceSecret::from_bytes(secret) })
            }
            (None, None) => None,
            _ => return Err(malformed("space and secret go together")),
        };
        Ok(Self { key: NodeKey::from_bytes(&key), membership })
    }

    /// The profile as JSON. It holds secrets.
    pub fn to_json(&self) -> String {
        let membership = self.membership.as_ref();
        let stored = Stored {
            format: FORMAT,
            key: base16ct::lower::encode_string(&self.key.to_bytes()),
            space: membership.map(|membership| membership.space),
            secret: membership
                .map(|membership| base16ct::lower::encode_string(&membership.secret.to_bytes())),
        };
        match serde_json::to_string_pretty(&stored) {
            Ok(text) => text,
            Err(error) => unreachable!("texts and ids are JSON: {error}"),
        }
    }
}

fn decode(text: &str) -> Option<[u8; 32]> {
    base16ct::mixed::decode_vec(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork_identity::Signer as _;

    #[test]
    fn a_profile_is_read_back_and_a_damaged_one_is_refused() {
        let mut profile = Profile::generate(&Seed::from_number(1));
        for membership in
            [None, Some(Membership { space: SpaceId([1; 16]), secret: SpaceSecret::from_bytes([2; 32]) })]
        {
            profile.membership = membership;
            let again = Profile::from_json(&profile.to_json()).unwrap();
            assert_eq!(again.key.node(), profile.key.node());
            assert_eq!(again.membership, profile.membership);
        }
        let text = profile.to_json();
        let table = [
            (text.replace("\"format\": 1", "\"format\": 2"), "has format 2, this build reads format 1"),
            (text.replace("\"secret\": \"0202", "\"secret\": \"02"), "the space secret is damaged"),
            (text[1..].to_owned(), "is not a meshwork profile"),
            (r#"{"format":1,"key":"00","space":null,"secret":null}"#.to_owned(), "the key is damaged"),
            (r#"{"key":"00"}"#.to_owned(), "no format"),
        ];
        for (text, expected) in table {
            let error = Profile::from_json(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
