//! Names of documents.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest document name, in bytes of UTF-8.
pub const DOCUMENT_ID_BYTES_MAX: usize = 128;

/// The name of a document inside its space: 1 to [`DOCUMENT_ID_BYTES_MAX`] bytes, no control characters.
///
/// Cheap to clone: operations of one document share the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId(Arc<str>);

/// A name that no document can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentIdError {
    /// Empty, or over the limit.
    #[error("a document's name takes 1 to {DOCUMENT_ID_BYTES_MAX} bytes, this one has {0}")]
    Length(usize),
    /// Holds a control character.
    #[error("a document's name takes no control characters, `{0}` holds one")]
    Control(String),
}

impl DocumentId {
    /// Checks `name` and takes it.
    pub fn new(name: &str) -> Result<Self, DocumentIdError> {
        if name.is_empty() || name.len() > DOCUMENT_ID_BYTES_MAX {
            return Err(DocumentIdError::Length(name.len()));
        }
        if name.chars().any(char::is_control) {
            return Err(DocumentIdError::Control(name.escape_default().to_string()));
        }
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocumentId({})", self.0)
    }
}

impl FromStr for DocumentId {
    type Err = DocumentIdError;

    fn from_str(name: &str) -> Result<Self, DocumentIdError> {
        Self::new(name)
    }
}

impl Serialize for DocumentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DocumentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::new(&name).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_checked() {
        assert!(DocumentId::new("users").is_ok());
        assert_eq!(DocumentId::new(""), Err(DocumentIdError::Length(0)));
        assert_eq!(DocumentId::new(&"x".repeat(129)), Err(DocumentIdError::Length(129)));
        assert!(matches!(DocumentId::new("a\nb"), Err(DocumentIdError::Control(_))));
        assert!(serde_json::from_str::<DocumentId>("\"\"").is_err());
    }
}
