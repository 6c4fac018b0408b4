//! Edits: what people of an application ask for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Value;

/// Where something lives in a document: keys from the root map downwards. Empty: the root map itself.
pub type Path = Vec<String>;

/// One change of one document.
///
/// Every path leads through maps; those on the way exist by being named. In JSON an edit reads
/// `{"set": {"path": ["users", "ada"], "value": "Ada"}}`.
///
/// ```
/// use meshwork_crdt_state::{Edit, Value};
/// let edit: Edit = serde_json::from_str(r#"{"set": {"path": ["age"], "value": 36}}"#)?;
/// assert_eq!(edit, Edit::Set { path: vec!["age".into()], value: Value::Int(36) });
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// Puts a value in the place of whatever is there. Concurrent values are all kept: one wins, the others are
    /// listed as conflicts.
    Set {
        /// Where.
        path: Path,
        /// What.
        value: Value,
    },
    /// As [`Set`](Self::Set), but the last writer wins: a loser is never listed as a conflict.
    Assign {
        /// Where.
        path: Path,
        /// What.
        value: Value,
    },
    /// Puts a map there, unless there is one; it stays when it has no children.
    MakeMap {
        /// Where.
        path: Path,
    },
    /// Removes what is there with all below it. Nothing happens when nothing is there. At the root: all content.
    Delete {
        /// Where.
        path: Path,
    },
    /// Counts up, or down when negative.
    Increment {
        /// Where.
        path: Path,
        /// By how much.
        by: i64,
    },
    /// Adds a scalar to a set.
    Add {
        /// Where.
        path: Path,
        /// The element.
        value: Value,
    },
    /// Removes a scalar from a set. Nothing happens when it is not in.
    Remove {
        /// Where.
        path: Path,
        /// The element.
        value: Value,
    },
}

/// Keys from the root map downwards, owned.
fn keys<K: Into<String>>(path: impl IntoIterator<Item = K>) -> Path {
    path.into_iter().map(Into::into).collect()
}

impl Edit {
    /// [`Edit::Set`] from plain keys and values: `Edit::set(["users", "ada"], "Ada")`.
    pub fn set<K: Into<String>>(path: impl IntoIterator<Item = K>, value: impl Into<Value>) -> Self {
        Self::Set { path: keys(path), value: value.into() }
    }

    /// [`Edit::Assign`] from plain keys and values.
    pub fn assign<K: Into<String>>(path: impl IntoIterator<Item = K>, value: impl Into<Value>) -> Self {
        Self::Assign { path: keys(path), value: value.into() }
    }

    /// [`Edit::MakeMap`] from plain keys.
    pub fn make_map<K: Into<String>>(path: impl IntoIterator<Item = K>) -> Self {
        Self::MakeMap { path: keys(path) }
    }

    /// [`Edit::Delete`] from plain keys.
    pub fn delete<K: Into<String>>(path: impl IntoIterator<Item = K>) -> Self {
        Self::Delete { path: keys(path) }
    }

    /// [`Edit::Increment`] from plain keys.
    pub fn increment<K: Into<String>>(path: impl IntoIterator<Item = K>, by: i64) -> Self {
        Self::Increment { path: keys(path), by }
    }

    /// [`Edit::Add`] from plain keys and values.
    pub fn add<K: Into<String>>(path: impl IntoIterator<Item = K>, value: impl Into<Value>) -> Self {
        Self::Add { path: keys(path), value: value.into() }
    }

    /// [`Edit::Remove`] from plain keys and values.
    pub fn remove<K: Into<String>>(path: impl IntoIterator<Item = K>, value: impl Into<Value>) -> Self {
        Self::Remove { path: keys(path), value: value.into() }
    }

    /// Where it applies.
    pub fn path(&self) -> &Path {
        match self {
            Self::Set { path, .. }
            | Self::Assign { path, .. }
            | Self::MakeMap { path }
            | Self::Delete { path }
            | Self::Increment { path, .. }
            | Self::Add { path, .. }
            | Self::Remove { path, .. } => path,
        }
    }

    pub(crate) fn into_parts(self) -> (Path, Change) {
        match self {
            Self::Set { path, value } => (path, Change::Set(value)),
            Self::Assign { path, value } => (path, Change::Assign(value)),
            Self::MakeMap { path } => (path, Change::MakeMap),
            Self::Delete { path } => (path, Change::Delete),
            Self::Increment { path, by } => (path, Change::Increment(by)),
            Self::Add { path, value } => (path, Change::Add(value)),
            Self::Remove { path, value } => (path, Change::Remove(value)),
        }
    }
}

/// An edit without its path.
pub(crate) enum Change {
    Set(Value),
    Assign(Value),
    MakeMap,
    Delete,
    Increment(i64),
    Add(Value),
    Remove(Value),
}

/// Shows a path as a JSON pointer (RFC 6901), cut after some characters.
pub(crate) struct Pointer<'a>(pub &'a [String]);

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 100;
        let text = self.0.iter().flat_map(|key| ['/'].into_iter().chain(key.chars()).enumerate());
        for (shown, (place, character)) in text.enumerate() {
            match character {
                _ if shown == SHOWN_MAX => return f.write_str("…"),
                '~' => f.write_str("~0")?,
                '/' if place > 0 => f.write_str("~1")?,
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_escaped_and_cut() {
        let show =
            |keys: &[&str]| Pointer(&keys.iter().map(|key| key.to_string()).collect::<Path>()).to_string();
        assert_eq!(show(&[]), "");
        assert_eq!(show(&["", "a/b", "~"]), "//a~1b/~0");
        assert_eq!(show(&[&"x".repeat(300)]).chars().count(), 101);
    }
}
