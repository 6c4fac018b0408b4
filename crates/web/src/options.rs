//! What `Mesh.join` is given.

use meshwork_identity::{Invitation, RoomCode};
use serde::Deserialize;
use serde_json::Value as Json;
use url::Url;

use crate::error::WebError;

const NAME_BYTES_MAX: usize = 64;

/// As JavaScript hands it over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Options {
    /// The name that others see.
    pub(crate) name: String,
    /// Hubs; all have the same room.
    #[serde(default)]
    pub(crate) hubs: Vec<String>,
    pub(crate) room: Option<String>,
    pub(crate) password: Option<String>,
    /// A link that holds hub, room, space and secret.
    pub(crate) invitation: Option<String>,
    /// Whether the rows outlive the tab.
    pub(crate) durable: bool,
    /// Another tab of this browser writes the store, and leads to everybody else.
    #[serde(default)]
    pub(crate) follower: bool,
    /// On how many nodes an operation has to be stored to count as confirmed.
    pub(crate) confirmations: Option<u16>,
    /// As for `RTCPeerConnection`.
    pub(crate) ice_servers: Option<Json>,
}

/// The same, understood.
pub(crate) struct Place {
    pub(crate) hubs: Vec<Url>,
    pub(crate) room: Option<RoomCode>,
    pub(crate) invitation: Option<Invitation>,
}

impl Options {
    pub(crate) fn parse(json: &str) -> Result<Self, WebError> {
        let options: Self =
            serde_json::from_str(json).map_err(|error| WebError::Usage(format!("options: {error}")))?;
        if options.name.is_empty() || options.name.len() > NAME_BYTES_MAX {
            let bytes = options.name.len();
            return Err(WebError::Usage(format!(
                "a name takes 1 to {NAME_BYTES_MAX} bytes, this one has {bytes}"
            )));
        }
        Ok(options)
    }

    /// Where to meet the others. An invitation's hub comes first, and its room is the room.
    pub(crate) fn place(&self) -> Result<Place, WebError> {
        let usage = |error: &dyn std::fmt::Display| WebError::Usage(error.to_string());
        let hub = |text: &String| {
            let refuse = |error| WebError::Usage(format!("`{text}` is not the address of a hub: {error}"));
            text.parse::<Url>().map_err(refuse)
        };
        let mut hubs: Vec<Url> = self.hubs.iter().map(hub).collect::<Result<_, _>>()?;
        let mut room = match &self.room {
            Some(room) => Some(room.parse::<RoomCode>().map_err(|error| usage(&error))?),
            None => None,
        };
        let invitation = match &self.invitation {
            Some(link) => Some(link.parse::<Invitation>().map_err(|error| usage(&error))?),
            None => None,
        };
        if let Some(invitation) = &invitation {
            if !hubs.contains(&invitation.hub) {
                hubs.insert(0, invitation.hub.clone());
            }
            room = Some(invitation.room);
        }
        if room.is_none() && !hubs.is_empty() {
            return Err(WebError::Usage("a hub needs a room: 6 characters of A-Z and 0-9".into()));
        }
        Ok(Place { hubs, room, invitation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(json: &str) -> Result<Place, String> {
        Options::parse(json).and_then(|options| options.place()).map_err(|error| error.to_string())
    }

    #[test]
    fn mistakes_are_named() {
        let table = [
            (r#"{"name":"","durable":true}"#, "a name takes 1 to 64 bytes"),
            (r#"{"name":"a","durable":true,"hub":"http://h"}"#, "unknown field `hub`"),
            (
                r#"{"name":"a","durable":true,"hubs":["h"],"room":"A3B7K9"}"#,
                "`h` is not the address of a hub",
            ),
            (r#"{"name":"a","durable":true,"hubs":["http://h"]}"#, "a hub needs a room"),
            (r#"{"name":"a","durable":true,"room":"x"}"#, "`x` is not a room code"),
            (r#"{"name":"a","durable":true,"invitation":"http://h"}"#, "does not end in /join/ROOM"),
        ];
        for (json, expected) in table {
            let error = place(json).err().unwrap_or_default();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }

    #[test]
    fn an_invitation_names_hub_and_room() {
        let link = "http://h:1/join/A3B7K9#07070707070707070707070707070707.CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk";
        let json = format!(r#"{{"name":"a","durable":true,"hubs":["http://x"],"invitation":"{link}"}}"#);
        let place = place(&json).unwrap();
        assert_eq!(place.hubs.iter().map(Url::as_str).collect::<Vec<_>>(), ["http://h:1/", "http://x/"]);
        assert_eq!(place.room.unwrap().to_string(), "A3B7K9");
    }
}
