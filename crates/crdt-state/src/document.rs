//! One document, for readers.

use serde_json::Value as Json;

use crate::{
    Alternative, Kind, View, json,
    node::Node,
    view::{self, MapView},
};

/// A document: a tree of containers whose root is a map.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Document {
    pub(crate) root: Node,
}

impl Document {
    /// The root map.
    pub fn root(&self) -> MapView<'_> {
        MapView(&self.root)
    }

    /// What is shown at `path`; the root map for the empty path.
    pub fn get<K: AsRef<str>>(&self, path: &[K]) -> Option<View<'_>> {
        match path {
            [] => Some(View::Map(self.root())),
            _ => self.shown(path).and_then(View::of),
        }
    }

    /// The whole document as JSON: sets as sorted arrays, counters as numbers, of every register the value that wins.
    pub fn to_json(&self) -> Json {
        json::from_children(&self.root)
    }

    /// What is shown at `path`, as JSON.
    pub fn to_json_at<K: AsRef<str>>(&self, path: &[K]) -> Option<Json> {
        match path {
            [] => Some(self.to_json()),
            _ => self.shown(path).and_then(json::from_node),
        }
    }

    /// What concurrent edits left at `path` side by side, what is shown first. Empty when there is no conflict.
    pub fn conflicts<K: AsRef<str>>(&self, path: &[K]) -> Vec<Alternative<'_>> {
        match path {
            [] => Vec::new(),
            _ => self.shown(path).map(view::conflicts).unwrap_or_default(),
        }
    }

    /// The node at `path`, if maps are shown on the way.
    fn shown<K: AsRef<str>>(&self, path: &[K]) -> Option<&Node> {
        let (last, way) = path.split_last()?;
        let mut node = &self.root;
        for key in way {
            node = node.child(key.as_ref()).filter(|child| child.kind() == Some(Kind::Map))?;
        }
        node.child(last.as_ref())
    }
}
