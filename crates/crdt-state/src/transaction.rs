//! One transaction: all of its edits become one operation, or none leaves a trace.
//!
//! Each edit is resolved against the document with the earlier edits applied. So before a mutation is applied the
//! journal keeps what it will change, at a cost in proportion to the change.

use meshwork_base::Bytes;
use meshwork_wire::OPERATION_BYTES_MAX;

use crate::{
    Config, Edit, EditError, Path, Stamp, Value,
    apply::Applier,
    counter::Counter,
    message::{Mutation, Writer},
    node::Node,
    observed::Names,
    register::Register,
    resolve::resolve,
    set::Set,
    stamp::Stamps,
};

/// Applies `edits` to `root` as the operation `stamp`, and returns its body.
pub(crate) fn transact(
    root: &mut Node,
    config: &Config,
    stamp: Stamp,
    edits: Vec<Edit>,
) -> Result<Bytes, EditError> {
    let (names, writer, last, journal) = (Names::default(), Writer::new(), Path::new(), Journal::default());
    let mut transaction = Transaction { names, writer, last, applier: Applier::new(stamp), journal };
    let count = edits.len();
    for (number, edit) in (1..).zip(edits) {
        // All that can fail in the last edit fails before it is applied.
        let may_be_undone = number < count;
        if let Err(error) = transaction.edit(root, config, edit, may_be_undone) {
            transaction.journal.roll_back(root);
            return Err(error);
        }
    }
    transaction.writer.finish(&transaction.names).map_err(|_| TOO_LARGE)
}

const TOO_LARGE: EditError = EditError::TooLarge { max: OPERATION_BYTES_MAX };

struct Transaction {
    names: Names,
    writer: Writer,
    /// The path of the last mutation.
    last: Path,
    applier: Applier,
    journal: Journal,
}

impl Transaction {
    fn edit(
        &mut self,
        root: &mut Node,
        config: &Config,
        edit: Edit,
        may_be_undone: bool,
    ) -> Result<(), EditError> {
        let (path, change) = edit.into_parts();
        let plan = resolve(root, &path, change, &mut self.names, config)?;
        let itself = plan.mutation.map(|mutation| (path, mutation));
        let steps: Vec<_> = plan.before.into_iter().chain(itself).collect();
        let mut previous = &self.last;
        for (path, mutation) in &steps {
            self.writer.write(previous, path, mutation).map_err(|_| TOO_LARGE)?;
            previous = path;
            if self.writer.size(&self.names) > OPERATION_BYTES_MAX {
                return Err(TOO_LARGE);
            }
        }
        for (path, mutation) in steps {
            if may_be_undone {
                self.journal.record(root, &path, &mutation);
            }
            self.applier.apply_next(root, &path, mutation, &self.names);
            self.last = path;
        }
        Ok(())
    }
}

/// What mutations changed, oldest first.
#[derive(Default)]
struct Journal(Vec<(Path, Before)>);

/// What was at a path.
enum Before {
    /// Everything.
    Node(Option<Node>),
    /// All but children and counter.
    Own(Register, Stamps, Set),
    Counter(Counter),
    Element(Value, Option<Stamps>),
}

impl Journal {
    fn record(&mut self, root: &Node, path: &Path, mutation: &Mutation) {
        let node = root.at(path);
        let before = match mutation {
            Mutation::Set { .. } | Mutation::Assign { .. } | Mutation::Delete { .. } => {
                Before::Node(node.cloned())
            }
            Mutation::MakeMap { .. } => {
                let own = |node: &Node| {
                    let containers = node.containers();
                    Before::Own(node.register.clone(), containers.present.clone(), containers.set.clone())
                };
                node.map_or(Before::Node(None), own)
            }
            Mutation::Reset { .. } | Mutation::Increment { .. } => {
                Before::Counter(node.map(|node| node.containers().counter.clone()).unwrap_or_default())
            }
            Mutation::Add { element, .. } | Mutation::Remove { element, .. } => {
                let stamps = node.and_then(|node| node.containers().set.stamps(element));
                Before::Element(element.clone(), stamps.cloned())
            }
        };
        self.0.push((path.clone(), before));
    }

    fn roll_back(self, root: &mut Node) {
        for (path, before) in self.0.into_iter().rev() {
            root.change_at(&path, |node| {
                match before {
                    Before::Node(before) => *node = before.unwrap_or_default(),
                    Before::Own(register, present, set) => {
                        node.register = register;
                        let containers = node.containers_mut();
                        containers.present = present;
                        containers.set = set;
                    }
                    Before::Counter(counter) => node.containers_mut().counter = counter,
                    Before::Element(element, stamps) => node.containers_mut().set.restore(element, stamps),
                }
                node.drop_empty_containers();
            });
        }
    }
}
