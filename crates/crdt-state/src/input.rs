//! What the documents can be told.

use meshwork_base::DocumentId;
use meshwork_op_log::{Incarnation, Operation};

use crate::Edit;

/// Names one edit until it is answered by [`Effect::Edited`](crate::Effect::Edited).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct RequestId(pub u64);

/// One input.
#[derive(Clone, Debug)]
pub enum Input {
    /// Author under this incarnation from now on.
    Incarnation(Incarnation),
    /// Forget everything; all operations will be delivered again.
    Rebuild,
    /// One transaction on one document: all edits or none.
    Edit {
        /// Who asks.
        request: RequestId,
        /// Which document; it need not exist yet.
        document: DocumentId,
        /// What to change, in order.
        edits: Vec<Edit>,
    },
    /// Several transactions on one document, one after the other; one that is refused does not hold up the rest.
    EditMany {
        /// Who asks.
        request: RequestId,
        /// Which document; it need not exist yet.
        document: DocumentId,
        /// What to change, in order.
        transactions: Vec<Vec<Edit>>,
    },
    /// Operations from the log, in causal order.
    Deliver(Vec<Operation>),
    /// Take no more edits, then say [`Effect::Close`](crate::Effect::Close).
    Close,
}
