//! Edits as JavaScript writes them.

use meshwork::{Edit, edits_from_json, parse_path};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::error::WebError;

/// One change, as `{"set": {"path": "users/ada", "value": {"name": "Ada"}}}`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Change {
    /// Puts a value there in the place of what is there; an object becomes a map.
    Set {
        path: Path,
        value: Json,
    },
    /// Sets what the object names and leaves the rest.
    Merge {
        path: Path,
        value: Json,
    },
    Delete {
        path: Path,
    },
    Increment {
        path: Path,
        by: i64,
    },
    Add {
        path: Path,
        value: Json,
    },
    Remove {
        path: Path,
        value: Json,
    },
}

/// `users/ada` or `["users", "ada"]`.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Path {
    Text(String),
    Keys(Vec<String>),
}

impl Path {
    pub(crate) fn parse(json: &str) -> Result<Vec<String>, WebError> {
        let refuse = |_| WebError::Usage("a path is text (`users/ada`) or an array of keys".into());
        serde_json::from_str::<Self>(json).map(Self::keys).map_err(refuse)
    }

    fn keys(self) -> Vec<String> {
        match self {
            Self::Text(text) => parse_path(&text),
            Self::Keys(keys) => keys,
        }
    }
}

/// The edits of one transaction.
pub(crate) fn edits(json: &str) -> Result<Vec<Edit>, WebError> {
    let refuse = |error| WebError::Usage(format!("not a list of changes: {error}"));
    let changes: Vec<Change> = serde_json::from_str(json).map_err(refuse)?;
    let mut edits = Vec::with_capacity(changes.len());
    for change in changes {
        match change {
            Change::Set { path, value } => {
                let path = path.keys();
                if value.is_object() {
                    edits.push(Edit::Delete { path: path.clone() });
                }
                edits.extend(edits_from_json(&value, &path));
            }
            Change::Merge { path, value } => edits.extend(edits_from_json(&value, &path.keys())),
            Change::Delete { path } => edits.push(Edit::Delete { path: path.keys() }),
            Change::Increment { path, by } => edits.push(Edit::Increment { path: path.keys(), by }),
            Change::Add { path, value } => {
                edits.push(Edit::Add { path: path.keys(), value: (&value).into() })
            }
            Change::Remove { path, value } => {
                edits.push(Edit::Remove { path: path.keys(), value: (&value).into() });
            }
        }
    }
    Ok(edits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_become_edits() {
        let json = r#"[
            {"set": {"path": "users/ada", "value": {"born": 1815}}},
            {"merge": {"path": [], "value": {"open": true}}},
            {"delete": {"path": ["a/b"]}},
            {"increment": {"path": "count", "by": -2}},
            {"add": {"path": "tags", "value": "x"}},
            {"remove": {"path": "tags", "value": 1}}
        ]"#;
        let expected = [
            Edit::delete(["users", "ada"]),
            Edit::make_map(["users", "ada"]),
            Edit::set(["users", "ada", "born"], 1815),
            Edit::set(["open"], true),
            Edit::delete(["a/b"]),
            Edit::increment(["count"], -2),
            Edit::add(["tags"], "x"),
            Edit::remove(["tags"], 1),
        ];
        assert_eq!(edits(json).unwrap(), expected);
        for wrong in ["{}", r#"[{"put": {}}]"#, r#"[{"increment": {"path": "a", "by": 0.5}}]"#] {
            assert!(edits(wrong).is_err(), "{wrong}");
        }
    }
}
