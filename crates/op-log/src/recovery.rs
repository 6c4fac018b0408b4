//! What storage holds besides blocks: whose it is, which incarnation wrote it last, and whether that one was closed.

use std::collections::BTreeMap;

use meshwork_base::{Bytes, Hash, NodeId, Random, Row, SpaceId, Table, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Context, FORMAT, OpenError};

const KEY_FORMAT: &str = "format";
const KEY_SPACE: &str = "space";
const KEY_OWNER: &str = "owner";
const KEY_INCARNATION: &str = "incarnation";
const KEY_MARK: &str = "mark";

/// The stored fact about the current incarnation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) nonce: [u8; 16],
    pub(crate) epoch: u64,
    /// How many of its operations may have left, when the log was last closed.
    pub(crate) sent: u64,
}

impl Record {
    /// The incarnation after the one of `epoch`. The epoch goes into the nonce, so that a host that hands in one seed
    /// twice still gets two replicas.
    pub(crate) fn next(random: &mut Random, now: Timestamp, epoch: u64) -> Self {
        let epoch = now.wall_ms.max(epoch.saturating_add(1));
        Self { nonce: nonce(random, epoch), epoch, sent: 0 }
    }

    pub(crate) fn row(&self) -> Row {
        // Three fixed-size fields always encode.
        Row::put(Table::Meta, KEY_INCARNATION, meshwork_wire::encode(self).unwrap_or_default())
    }
}

/// A nonce that no other incarnation of this node has.
pub(crate) fn nonce(random: &mut Random, epoch: u64) -> [u8; 16] {
    let hash = Hash::of_parts("meshwork 2026 incarnation", &[&random.bytes::<32>(), &epoch.to_le_bytes()]);
    hash.0.first_chunk().copied().unwrap_or_default()
}

/// The rows with which a log is open under `record`, the durable mark among them.
pub(crate) fn begin_rows(context: &Context, record: &Record) -> Vec<Row> {
    vec![
        Row::put(Table::Meta, KEY_FORMAT, vec![FORMAT]),
        Row::put(Table::Meta, KEY_SPACE, context.space.0.to_vec()),
        Row::put(Table::Meta, KEY_OWNER, context.signer.node().0.to_vec()),
        record.row(),
        Row::put(Table::Meta, KEY_MARK, vec![1]),
    ]
}

/// The deletion of the durable mark.
pub(crate) fn mark_deleted() -> Row {
    Row::delete(Table::Meta, KEY_MARK)
}

/// The rows of each table, by key.
#[derive(Default)]
pub(crate) struct Stored {
    meta: BTreeMap<Bytes, Bytes>,
    pub(crate) blocks: BTreeMap<Bytes, Bytes>,
    pub(crate) proofs: BTreeMap<Bytes, Bytes>,
}

impl Stored {
    pub(crate) fn insert(&mut self, row: Row) {
        let table = match row.table {
            Table::Meta => &mut self.meta,
            Table::Blocks => &mut self.blocks,
            Table::Proofs => &mut self.proofs,
        };
        table.extend(row.value.map(|value| (row.key, value)));
    }

    /// Whether the log was closed, or never open.
    pub(crate) fn is_clean(&self) -> bool {
        !self.meta.contains_key(KEY_MARK.as_bytes())
    }

    /// Checks whose store this is; returns its incarnation, if it ever had one.
    pub(crate) fn check(&self, node: &NodeId, space: &SpaceId) -> Result<Option<Record>, OpenError> {
        let value = |key: &'static str| self.meta.get(key.as_bytes());
        let Some(format) = value(KEY_FORMAT) else {
            let empty = self.blocks.is_empty() && self.proofs.is_empty() && self.meta.is_empty();
            return if empty { Ok(None) } else { Err(OpenError::Missing(KEY_FORMAT)) };
        };
        match format[..] {
            [FORMAT] => {}
            [found] => return Err(OpenError::Format { found }),
            _ => return Err(corrupt(Table::Meta, KEY_FORMAT.as_bytes(), "it is not one byte")),
        }
        let owner = value(KEY_OWNER).ok_or(OpenError::Missing(KEY_OWNER))?;
        let found =
            NodeId(exact(owner).ok_or_else(|| corrupt(Table::Meta, KEY_OWNER.as_bytes(), "its length"))?);
        if found != *node {
            return Err(OpenError::Owner { found, expected: *node });
        }
        let owner = value(KEY_SPACE).ok_or(OpenError::Missing(KEY_SPACE))?;
        let found =
            SpaceId(exact(owner).ok_or_else(|| corrupt(Table::Meta, KEY_SPACE.as_bytes(), "its length"))?);
        if found != *space {
            return Err(OpenError::Space { found, expected: *space });
        }
        let record = value(KEY_INCARNATION).ok_or(OpenError::Missing(KEY_INCARNATION))?;
        let record = meshwork_wire::decode(record);
        record.map(Some).map_err(|error| corrupt(Table::Meta, KEY_INCARNATION.as_bytes(), error))
    }
}

fn exact<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

pub(crate) fn corrupt(table: Table, key: &[u8], reason: impl ToString) -> OpenError {
    let table = match table {
        Table::Blocks => "Blocks",
        Table::Meta => "Meta",
        Table::Proofs => "Proofs",
    };
    let key = if table == "Meta" {
        String::from_utf8_lossy(key).into()
    } else {
        base16ct::lower::encode_string(key)
    };
    OpenError::Corrupt { table, key, reason: reason.to_string() }
}
