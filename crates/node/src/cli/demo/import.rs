//! A JSON file as edits.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use meshwork::{DocumentId, Documents, Edit, Incarnation, Machine as _, ReplicaId, RequestId, Timestamp};
use meshwork_crdt_state as documents;
use serde_json::Value;

use super::workload::DOCUMENT;

/// A transaction takes edits up to about this size: small enough to share out, large enough to be cheap.
const BATCH_BYTES: usize = 4 * 1024;

/// Characters of a path that an error shows.
const SHOWN_MAX: usize = 100;

/// The object in the file.
pub(crate) fn read(file: &Path) -> Result<Value> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let value: Value =
        serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", file.display()))?;
    if !value.is_object() {
        bail!("{} holds {}; the demo takes a JSON object", file.display(), kind(&value));
    }
    Ok(value)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The edits that write the object, in batches; the same for everybody who reads the same file.
pub(crate) fn batches(value: &Value) -> Vec<Vec<Edit>> {
    let mut batches = vec![Vec::new()];
    let mut bytes = 0;
    for edit in meshwork::edits_from_json(value, &[]) {
        let size = rough_bytes(&edit);
        if bytes + size > BATCH_BYTES && bytes > 0 {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(batch) = batches.last_mut() {
            batch.push(edit);
        }
    }
    batches
}

fn rough_bytes(edit: &Edit) -> usize {
    serde_json::to_vec(edit).map_or(BATCH_BYTES, |json| json.len())
}

/// Tries the edits on documents of our own: what a node would refuse is refused here, before anything runs.
pub(crate) fn check(value: &Value) -> Result<()> {
    let document = DocumentId::new(DOCUMENT)?;
    let mut documents = Documents::new(Default::default());
    let incarnation = Incarnation { replica: ReplicaId::default(), epoch: 1, next_sequence: 1 };
    documents.handle(Timestamp::default(), documents::Input::Incarnation(incarnation));
    for edits in batches(value) {
        // What is too large for one operation is alone in its batch.
        let place = edits.first().map(|edit| edit.path().join("/")).unwrap_or_default();
        let place: String = place.chars().take(SHOWN_MAX).collect();
        let input =
            documents::Input::Edit { request: RequestId::default(), document: document.clone(), edits };
        documents.handle(Timestamp::default(), input);
        while let Some(effect) = documents.poll_effect() {
            if let documents::Effect::Edited { result, .. } = effect {
                result.with_context(|| format!("the input cannot be written, at or after `/{place}`"))?;
            }
        }
    }
    Ok(())
}
