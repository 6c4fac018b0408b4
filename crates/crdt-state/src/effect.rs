//! What the documents ask for.

use meshwork_base::{DocumentId, Dot, NodeId};
use meshwork_op_log::NewOperation;

use crate::{EditError, RequestId};

/// One effect.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Put these local operations into the log.
    Append(Vec<NewOperation>),
    /// The answer to an edit: visible already, durable once the log says so. On error nothing changed.
    Edited {
        /// Which edit.
        request: RequestId,
        /// The operation it became, or why not.
        result: Result<Dot, EditError>,
    },
    /// The answers to [`Input::EditMany`](crate::Input::EditMany), in order.
    EditedMany {
        /// Which edits.
        request: RequestId,
        /// For each transaction the operation it became, or why not.
        results: Vec<Result<Dot, EditError>>,
    },
    /// Close the log: it was handed every operation of an edit that was taken.
    Close,
    /// Operations of others (or of an earlier run) became visible in a document.
    Changed {
        /// Which document.
        document: DocumentId,
        /// By which operations, in causal order.
        dots: Vec<Dot>,
    },
    /// An operation that is validly signed but impossible, applied as nothing. Charged to its author.
    Invalid {
        /// Which.
        dot: Dot,
        /// Who signed it.
        author: NodeId,
        /// What is wrong with it.
        reason: String,
    },
    /// An operation whose hybrid time lies further ahead than the local clock's bound. It counts; the clock stays.
    TimeAhead {
        /// Which.
        dot: Dot,
        /// Who signed it.
        author: NodeId,
        /// How far ahead, in milliseconds.
        ahead_ms: u64,
    },
    /// An operation of a newer version, kept and forwarded, not shown.
    Pending {
        /// Which.
        dot: Dot,
    },
}
