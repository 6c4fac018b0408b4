//! From what people ask for to what an operation says: checks an edit against the document as it stands, and names
//! what it takes away.

use meshwork_base::Dot;

use crate::{
    Config, EditError, Kind, Path, Value,
    counter::Count,
    edit::Change,
    message::Mutation,
    node::Node,
    observed::{Names, Observed},
};

/// The mutations that one edit becomes: first those that clear its way, then itself. Nothing, when it asks for the
/// removal of what is not there.
pub(crate) struct Plan {
    pub(crate) before: Vec<(Path, Mutation)>,
    pub(crate) mutation: Option<Mutation>,
}

pub(crate) fn resolve(
    root: &Node,
    path: &Path,
    change: Change,
    names: &mut Names,
    config: &Config,
) -> Result<Plan, EditError> {
    check(path, &change, config)?;
    let node = lead(root, path)?;
    let mut resets = Vec::new();
    let needs = |needed: Kind| match node.and_then(Node::kind) {
        Some(found) if found != needed => Err(EditError::WrongKind { path: path.clone(), found, needed }),
        kind => Ok(kind.is_some()),
    };
    let mutation = match change {
        Change::Set(value) => {
            Some(Mutation::Set { value, observed: everything(node, path, &mut resets, names) })
        }
        Change::Assign(value) => {
            Some(Mutation::Assign { value, observed: everything(node, path, &mut resets, names) })
        }
        Change::MakeMap => {
            let mut dots = Vec::new();
            if let Some(node) = node {
                node.own_dots(&mut dots);
                reset(node, path, &mut resets, names);
            }
            Some(Mutation::MakeMap { observed: Observed::of(dots, names) })
        }
        Change::Delete => {
            let observed = everything(node, path, &mut resets, names);
            (!observed.is_empty()).then_some(Mutation::Delete { observed })
        }
        Change::Increment(by) => {
            needs(Kind::Counter)?;
            let value = node.map_or(0, |node| node.containers().counter.value());
            if value.checked_add(by).is_none() {
                return Err(EditError::CounterOverflow { path: path.clone(), by });
            }
            Some(Mutation::Increment { by })
        }
        Change::Add(element) => {
            needs(Kind::Set)?;
            let observed = adds(node, &element, names);
            Some(Mutation::Add { element, observed })
        }
        Change::Remove(element) => {
            needs(Kind::Set)?;
            let observed = adds(node, &element, names);
            (!observed.is_empty()).then_some(Mutation::Remove { element, observed })
        }
    };
    let resets = resets.into_iter().map(|(path, counts)| (path, Mutation::Reset { counts }));
    let mut before: Vec<_> = resets.collect();
    if mutation.is_some() {
        for depth in 1..path.len() {
            let (above, _) = path.split_at(depth);
            if let Some(node) = root.at(above) {
                clear(node, Kind::Map, above, &mut before, names);
            }
        }
        let kept = match mutation {
            Some(Mutation::Increment { .. }) => Some(Kind::Counter),
            Some(Mutation::Add { .. } | Mutation::Remove { .. }) => Some(Kind::Set),
            // The others name everything at their path themselves.
            _ => None,
        };
        if let (Some(node), Some(kept)) = (node, kept) {
            clear(node, kept, path, &mut before, names);
        }
    }
    Ok(Plan { before, mutation })
}

/// An edit that takes what is at `path` for a `kept` has seen that other kinds were written there concurrently, and
/// wins over them: otherwise one of those could be shown in its place, if its clock is ahead.
fn clear(node: &Node, kept: Kind, path: &[String], before: &mut Vec<(Path, Mutation)>, names: &mut Names) {
    let others = || Kind::ALL.into_iter().filter(|kind| *kind != kept);
    if node.is_plain() || !others().any(|kind| node.has(kind)) {
        return;
    }
    let mut dots = Vec::new();
    let mut resets = Vec::new();
    let path = path.to_vec();
    others().for_each(|kind| node.dots_of(kind, &mut dots));
    if kept != Kind::Counter {
        reset(node, &path, &mut resets, names);
    }
    if kept != Kind::Map {
        reset_children(node, &mut path.clone(), &mut resets, names);
    }
    before.extend(resets.into_iter().map(|(path, counts)| (path, Mutation::Reset { counts })));
    let observed = Observed::of(dots, names);
    if !observed.is_empty() {
        before.push((path, Mutation::Delete { observed }));
    }
}

