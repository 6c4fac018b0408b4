//! JSON in and out, exactly: what was imported comes out again, digit by digit.

use base64ct::{Base64, Encoding as _};
use meshwork_base::Bytes;
use serde_json::{Map, Number, Value as Json};

use crate::{Edit, Kind, Value, edit::Path, node::Node};

/// How bytes look in JSON: an object with this one key and base64 text.
const BYTES_KEY: &str = "$bytes";

/// The edits that put `json` at `at`: an object becomes a map with its entries below, anything else one value (an
/// array is a single value). Entries that are there already and not in `json` stay.
///
/// One edit per map and per value, parents first, so a large import can be cut into batches anywhere:
///
/// ```
/// use meshwork_crdt_state::{Edit, edits_from_json};
/// let edits = edits_from_json(&serde_json::json!({"users": {"ada": 36}}), &[]);
/// assert_eq!(edits, [
///     Edit::MakeMap { path: vec!["users".into()] },
///     Edit::Set { path: vec!["users".into(), "ada".into()], value: 36.into() },
/// ]);
/// ```
pub fn edits_from_json(json: &Json, at: &[String]) -> Vec<Edit> {
    let mut edits = Vec::new();
    collect(json, &mut at.to_vec(), &mut edits);
    edits
}

fn collect(json: &Json, path: &mut Path, edits: &mut Vec<Edit>) {
    let Json::Object(entries) = json else {
        edits.push(Edit::Set { path: path.clone(), value: to_value(json) });
        return;
    };
    // The root is a map without being made one.
    if !path.is_empty() {
        edits.push(Edit::MakeMap { path: path.clone() });
    }
    for (key, value) in entries {
        path.push(key.clone());
        collect(value, path, edits);
        path.pop();
    }
}

impl From<&Json> for Value {
    fn from(json: &Json) -> Self {
        to_value(json)
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Self {
        from_value(value)
    }
}

fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => to_number(number),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(to_value).collect()),
        Json::Object(entries) => {
            Value::Map(entries.iter().map(|(key, value)| (key.clone(), to_value(value))).collect())
        }
    }
}

/// As [`to_value`], but bytes are read as [`from_value`] writes them.
pub(crate) fn to_value_with_bytes(json: &Json) -> Value {
    match json {
        Json::Array(items) => Value::List(items.iter().map(to_value_with_bytes).collect()),
        Json::Object(entries) => match bytes(entries) {
            Some(bytes) => Value::Bytes(bytes),
            None => {
                let entry = |(key, value): (&String, &Json)| (key.clone(), to_value_with_bytes(value));
                Value::Map(entries.iter().map(entry).collect())
            }
        },
        scalar => to_value(scalar),
    }
}

fn bytes(entries: &Map<String, Json>) -> Option<Bytes> {
    let text = entries.get(BYTES_KEY).filter(|_| entries.len() == 1)?.as_str()?;
    Base64::decode_vec(text).ok().map(Bytes::from)
}

/// The narrowest kind of number that is written with the very same digits.
fn to_number(number: &Number) -> Value {
    let text = number.as_str();
    if let Some(whole) = text.parse::<i64>().ok().filter(|whole| whole.to_string() == text) {
        return Value::Int(whole);
    }
    let float = text.parse::<f64>().ok();
    match float.filter(|float| Number::from_f64(*float).is_some_and(|written| written.as_str() == text)) {
        Some(float) => Value::Float(float),
        None => Value::Number(text.into()),
    }
}

pub(crate) fn from_value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int(number) => Json::from(*number),
        // JSON has no word for infinities and what is not a number.
        Value::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::Text(text) => Json::String(text.clone()),
        Value::Bytes(bytes) => {
            Json::Object(Map::from_iter([(BYTES_KEY.into(), Base64::encode_string(bytes).into())]))
        }
        Value::Number(text) => text.parse().map_or(Json::Null, Json::Number),
        Value::List(items) => items.iter().map(from_value).collect(),
        Value::Map(entries) => entries.iter().map(|(key, value)| (key.clone(), from_value(value))).collect(),
    }
}

/// What is shown at `node`; `None` when nothing is.
pub(crate) fn from_node(node: &Node) -> Option<Json> {
    Some(match node.kind()? {
        Kind::Register => from_value(&node.register.winner()?.value),
        Kind::Map => from_children(node),
        Kind::Counter => Json::from(node.containers().counter.value()),
        Kind::Set => node.containers().set.elements().map(|(element, _)| from_value(element)).collect(),
    })
}

/// The map at `node`, even when it is empty or not what is shown.
pub(crate) fn from_children(node: &Node) -> Json {
    let children = node.containers().children.iter();
    children.filter_map(|(key, child)| Some((key.to_string(), from_node(child)?))).collect()
}
