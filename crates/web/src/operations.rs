//! Questions about the log and the documents, bounded so that the answer can be drawn: what the page shows.

use std::cmp::Reverse;

use meshwork::{DocumentId, Dot, Edit, Mesh, NodeId, Operation, ReplicaId, Value, View, edits_of};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::{error::WebError, event};

/// How many operations one question looks at when few of them are asked for.
const EXAMINED_MAX: usize = 20_000;

/// Up to so many entries that are left out are counted.
const LEFT_MAX: usize = 10_000;

/// A longer body is not read when many operations are listed, in bytes.
const LISTED_BODY_BYTES_MAX: usize = 4 * 1024;

/// Which operations to list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// At most so many, the last ones.
    count: usize,
    /// Of this node only.
    author: Option<NodeId>,
    /// In this document only.
    document: Option<String>,
}

impl Wanted {
    pub(crate) fn parse(json: &str) -> Result<Self, WebError> {
        serde_json::from_str(json).map_err(|error| WebError::Usage(format!("operations: {error}")))
    }
}

/// The last operations by their time, the last first. (Times grow along dependencies, unless an author lies.)
pub(crate) fn list(mesh: &Mesh, wanted: &Wanted) -> Json {
    let log = &mesh.machines().op_log;
    let mut tails: Vec<_> =
        log.version().iter().map(|(replica, _)| log.operations_back(replica).peekable()).collect();
    tails.retain_mut(|tail| {
        let author = tail.peek().map(|operation| operation.author);
        author.is_some_and(|author| wanted.author.is_none_or(|wanted| wanted == author))
    });
    let mut listed = Vec::new();
    for _ in 0..EXAMINED_MAX {
        if listed.len() >= wanted.count {
            break;
        }
        let latest = tails.iter_mut().filter_map(|tail| {
            let key = tail.peek().map(|operation| (operation.time, Reverse(operation.dot)))?;
            Some((key, tail))
        });
        let Some(operation) = latest.max_by_key(|(key, _)| *key).and_then(|(_, tail)| tail.next()) else {
            break;
        };
        if wanted.document.as_ref().is_none_or(|document| operation.document.as_str() == document) {
            listed.push(of(mesh, &operation, LISTED_BODY_BYTES_MAX));
        }
    }
    Json::from(listed)
}

/// One operation with all that is known of it; its author's signature is checked again.
pub(crate) fn detail(mesh: &Mesh, dot: Dot) -> Option<Json> {
    let operation = mesh.machines().op_log.operation(dot)?;
    let mut detail = of(mesh, &operation, usize::MAX);
    let holders =
        mesh.machines().consensus.as_ref().map(|consensus| consensus.holders(dot)).unwrap_or_default();
    detail["hash"] = json!(operation.hash);
    detail["signed"] = json!(mesh.machines().op_log.is_signed(dot));
    detail["holders"] = json!(holders);
    Some(detail)
}

fn of(mesh: &Mesh, operation: &Operation, body_bytes_max: usize) -> Json {
    let Operation { dot, author, dependencies, document, time, body, hash: _ } = operation;
    let consensus = mesh.machines().consensus.as_ref();
    let edits = (body.len() <= body_bytes_max).then(|| edits_of(operation)).flatten();
    json!({
        "replica": dot.replica, "sequence": dot.sequence, "author": author, "document": document.as_str(),
        "dependencies": dependencies.iter().map(event::dot).collect::<Vec<_>>(),
        "timeMs": time.wall_ms, "bytes": body.len(),
        "changes": edits.map(|edits| edits.iter().map(change).collect::<Vec<_>>()),
        "stored": consensus.map_or(0, |consensus| consensus.holders(*dot).len()),
        "confirmed": consensus.is_some_and(|consensus| consensus.is_confirmed(*dot)),
    })
}

