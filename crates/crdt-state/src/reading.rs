//! What an operation says, for people who look at a log.

use meshwork_op_log::Operation;

use crate::{
    Edit,
    message::{Body, Mutation, Step},
};

/// The edits that an operation was made of, as far as its body tells: what they took away is left out. `None` if the
/// body cannot be read: it comes from a newer version, or makes no sense.
pub fn edits_of(operation: &Operation) -> Option<Vec<Edit>> {
    let Operation { dot, body, .. } = operation;
    // What is named beyond the dependencies changes nothing of what is shown here.
    let body = Body::read(body, dot.replica, dot.sequence, |_| u64::MAX).ok()?;
    let mut path = Vec::new();
    let mut edits = Vec::with_capacity(body.steps.len());
    for Step { kept, keys, mutation } in body.steps {
        path.truncate(kept);
        path.extend(keys);
        let path = path.clone();
        edits.push(match mutation {
            Mutation::Set { value, .. } => Edit::Set { path, value },
            Mutation::Assign { value, .. } => Edit::Assign { path, value },
            Mutation::MakeMap { .. } => Edit::MakeMap { path },
            // A counter is emptied by its own mutation, behind the deletion that it belongs to.
            Mutation::Delete { .. } | Mutation::Reset { .. } => Edit::Delete { path },
            Mutation::Increment { by } => Edit::Increment { path, by },
            Mutation::Add { element, .. } => Edit::Add { path, value: element },
            Mutation::Remove { element, .. } => Edit::Remove { path, value: element },
        });
    }
    edits.dedup();
    Some(edits)
}

#[cfg(test)]
mod tests {
    use meshwork_base::{Bytes, DocumentId, Dot, Hash, Machine as _, NodeId, ReplicaId, Timestamp};
    use meshwork_op_log::Incarnation;

    use super::*;
    use crate::{Config, Documents, Effect, Input, RequestId};

    fn operation(body: Bytes) -> Operation {
        Operation {
            dot: Dot::new(ReplicaId([1; 16]), 1),
            author: NodeId([2; 32]),
            dependencies: Vec::new(),
            document: DocumentId::new("app").unwrap(),
            time: Default::default(),
            body,
            hash: Hash([0; 32]),
        }
    }

    #[test]
    fn an_operation_reads_as_the_edits_that_made_it() {
        let edits = vec![
            Edit::set(["users", "ada", "name"], "Ada"),
            Edit::set(["users", "ada", "born"], 1815),
            Edit::increment(["visits"], 2),
            Edit::add(["tags"], "x"),
        ];
        let mut documents = Documents::new(Config::default());
        let incarnation = Incarnation { replica: ReplicaId([1; 16]), epoch: 1, next_sequence: 1 };
        documents.handle(Timestamp::default(), Input::Incarnation(incarnation));
        let document = DocumentId::new("app").unwrap();
        let edit = Input::Edit { request: RequestId(1), document, edits: edits.clone() };
        documents.handle(Timestamp::default(), edit);
        let Some(Effect::Append(mut made)) = documents.poll_effect() else { panic!("no operation") };
        assert_eq!(edits_of(&operation(made.remove(0).body)), Some(edits));
        assert_eq!(edits_of(&operation(Bytes::from_static(&[9]))), None);
        assert_eq!(edits_of(&operation(Bytes::from_static(&[]))), Some(Vec::new()));
    }
}
