//! How the mutations of one operation change a document: the only way in which documents change.
//!
//! An operation can hold a hundred thousand removals, each of a few bytes and each of everything below the root. So what
//! they take away of *other* operations' writes goes first, in one walk ([`Removals`]): in which order that happens makes
//! no difference, since the operation itself adds no such writes. What it takes away of its *own* earlier writes is found
//! by a record of these ([`Written`]), which costs as much as the writes did.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Value,
    message::{Mutation, Step},
    node::Node,
    observed::{Names, Observed},
    register::Entry,
    stamp::Stamp,
};

/// One operation that is being applied.
#[derive(Debug)]
pub(crate) struct Applier {
    stamp: Stamp,
    written: Written,
}

impl Applier {
    pub(crate) fn new(stamp: Stamp) -> Self {
        Self { stamp, written: Written::default() }
    }

    /// Applies a whole body. Returns how many nodes and writes were looked at to find what it removes of others.
    pub(crate) fn apply(&mut self, root: &mut Node, steps: Vec<Step>, names: &Names) -> usize {
        let mut removals = Removals::default();
        let mut path = Vec::new();
        for step in &steps {
            path.truncate(step.kept);
            path.extend(step.keys.iter().map(String::as_str));
            removals.add(&path, &step.mutation);
        }
        let looked_at = removals.remove(root, names);

        let mut path: Vec<String> = Vec::new();
        for step in steps {
            path.truncate(step.kept);
            path.extend(step.keys);
            self.step(root, &path, step.mutation, names);
        }
        looked_at
    }

    /// Applies the next mutation of an operation in the making.
    pub(crate) fn apply_next(&mut self, root: &mut Node, path: &[String], mutation: Mutation, names: &Names) {
        let mut removals = Removals::default();
        removals.add(&path.iter().map(String::as_str).collect::<Vec<_>>(), &mutation);
        removals.remove(root, names);
        self.step(root, path, mutation, names);
    }

    /// Removes what the operation itself wrote before, and writes.
    fn step(&mut self, root: &mut Node, path: &[String], mutation: Mutation, names: &Names) {
        let stamp = self.stamp;
        let names_itself = |observed: &Observed| observed.contains(names, stamp.dot);
        match mutation {
            Mutation::Set { value, observed } => {
                self.unwrite(root, path, names_itself(&observed));
                self.write(root, path, Entry { stamp, assigned: false, value });
            }
            Mutation::Assign { value, observed } => {
                self.unwrite(root, path, names_itself(&observed));
                self.write(root, path, Entry { stamp, assigned: true, value });
            }
            Mutation::Delete { observed } => self.unwrite(root, path, names_itself(&observed)),
            Mutation::MakeMap { observed } => {
                let named = names_itself(&observed);
                let here = self.written.at(path, |written| {
                    let here = if named { written.take_own() } else { Written::default() };
                    written.here = true;
                    here
                });
                root.change_at(path, |node| {
                    here.remove_from(node, stamp);
                    node.containers_mut().present.insert(stamp);
                });
            }
            Mutation::Add { element, .. } => {
                // Adding takes the place of an earlier add by this operation, named or not.
                self.written.at(path, |written| written.elements.insert(element.clone()));
                root.change_at(path, |node| node.containers_mut().set.add(element, stamp));
            }
            Mutation::Remove { element, observed } => {
                if names_itself(&observed)
                    && self.written.at(path, |written| written.elements.remove(&element))
                {
                    root.change_at(path, |node| node.containers_mut().set.remove_add(&element, stamp));
                }
            }
            Mutation::Reset { counts } => {
                root.change_at(path, |node| node.containers_mut().counter.reset(&counts, names));
            }
            Mutation::Increment { by } => {
                root.change_at(path, |node| node.containers_mut().counter.increment(stamp, by));
            }
        }
    }

    fn write(&mut self, root: &mut Node, path: &[String], entry: Entry) {
        self.written.at(path, |written| written.here = true);
        root.change_at(path, |node| node.register.insert(entry));
    }

    /// Removes what the operation wrote at `path` and below.
    fn unwrite(&mut self, root: &mut Node, path: &[String], named: bool) {
        if named {
            let stamp = self.stamp;
            let written = self.written.at(path, std::mem::take);
            root.change_at(path, |node| written.remove_from(node, stamp));
        }
    }
}