fn change(edit: &Edit) -> Json {
    let (kind, value) = match edit {
        Edit::Set { value, .. } | Edit::Assign { value, .. } => ("set", Json::from(value)),
        Edit::MakeMap { .. } => ("map", Json::Null),
        Edit::Delete { .. } => ("delete", Json::Null),
        Edit::Increment { by, .. } => ("increment", Json::from(*by)),
        Edit::Add { value, .. } => ("add", Json::from(value)),
        Edit::Remove { value, .. } => ("remove", Json::from(value)),
    };
    json!({"kind": kind, "path": edit.path(), "value": value})
}

/// For each replica its author, what is held of it here, and up to where each node says that it holds it durably.
pub(crate) fn clocks(mesh: &Mesh) -> Json {
    let machines = mesh.machines();
    let clock = |(replica, tip): (&ReplicaId, &meshwork::Tip)| {
        let last = machines.op_log.operations_back(replica).next()?;
        let consensus = machines.consensus.as_ref();
        let claims: Json = consensus
            .map(|consensus| consensus.claims(replica).map(|(node, held)| (node.to_string(), held)).collect())
            .unwrap_or_else(|| json!({}));
        Some(json!({
            "replica": replica, "author": last.author, "held": tip.sequence, "timeMs": last.time.wall_ms,
            "stored": machines.op_log.stored_version().sequence(replica),
            "confirmed": consensus.map_or(0, |consensus| consensus.confirmed(replica)),
            "claims": claims,
        }))
    };
    machines.op_log.version().iter().filter_map(clock).collect()
}

/// What is shown at `path`, cut off after `entries_max` entries of maps, sets and lists in all: `{ value, left }`, where
/// `left` is how many entries of what was begun are left out, at most [`LEFT_MAX`] of each. `None` when nothing is shown there.
pub(crate) fn excerpt(
    mesh: &Mesh,
    document: &DocumentId,
    path: &[String],
    entries_max: usize,
) -> Option<Json> {
    let view = mesh.machines().documents.document(document)?.get(path)?;
    let mut cut = Cut { room: entries_max, left: 0 };
    let value = cut.view(view);
    Some(json!({"value": value, "left": cut.left}))
}

/// Room for so many more entries.
struct Cut {
    room: usize,
    left: usize,
}

impl Cut {
    /// Shows as many as there is room for.
    fn take<T>(&mut self, mut entries: impl Iterator<Item = T>, mut show: impl FnMut(&mut Self, T)) {
        while self.room > 0 {
            let Some(entry) = entries.next() else { return };
            self.room -= 1;
            show(self, entry);
        }
        self.left += entries.take(LEFT_MAX).count();
    }

    fn view(&mut self, view: View<'_>) -> Json {
        match view {
            View::Register(value) => self.value(value),
            View::Counter(count) => count.into(),
            View::Set(set) => {
                let mut shown = Vec::new();
                self.take(set.elements(), |_, element| shown.push(Json::from(element)));
                shown.into()
            }
            View::Map(map) => {
                let mut shown = Map::new();
                self.take(map.entries(), |cut, (key, view)| {
                    shown.insert(key.to_owned(), cut.view(view));
                });
                shown.into()
            }
        }
    }

    fn value(&mut self, value: &Value) -> Json {
        let Value::List(items) = value else { return value.into() };
        let mut shown = Vec::new();
        self.take(items.iter(), |cut, item| shown.push(cut.value(item)));
        shown.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: i64) -> Value {
        Value::List((0..count).map(Value::Int).collect())
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let cut = |room, value: &Value| {
            let mut cut = Cut { room, left: 0 };
            (cut.value(value), cut.left)
        };
        assert_eq!(cut(3, &numbers(2)), (json!([0, 1]), 0));
        assert_eq!(cut(2, &numbers(5)), (json!([0, 1]), 3));
        // Depth first: the first list, and two of its items.
        assert_eq!(cut(3, &Value::List(vec![numbers(3), numbers(3)])), (json!([[0, 1]]), 2));
        assert_eq!(cut(0, &numbers(20_000)).1, LEFT_MAX);
        assert_eq!(cut(0, &Value::Int(7)), (json!(7), 0));
    }
}