/// What can be said without looking at the document.
fn check(path: &Path, change: &Change, config: &Config) -> Result<(), EditError> {
    let at = || path.clone();
    if path.is_empty() && !matches!(change, Change::MakeMap | Change::Delete) {
        return Err(EditError::Root);
    }
    let value = match change {
        Change::Set(value) | Change::Assign(value) => Some(value),
        Change::Add(element) | Change::Remove(element) if element.is_scalar() => Some(element),
        Change::Add(_) | Change::Remove(_) => return Err(EditError::NotScalar { path: at() }),
        Change::MakeMap | Change::Delete | Change::Increment(_) => None,
    };
    if matches!(value, Some(Value::Map(_))) {
        return Err(EditError::MapAsValue { path: at() });
    }
    if let Some(text) = value.and_then(Value::malformed_number) {
        return Err(EditError::NotANumber { path: at(), text: text.into() });
    }
    let depth = path.len() + value.map_or(0, Value::depth);
    if depth > config.depth_max {
        return Err(EditError::TooDeep { path: at(), depth, max: config.depth_max });
    }
    match path.iter().map(String::len).find(|bytes| *bytes > config.key_bytes_max) {
        Some(bytes) => Err(EditError::KeyTooLong { path: at(), bytes, max: config.key_bytes_max }),
        None => Ok(()),
    }
}

/// The node at `path`; an error when something that is not a map is shown on the way.
fn lead<'a>(root: &'a Node, path: &Path) -> Result<Option<&'a Node>, EditError> {
    let mut node = root;
    for (depth, key) in path.iter().enumerate() {
        if depth > 0
            && let Some(found) = node.kind().filter(|kind| *kind != Kind::Map)
        {
            return Err(EditError::NotAMap { path: path.iter().take(depth).cloned().collect(), found });
        }
        match node.child(key) {
            Some(child) => node = child,
            None => return Ok(None),
        }
    }
    Ok(Some(node))
}

/// The dots of all that lives at `path` and below, and the resets of the counters there.
fn everything(
    node: Option<&Node>,
    path: &Path,
    resets: &mut Vec<(Path, Vec<Count>)>,
    names: &mut Names,
) -> Observed {
    let mut dots: Vec<Dot> = Vec::new();
    if let Some(node) = node {
        node.all_dots(&mut dots);
        if !node.is_plain() {
            reset_below(node, &mut path.clone(), resets, names);
        }
    }
    Observed::of(dots, names)
}

fn reset_below(node: &Node, path: &mut Path, resets: &mut Vec<(Path, Vec<Count>)>, names: &mut Names) {
    reset(node, path, resets, names);
    reset_children(node, path, resets, names);
}

fn reset_children(node: &Node, path: &mut Path, resets: &mut Vec<(Path, Vec<Count>)>, names: &mut Names) {
    for (key, child) in &node.containers().children {
        if !child.is_plain() {
            path.push(key.to_string());
            reset_below(child, path, resets, names);
            path.pop();
        }
    }
}

fn reset(node: &Node, path: &Path, resets: &mut Vec<(Path, Vec<Count>)>, names: &mut Names) {
    let counts = node.containers().counter.observe(names);
    if !counts.is_empty() {
        resets.push((path.clone(), counts));
    }
}

/// The adds that hold `element` in the set at `node`.
fn adds(node: Option<&Node>, element: &Value, names: &mut Names) -> Observed {
    let stamps = node.and_then(|node| node.containers().set.stamps(element));
    let dots = stamps.into_iter().flat_map(|stamps| stamps.iter()).map(|stamp| stamp.dot);
    Observed::of(dots.collect(), names)
}