/// Where one operation wrote, by path.
#[derive(Default, Debug)]
struct Written {
    /// A value, or the presence of a map.
    here: bool,
    elements: BTreeSet<Value>,
    below: BTreeMap<String, Box<Self>>,
}

impl Written {
    fn at<R>(&mut self, path: &[String], change: impl FnOnce(&mut Self) -> R) -> R {
        let Some((key, rest)) = path.split_first() else { return change(self) };
        if let Some(below) = self.below.get_mut(key) {
            return below.at(rest, change);
        }
        let mut below = Box::<Self>::default();
        let result = below.at(rest, change);
        self.below.insert(key.clone(), below);
        result
    }

    /// Takes out what was written here, but not below.
    fn take_own(&mut self) -> Self {
        let (here, elements) = (std::mem::take(&mut self.here), std::mem::take(&mut self.elements));
        Self { here, elements, below: BTreeMap::new() }
    }

    fn remove_from(self, node: &mut Node, stamp: Stamp) {
        if self.here {
            node.register.remove_write(stamp);
            if !node.is_plain() {
                node.containers_mut().present.remove_one(stamp);
            }
        }
        for element in self.elements {
            node.containers_mut().set.remove_add(&element, stamp);
        }
        for (key, written) in self.below {
            node.change_child(&key, |child| written.remove_from(child, stamp));
        }
        node.drop_empty_containers();
    }
}

/// What the mutations of one operation take away, by path.
#[derive(Default, Debug)]
struct Removals<'a> {
    /// At this path.
    own: Observed,
    /// At this path and below.
    all: Observed,
    /// Of single elements of the set at this path.
    elements: BTreeMap<&'a Value, Observed>,
    below: BTreeMap<&'a str, Self>,
}

impl<'a> Removals<'a> {
    fn add(&mut self, path: &[&'a str], mutation: &'a Mutation) {
        let observed = match mutation {
            Mutation::Set { observed, .. }
            | Mutation::Assign { observed, .. }
            | Mutation::MakeMap { observed }
            | Mutation::Delete { observed }
            | Mutation::Add { observed, .. }
            | Mutation::Remove { observed, .. } => observed,
            Mutation::Reset { .. } | Mutation::Increment { .. } => return,
        };
        if observed.is_empty() {
            return;
        }
        let mut at = self;
        for key in path {
            at = at.below.entry(key).or_default();
        }
        let named = match mutation {
            Mutation::MakeMap { .. } => &mut at.own,
            Mutation::Add { element, .. } | Mutation::Remove { element, .. } => {
                at.elements.entry(element).or_default()
            }
            _ => &mut at.all,
        };
        named.append(observed);
    }

    /// Removes all of it below `root`. Returns how many nodes and writes were looked at.
    fn remove(&mut self, root: &mut Node, names: &Names) -> usize {
        if self.is_empty() {
            return 0;
        }
        self.settle();
        self.remove_from(root, &mut Vec::new(), names)
    }

    fn is_empty(&self) -> bool {
        self.own.is_empty() && self.all.is_empty() && self.elements.is_empty() && self.below.is_empty()
    }

    fn settle(&mut self) {
        self.own.settle();
        self.all.settle();
        self.elements.values_mut().for_each(Observed::settle);
        self.below.values_mut().for_each(Self::settle);
    }

    /// Removes what is named here, and what was named above for all below it.
    fn remove_from<'r>(&'r self, node: &mut Node, above: &mut Vec<&'r Observed>, names: &Names) -> usize {
        let depth = above.len();
        above.extend(Some(&self.all).filter(|named| !named.is_empty()));
        let below = above.len();
        above.extend(Some(&self.own).filter(|named| !named.is_empty()));
        let mut looked_at = node.remove_own(above, names);
        above.truncate(below);
        for (element, named) in &self.elements {
            looked_at += node.remove_element(element, named, names);
        }
        if above.is_empty() {
            for (key, removals) in &self.below {
                node.change_child(key, |child| looked_at += removals.remove_from(child, above, names));
            }
        } else {
            node.change_children(|key, child| {
                let removals = self.below.get(key).unwrap_or(Removals::NOTHING);
                looked_at += removals.remove_from(child, above, names);
            });
        }
        above.truncate(depth);
        node.drop_empty_containers();
        looked_at
    }

