//! The tree: what lives under each path.
//!
//! Nodes exist by being named, so two replicas that both write below `users/ada` write into one node. A node without
//! content is pruned; only values, presence, adds and tallies count.

use std::collections::BTreeMap;

use meshwork_base::Dot;

use crate::{
    Kind, Value,
    counter::Counter,
    observed::{Names, Observed},
    register::Register,
    set::Set,
    stamp::{Stamp, Stamps},
};

/// Everything under one path. Several kinds may live there at once after concurrent edits.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct Node {
    pub(crate) register: Register,
    /// Boxed, because most nodes are plain values.
    containers: Option<Box<Containers>>,
}

/// The kinds besides the register. Lists and text get their fields here.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct Containers {
    /// Who made this a map. Children make it one too.
    pub(crate) present: Stamps,
    pub(crate) children: BTreeMap<Box<str>, Node>,
    pub(crate) counter: Counter,
    pub(crate) set: Set,
}

static NOTHING: Containers = Containers {
    present: Stamps::EMPTY,
    children: BTreeMap::new(),
    counter: Counter::EMPTY,
    set: Set::EMPTY,
};

impl Containers {
    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.present.is_empty() && self.counter.is_empty() && self.set.is_empty()
    }
}

impl Node {
    /// The kinds besides the register.
    pub(crate) fn containers(&self) -> &Containers {
        self.containers.as_deref().unwrap_or(&NOTHING)
    }

    /// The same, for changing.
    pub(crate) fn containers_mut(&mut self) -> &mut Containers {
        self.containers.get_or_insert_default()
    }

    /// The child of that name, whatever lives there.
    pub(crate) fn child(&self, key: &str) -> Option<&Self> {
        self.containers.as_ref()?.children.get(key)
    }

    /// Whether at most a register lives here.
    pub(crate) fn is_plain(&self) -> bool {
        self.containers.is_none()
    }

    /// Whether nothing at all is kept here.
    pub(crate) fn is_empty(&self) -> bool {
        self.register.is_empty() && self.containers().is_empty()
    }

    /// Whether a container of that kind can be seen here.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        let Some(containers) = &self.containers else {
            return kind == Kind::Register && !self.register.is_empty();
        };
        match kind {
            Kind::Register => !self.register.is_empty(),
            Kind::Map => !containers.present.is_empty() || containers.children.values().any(Self::is_live),
            Kind::Counter => containers.counter.is_live(),
            Kind::Set => !containers.set.is_empty(),
        }
    }

    /// Whether anything can be seen here. (A reset counter is kept, but not seen.)
    pub(crate) fn is_live(&self) -> bool {
        Kind::ALL.into_iter().any(|kind| self.has(kind))
    }

    /// The kinds that can be seen here: more than one only after concurrent edits.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(|kind| self.has(*kind))
    }

    /// The kind that is shown: the one with the latest write.
    pub(crate) fn kind(&self) -> Option<Kind> {
        let mut kinds = self.kinds();
        let first = kinds.next()?;
        let mut best = (None, first);
        for (count, kind) in kinds.enumerate() {
            if count == 0 {
                best.0 = self.latest_of(first);
            }
            best = best.max((self.latest_of(kind), kind));
        }
        Some(best.1)
    }

    /// The latest write to the container of that kind, for a map to anything below it.
    pub(crate) fn latest_of(&self, kind: Kind) -> Option<Stamp> {
        let containers = self.containers();
        match kind {
            Kind::Register => self.register.winner().map(|entry| entry.stamp),
            Kind::Map => {
                let below = containers.children.values().filter_map(Self::latest).max();
                containers.present.latest().max(below)
            }
            Kind::Counter => containers.counter.latest(),
            Kind::Set => containers.set.latest(),
        }
    }

    fn latest(&self) -> Option<Stamp> {
        Kind::ALL.into_iter().filter_map(|kind| self.latest_of(kind)).max()
    }

    /// The dots of the container of that kind, for a map with all below it. Counters have none.
    pub(crate) fn dots_of(&self, kind: Kind, dots: &mut Vec<Dot>) {
        let containers = self.containers();
        match kind {
            Kind::Register => dots.extend(self.register.entries().iter().map(|entry| entry.stamp.dot)),
            Kind::Map => {
                dots.extend(containers.present.iter().map(|stamp| stamp.dot));
                containers.children.values().for_each(|child| child.all_dots(dots));
            }
            Kind::Counter => {}
            Kind::Set => {
                let adds = containers.set.elements().flat_map(|(_, stamps)| stamps.iter());
                dots.extend(adds.map(|stamp| stamp.dot));
            }
        }
    }

    /// The dots of what lives at this very path, children and counters left out.
    pub(crate) fn own_dots(&self, dots: &mut Vec<Dot>) {
        self.dots_of(Kind::Register, dots);
        dots.extend(self.containers().present.iter().map(|stamp| stamp.dot));
        self.dots_of(Kind::Set, dots);
    }

    /// The dots of everything at this path and below it, counters left out.
    pub(crate) fn all_dots(&self, dots: &mut Vec<Dot>) {
        Kind::ALL.into_iter().for_each(|kind| self.dots_of(kind, dots));
    }

    /// Calls `change` on the node at `path`, made on the way, and prunes what is empty afterwards.
    pub(crate) fn change_at<R>(&mut self, path: &[String], change: impl FnOnce(&mut Self) -> R) -> R {
        let Some((key, rest)) = path.split_first() else { return change(self) };
        let children = &mut self.containers_mut().children;
        let Some(child) = children.get_mut(key.as_str()) else {
            let mut child = Self::default();
            let result = child.change_at(rest, change);
            if !child.is_empty() {
                children.insert(key.as_str().into(), child);
            }
            self.drop_empty_containers();
            return result;
        };
        let result = child.change_at(rest, change);
        if child.is_empty() {
            children.remove(key.as_str());
            self.drop_empty_containers();
        }
        result
    }

    pub(crate) fn drop_empty_containers(&mut self) {
        self.containers.take_if(|containers| containers.is_empty());
    }

    /// The node at `path`, whatever is shown on the way.
    pub(crate) fn at(&self, path: &[String]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.child(key))
    }

    /// Calls `change` on the child of that name, if there is one, and prunes it when it is empty afterwards.
    pub(crate) fn change_child(&mut self, key: &str, change: impl FnOnce(&mut Self)) {
        let Some(containers) = &mut self.containers else { return };
        let Some(child) = containers.children.get_mut(key) else { return };
        change(child);
        if child.is_empty() {
            containers.children.remove(key);
        }
    }

    /// The same for all children.
    pub(crate) fn change_children(&mut self, mut change: impl FnMut(&str, &mut Self)) {
        if let Some(containers) = &mut self.containers {
            containers.children.retain(|key, child| {
                change(key, child);
                !child.is_empty()
            });
        }
    }

    /// Removes what any of `named` names from this very path. Returns how many writes were looked at, and one for itself.
    pub(crate) fn remove_own(&mut self, named: &[&Observed], names: &Names) -> usize {
        if named.is_empty() {
            return 1;
        }
        let mut looked_at = 1 + self.register.remove(named, names);
        if let Some(containers) = &mut self.containers {
            looked_at += containers.present.remove(named, names) + containers.set.remove(named, names);
        }
        looked_at
    }

    /// Removes the named adds of one element. Returns how many were looked at.
    pub(crate) fn remove_element(&mut self, element: &Value, named: &Observed, names: &Names) -> usize {
        let Some(containers) = &mut self.containers else { return 0 };
        containers.set.remove_element(element, &[named], names)
    }
}
