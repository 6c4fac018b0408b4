//! What a machine wants kept.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Names one `Persist` effect; the host answers `Persisted` with the same id once it is durable, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct WriteId(pub u64);

/// Which table of the store a row lives in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Table {
    /// Signed blocks of operations, by replica and first sequence.
    Blocks,
    /// Facts about this store: its format, its owner, the durable mark.
    Meta,
    /// Proofs of equivocation, by dot.
    Proofs,
}

/// One row to write: `value: None` deletes it. All rows of one write become durable together or not at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The table.
    pub table: Table,
    /// The key; rows of a table are read back in key order.
    pub key: Bytes,
    /// The value, or `None` to delete.
    pub value: Option<Bytes>,
}

impl Row {
    /// A row to write.
    pub fn put(table: Table, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self { table, key: key.into(), value: Some(value.into()) }
    }

    /// A row to delete.
    pub fn delete(table: Table, key: impl Into<Bytes>) -> Self {
        Self { table, key: key.into(), value: None }
    }
}
