//! Byte strings in JSON: lower-case hex, as ids are written. For serde's `with`.

use meshwork_identity::{RoomAccess, Signature};
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// A fixed number of bytes.
pub(crate) trait Hex: Sized {
    fn bytes(&self) -> &[u8];
    /// `None` when there are too few or too many.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl Hex for Signature {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl Hex for RoomAccess {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

pub(crate) fn serialize<T: Hex, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&base16ct::lower::encode_string(value.bytes()))
}

pub(crate) fn deserialize<'de, T: Hex, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = base16ct::mixed::decode_vec(text).ok();
    bytes.and_then(|bytes| T::from_bytes(&bytes)).ok_or_else(|| D::Error::custom("wrong hexadecimal digits"))
}

/// The same for a field that may be missing.
pub(crate) mod optional {
    use super::*;

    pub(crate) fn serialize<T: Hex, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, T: Hex, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}
