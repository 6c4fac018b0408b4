//! What readers see of a document.

use meshwork_base::Dot;

use crate::{Kind, Stamp, Value, node::Node};

/// What is shown at a path.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// The value that wins.
    Register(&'a Value),
    /// A map.
    Map(MapView<'a>),
    /// The sum.
    Counter(i64),
    /// A set.
    Set(SetView<'a>),
}

impl<'a> View<'a> {
    /// What is shown at `node`.
    pub(crate) fn of(node: &'a Node) -> Option<Self> {
        Self::of_kind(node, node.kind()?)
    }

    fn of_kind(node: &'a Node, kind: Kind) -> Option<Self> {
        Some(match kind {
            Kind::Register => Self::Register(&node.register.winner()?.value),
            Kind::Map => Self::Map(MapView(node)),
            Kind::Counter => Self::Counter(node.containers().counter.value()),
            Kind::Set => Self::Set(SetView(node)),
        })
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Register(_) => Kind::Register,
            Self::Map(_) => Kind::Map,
            Self::Counter(_) => Kind::Counter,
            Self::Set(_) => Kind::Set,
        }
    }

    /// The value, if a register is shown.
    pub fn value(&self) -> Option<&'a Value> {
        if let Self::Register(value) = self { Some(value) } else { None }
    }
}

/// A map, as shown.
#[derive(Clone, Copy, Debug)]
pub struct MapView<'a>(pub(crate) &'a Node);

impl<'a> MapView<'a> {
    /// The entries, by key.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, View<'a>)> + use<'a> {
        let children = self.0.containers().children.iter();
        children.filter_map(|(key, child)| Some((&**key, View::of(child)?)))
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0.containers().children.iter().filter(|(_, child)| child.is_live()).map(|(key, _)| &**key)
    }

    /// What is shown under `key`.
    pub fn get(&self, key: &str) -> Option<View<'a>> {
        self.0.child(key).and_then(View::of)
    }
}

/// A set, as shown.
#[derive(Clone, Copy, Debug)]
pub struct SetView<'a>(&'a Node);

impl<'a> SetView<'a> {
    /// The elements, in order.
    pub fn elements(&self) -> impl ExactSizeIterator<Item = &'a Value> + use<'a> {
        self.0.containers().set.elements().map(|(element, _)| element)
    }

    /// Whether `element` is in.
    pub fn contains(&self, element: &Value) -> bool {
        self.0.containers().set.stamps(element).is_some()
    }
}

/// One of several things that concurrent edits left under one path.
#[derive(Clone, Copy, Debug)]
pub struct Alternative<'a> {
    /// Its latest write.
    pub stamp: Stamp,
    /// What would be shown.
    pub view: View<'a>,
}

impl Alternative<'_> {
    /// The operation that wrote it last.
    pub fn dot(&self) -> Dot {
        self.stamp.dot
    }
}

/// Everything that is in conflict at `node`, what is shown first; empty when nothing is.
pub(crate) fn conflicts(node: &Node) -> Vec<Alternative<'_>> {
    let shown = node.kind();
    let mut found = Vec::new();
    if let Some((winner, losers)) = node.register.entries().split_last() {
        let listed = losers.iter().filter(|entry| !entry.assigned).chain([winner]);
        found.extend(listed.map(|entry| (Kind::Register, entry.stamp, View::Register(&entry.value))));
    }
    for kind in node.kinds().filter(|kind| *kind != Kind::Register) {
        found.extend(
            Option::zip(node.latest_of(kind), View::of_kind(node, kind)).map(|(at, view)| (kind, at, view)),
        );
    }
    if found.len() < 2 {
        return Vec::new();
    }
    found.sort_by_key(|(kind, stamp, _)| std::cmp::Reverse((Some(*kind) == shown, *stamp, *kind)));
    found.into_iter().map(|(_, stamp, view)| Alternative { stamp, view }).collect()
}
