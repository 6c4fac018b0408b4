//! Who this node is: one JSON text in the store.

use data_encoding::HEXLOWER_PERMISSIVE;
use meshwork::{Seed, SpaceId};
use meshwork_identity::{NodeKey, SpaceSecret};
use serde::{Deserialize, Serialize};

use crate::error::WebError;

/// The format of the text. Another one is refused.
const FORMAT: u32 = 1;

/// A node's key, and the space that it is a member of.
#[derive(Clone)]
pub(crate) struct Profile {
    pub(crate) key: NodeKey,
    pub(crate) membership: Option<Membership>,
}

/// Membership of one space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Membership {
    pub(crate) space: SpaceId,
    pub(crate) secret: SpaceSecret,
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
    pub(crate) fn generate(seed: &Seed) -> Self {
        Self { key: NodeKey::from_seed(seed), membership: None }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, WebError> {
        let damaged = |reason: &str| {
            WebError::Storage(format!(
                "the stored profile cannot be read ({reason}): clear this site's data to start anew, \
                 or use another name for `storage`"
            ))
        };
        let stored: Stored = serde_json::from_str(text).map_err(|error| damaged(&error.to_string()))?;
        if stored.format != FORMAT {
            let found = stored.format;
            return Err(WebError::Storage(format!(
                "the stored profile has format {found}, this build reads format {FORMAT}: reload the page \
                 to get a newer build"
            )));
        }
        let key = decode(&stored.key).ok_or_else(|| damaged("the key"))?;
        let membership = match (stored.space, stored.secret) {
            (Some(space), Some(secret)) => {
                let secret = decode(&secret).ok_or_else(|| damaged("the secret"))?;
                Some(Membership { space, secret: SpaceSecret::from_bytes(secret) })
            }
            (None, None) => None,
            _ => return Err(damaged("space and secret go together")),
        };
        Ok(Self { key: NodeKey::from_bytes(&key), membership })
    }

    pub(crate) fn to_text(&self) -> String {
        let membership = self.membership.as_ref();
        let stored = Stored {
            format: FORMAT,
            key: HEXLOWER_PERMISSIVE.encode(&self.key.to_bytes()),
            space: membership.map(|membership| membership.space),
            secret: membership.map(|membership| HEXLOWER_PERMISSIVE.encode(&membership.secret.to_bytes())),
        };
        match serde_json::to_string(&stored) {
            Ok(text) => text,
            Err(error) => unreachable!("texts and ids are JSON: {error}"),
        }
    }
}

fn decode(text: &str) -> Option<[u8; 32]> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
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
            let again = Profile::parse(&profile.to_text()).unwrap();
            assert_eq!(again.key.node(), profile.key.node());
            assert_eq!(again.membership, profile.membership);
        }
        let text = profile.to_text();
        let damaged = [
            text.replace("\"format\":1", "\"format\":2"),
            text.replace("\"secret\":\"0202", "\"secret\":\"02"),
            text[1..].to_owned(),
            r#"{"format":1,"key":"00","space":null,"secret":null}"#.to_owned(),
        ];
        for text in damaged {
            assert!(Profile::parse(&text).is_err(), "{text}");
        }
    }
}
