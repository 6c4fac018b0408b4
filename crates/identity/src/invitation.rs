//! Links that lead into a space.

use std::{fmt, str::FromStr};

use meshwork_base::SpaceId;
use url::Url;

use crate::{RoomCode, SpaceSecret};

/// What stands before the room.
const JOIN: &str = "/join/";

/// How many characters of what follows [`JOIN`] are shown, and of a link without it. (The secret comes behind room and
/// space, which are longer than that.)
const ROOM_SHOWN_MAX: usize = 6;
const SHOWN_MAX: usize = 32;

/// The longest link, in bytes.
const LINK_BYTES_MAX: usize = 2048;

/// Everything that a newcomer needs: where the hub is, which room, which space, and the secret.
///
/// As a link, `http://hub:port/join/A3B7K9#SPACE.SECRET`. What follows `#` is never sent to a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invitation {
    /// The hub: `http://` or `https://`, without a path of its own unless it lives under one.
    pub hub: Url,
    /// The room on that hub.
    pub room: RoomCode,
    /// The space whose members meet there.
    pub space: SpaceId,
    /// What lets a session in.
    pub secret: SpaceSecret,
}

/// A link that is not an invitation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvitationError {
    /// Too long to be one.
    #[error("an invitation has at most {LINK_BYTES_MAX} bytes, this one has {0}")]
    Length(usize),
    /// Not a URL that a hub can have.
    #[error("`{0}` is not a link to a hub: it starts with http:// or https:// and a host")]
    Url(String),
    /// The path does not name a room.
    #[error("the link's path `{0}` does not end in /join/ROOM with a room of 6 characters of A-Z and 0-9")]
    Room(String),
    /// The fragment is missing or damaged.
    #[error("the link's part behind `#` is missing or damaged; copy the whole link, or ask for a new one")]
    Fragment,
}

impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hub = self.hub.as_str().trim_end_matches('/');
        write!(f, "{hub}/join/{}#{}.{}", self.room, self.space, self.secret.encode())
    }
}

impl FromStr for Invitation {
    type Err = InvitationError;

    fn from_str(link: &str) -> Result<Self, InvitationError> {
        let link = link.trim();
        if link.len() > LINK_BYTES_MAX {
            return Err(InvitationError::Length(link.len()));
        }
        let refuse = || InvitationError::Url(without_secret(link));
        let mut hub = Url::parse(link).map_err(|_| refuse())?;
        if !matches!(hub.scheme(), "http" | "https") || !hub.has_host() {
            return Err(refuse());
        }
        let path = hub.path().to_owned();
        let refuse = || InvitationError::Room(without_secret(&path));
        let (prefix, room) = path.rsplit_once(JOIN).ok_or_else(refuse)?;
        let room = room.parse().map_err(|_| refuse())?;
        let (space, secret) =
            hub.fragment().and_then(|fragment| fragment.split_once('.')).ok_or(InvitationError::Fragment)?;
        let space = space.parse().map_err(|_| InvitationError::Fragment)?;
        let secret = SpaceSecret::decode(secret).ok_or(InvitationError::Fragment)?;
        hub.set_fragment(None);
        hub.set_query(None);
        hub.set_path(prefix);
        Ok(Self { hub, room, space, secret })
    }
}

/// What may be shown of a link that cannot be read. Whatever became of its `#` on the way (chat applications write it as
/// `%23`, or drop it), the space and the secret behind the room stay out of messages.
fn without_secret(link: &str) -> String {
    let bare = link.split(['#', '?', '%']).next().unwrap_or_default();
    let shown = match bare.find(JOIN) {
        Some(at) => {
            let (before, room) = bare.split_at_checked(at + JOIN.len()).unwrap_or((bare, ""));
            let room: String = room.chars().take(ROOM_SHOWN_MAX).collect();
            format!("{before}{room}")
        }
        None => bare.chars().take(SHOWN_MAX).collect(),
    };
    if shown.len() < link.len() { shown + "…" } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn invitation(hub: &str) -> Invitation {
        Invitation {
            hub: hub.parse().unwrap(),
            room: "A3B7K9".parse().unwrap(),
            space: SpaceId([7; 16]),
            secret: SpaceSecret::from_bytes([9; 32]),
        }
    }

    #[test]
    fn golden_link() {
        assert_eq!(
            invitation("http://127.0.0.1:7070").to_string(),
            "http://127.0.0.1:7070/join/A3B7K9#07070707070707070707070707070707.CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk"
        );
    }

    #[test]
    fn links_round_trip() {
        for hub in ["http://127.0.0.1:7070", "https://hub.example/meshwork", "http://[::1]:80/"] {
            let invitation = invitation(hub);
            assert_eq!(invitation.to_string().parse(), Ok(invitation));
        }
    }

    #[test]
    fn damaged_links_are_refused_by_part() {
        let good = invitation("http://h:1").to_string();
        let table = [
            (String::new(), InvitationError::Url(String::new())),
            ("ftp://h/join/A3B7K9#x".into(), InvitationError::Url("ftp://h/join/A3B7K9…".into())),
            (good.replace("A3B7K9", "A3"), InvitationError::Room("/join/A3".into())),
            (good.replace("/join", ""), InvitationError::Room("/A3B7K9".into())),
            (good[..good.len() - 4].into(), InvitationError::Fragment),
            (good.replace('#', ""), InvitationError::Room("/join/A3B7K9…".into())),
            (good.replace('#', "%23"), InvitationError::Room("/join/A3B7K9…".into())),
            (good.replace("http://", "http//"), InvitationError::Url("http//h:1/join/A3B7K9…".into())),
            ("x".repeat(3000), InvitationError::Length(3000)),
        ];
        for (link, expected) in table {
            assert_eq!(link.parse::<Invitation>(), Err(expected));
        }
    }

    /// However a link is mangled on its way, no message shows the secret, or a good part of it.
    #[test]
    fn no_error_shows_the_secret() {
        let invitation = invitation("https://hub.example/meshwork");
        let (good, secret) = (invitation.to_string(), invitation.secret.encode());
        let parts = [&secret[..10], &secret[secret.len() - 10..]];
        for hash in ["", "%23", "%2523", "/", "?", "&", " ", "\u{ff03}", "%", "#%23", "x"] {
            for join in ["/join/", "/join", "/", "", "%2Fjoin%2F", "/join//", "/join/join/", "/join/x/join/"]
            {
                for scheme in ["https://", "http:/", "ftp://", ""] {
                    let link = good.replace('#', hash).replace("/join/", join).replace("https://", scheme);
                    if let Err(error) = link.parse::<Invitation>() {
                        let said = format!("{error} {error:?}");
                        assert!(parts.iter().all(|part| !said.contains(part)), "{link}: {said}");
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_an_invitation_or_an_error(text: String, tail in ".{0,80}") {
            let _ = text.parse::<Invitation>();
            let _ = format!("http://h/join/A3B7K9#{tail}").parse::<Invitation>();
        }
    }
}
