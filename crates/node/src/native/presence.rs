//! Who is here and what each of them shows, and what this node shows itself.

use std::{collections::BTreeMap, time::Duration};

use base64ct::{Base64, Encoding as _};
use meshwork_base::Bytes;
use serde_json::{Value, json};

use super::node::{Node, NodeError};
use crate::{Command, Member};

/// A session that is here, with what it shows.
#[derive(Clone, PartialEq, Debug)]
pub struct Present {
    /// Who.
    pub member: Member,
    /// It is this one.
    pub own: bool,
    /// What it shows, by key.
    pub ephemeral: BTreeMap<String, Value>,
}

impl Node {
    /// Everybody who is here with what they show, this session first.
    pub async fn presence(&self) -> Result<Vec<Present>, NodeError> {
        let presence = self.alive().await?.actors.presence.ok_or(NodeError::Absent("presence"))?;
        let present = self.ask(&presence, |presence| {
            let own = presence.own();
            let all = std::iter::once((own, true));
            let all = all.chain(presence.members().into_iter().map(|member| (member, false)));
            all.map(|(member, own)| (presence.values(&member.session), member, own)).collect::<Vec<_>>()
        });
        let present = present.await?.into_iter().map(|(values, member, own)| Present {
            member,
            own,
            ephemeral: values.into_iter().map(|(key, value)| (key, shown(&value))).collect(),
        });
        Ok(present.collect())
    }

    /// Shows the others a value for a while, in place of the one under the same key: a cursor, a selection, that
    /// somebody is typing. It is not stored, and reaches the members that are linked with this one.
    ///
    /// It is gone after `ttl`, so set it again while it holds.
    pub async fn set_ephemeral(&self, key: &str, value: &Value, ttl: Duration) -> Result<(), NodeError> {
        let presence = self.alive().await?.actors.presence.ok_or(NodeError::Absent("presence"))?;
        let value = Bytes::from(value.to_string());
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let (name, size) = (key.to_owned(), value.len());
        self.ask(&presence, move |presence| presence.check_value(&name, size, ttl_ms)).await??;
        self.command(Command::SetEphemeral { key: key.into(), value, ttl_ms })
    }

    /// Shows a value no longer.
    pub async fn clear_ephemeral(&self, key: &str) -> Result<(), NodeError> {
        if self.alive().await?.actors.presence.is_none() {
            return Err(NodeError::Absent("presence"));
        }
        self.command(Command::ClearEphemeral { key: key.into() })
    }
}

/// A value as JSON. One that was not set as such is shown as documents show bytes.
pub(crate) fn shown(value: &Bytes) -> Value {
    serde_json::from_slice(value).unwrap_or_else(|_| json!({ "$bytes": Base64::encode_string(value) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_shown_as_it_is_and_other_bytes_as_documents_show_them() {
        assert_eq!(shown(&Bytes::from_static(br#"{"at":7}"#)), json!({ "at": 7 }));
        assert_eq!(shown(&Bytes::from_static(&[0xff, 1])), json!({ "$bytes": "/wE=" }));
        assert_eq!(
            shown(&"[".repeat(700).into())["$bytes"],
            Base64::encode_string("[".repeat(700).as_bytes())
        );
    }
}