    const NOTHING: &'static Removals<'static> = &Removals {
        own: Observed::EMPTY,
        all: Observed::EMPTY,
        elements: BTreeMap::new(),
        below: BTreeMap::new(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork_base::{Dot, HybridTime, ReplicaId};

    const AUTHOR: ReplicaId = ReplicaId([1; 16]);

    fn stamp(replica: ReplicaId, sequence: u64) -> Stamp {
        Stamp { time: HybridTime::default(), dot: Dot::new(replica, sequence) }
    }

    /// A document of so many keys, in maps of a hundred, each written by an operation of its own.
    fn wide(keys: u64) -> Node {
        let mut root = Node::default();
        for key in 1..=keys {
            let path = vec![format!("map {}", key / 100), format!("key {key}")];
            let set = Mutation::Set { value: Value::Null, observed: Observed::EMPTY };
            Applier::new(stamp(AUTHOR, key)).apply_next(&mut root, &path, set, &Names::default());
        }
        root
    }

    /// Operation 1,000,000 of another replica applies these mutations; returns how many nodes and writes were looked at.
    fn looked_at(root: &mut Node, names: &Names, steps: Vec<(Vec<String>, Mutation)>) -> usize {
        let steps = steps.into_iter().map(|(keys, mutation)| Step { kept: 0, keys, mutation }).collect();
        Applier::new(stamp(ReplicaId([2; 16]), 1_000_000)).apply(root, steps, names)
    }

    #[test]
    fn many_removals_of_one_operation_take_one_walk() {
        let mut names = Names::default();
        let mut root = wide(5_000);
        let of = |sequence, names: &mut Names| Observed::of(vec![Dot::new(AUTHOR, sequence)], names);
        let delete =
            |sequence, names: &mut Names| (vec![], Mutation::Delete { observed: of(sequence, names) });
        let once = looked_at(&mut root.clone(), &names.clone(), vec![delete(1, &mut names)]);
        assert!((5_000..11_000).contains(&once), "{once}");
        let steps = (1..=3_000).map(|sequence| delete(sequence % 3_000 + 1, &mut names)).collect();
        let many = looked_at(&mut root, &names, steps);
        assert!(many <= once, "{many}");
        let left: usize =
            root.containers().children.values().map(|map| map.containers().children.len()).sum();
        assert_eq!(left, 2_000);
    }

    #[test]
    fn a_removal_below_a_map_looks_at_nothing_else() {
        let mut names = Names::default();
        let mut root = wide(5_000);
        let observed = Observed::of(vec![Dot::new(AUTHOR, 150)], &mut names);
        let path = |keys: &[&str]| keys.iter().map(|key| key.to_string()).collect::<Vec<_>>();
        let delete = (path(&["map 1", "key 150"]), Mutation::Delete { observed: observed.clone() });
        assert!(looked_at(&mut root, &names, vec![delete]) < 10);
        let mark = (path(&["map 2"]), Mutation::MakeMap { observed });
        assert!(looked_at(&mut root, &names, vec![mark; 1_000]) < 10);
        assert!(root.at(&path(&["map 1", "key 150"])).is_none());
    }

    #[test]
    fn an_operation_takes_back_its_own_writes_in_order() {
        let replica = ReplicaId([2; 16]);
        let mut names = Names::default();
        let own = Observed::of(vec![Dot::new(replica, 1_000_000)], &mut names);
        let key = |key: &str| vec!["m".to_string(), key.to_string()];
        let set = |observed| Mutation::Set { value: Value::Int(1), observed };
        let add = || Mutation::Add { element: Value::Int(5), observed: Observed::EMPTY };
        let mut root = Node::default();
        let steps = vec![
            (key("a"), set(Observed::EMPTY)),
            (key("s"), add()),
            (vec![], Mutation::Delete { observed: own.clone() }),
            (key("b"), set(Observed::EMPTY)),
            (key("s"), add()),
            (key("s"), Mutation::Remove { element: Value::Int(5), observed: own.clone() }),
            (key("c"), set(Observed::EMPTY)),
            (key("c"), Mutation::MakeMap { observed: own }),
        ];
        looked_at(&mut root, &names, steps);
        let map = &root.containers().children["m"].containers().children;
        assert_eq!(map.keys().map(|key| &**key).collect::<Vec<_>>(), ["b", "c"]);
        assert!(map["c"].register.is_empty());
    }
}
