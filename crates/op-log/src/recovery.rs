//! Opening: what storage holds becomes a log again, or an error that says what to do.

use std::collections::BTreeMap;

use meshwork_base::{Bytes, Hash, NodeId, Random, ReplicaId, Row, Seed, SpaceId, Table, Timestamp};
use meshwork_wire::BLOCK_OPERATIONS_MAX;
use serde::{Deserialize, Serialize};

use crate::{
    Config, Context, Effect, FORMAT, OpLog, OpenError, Operation,
    block::{Format, Outline},
    builder,
    chain::row_key,
    flush::Author,
    history::{Accepted, History},
    proofs::{Proof, Proofs},
};

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

/// The deletion of the durable mark.
pub(crate) fn mark_deleted() -> Row {
    Row::delete(Table::Meta, KEY_MARK)
}

/// The rows of each table, by key.
#[derive(Default)]
struct Stored {
    meta: BTreeMap<Bytes, Bytes>,
    blocks: BTreeMap<Bytes, Bytes>,
    proofs: BTreeMap<Bytes, Bytes>,
}

impl OpLog {
    /// Opens the log that `rows` (all that storage holds) describe; none make a new one.
    ///
    /// A store that was closed cleanly goes on under its replica; any other gets a new incarnation. Consecutive small
    /// blocks are merged into full ones on the way, so that the next opening has less to verify.
    pub fn open(
        config: Config,
        context: Context,
        now: Timestamp,
        seed: Seed,
        rows: impl IntoIterator<Item = Row>,
    ) -> Result<Self, OpenError> {
        config.validate()?;
        let mut stored = Stored::default();
        for row in rows {
            let table = match row.table {
                Table::Meta => &mut stored.meta,
                Table::Blocks => &mut stored.blocks,
                Table::Proofs => &mut stored.proofs,
            };
            table.extend(row.value.map(|value| (row.key, value)));
        }
        let node = context.signer.node();
        let record = stored.check(&node, &context.space)?;
        let mut random = seed.fork("op-log").random();

        let mut history = History::new(Format::new(context.space));
        let own = record
            .as_ref()
            .map(|record| (ReplicaId::derive(&node, &context.space, &record.nonce), record.sent));
        let proofs = load_proofs(&history.format, &stored.proofs)?;
        let (operations, rewritten) = load(&mut history, &context, own, &stored.blocks, &proofs)?;
        proofs.replicas().for_each(|replica| history.close(&replica));
        proofs.liars().for_each(|author| history.close_author(author));

        let clean = !stored.meta.contains_key(KEY_MARK.as_bytes());
        let usable = clean && own.is_some_and(|(replica, _)| !proofs.contains(&replica));
        let record = match record {
            Some(record) if usable => record,
            previous => Record::next(&mut random, now, previous.map_or(0, |record| record.epoch)),
        };
        let replica = ReplicaId::derive(&node, &context.space, &record.nonce);
        let author = Author::new(&node, &context.space, &record, history.version.sequence(&replica) + 1);

        let mut log = Self::new(config, context, random, history, author);
        log.proofs = proofs;
        log.effects.push_back(Effect::Incarnation(log.author.incarnation()));
        let mut rows = vec![
            Row::put(Table::Meta, KEY_FORMAT, vec![FORMAT]),
            Row::put(Table::Meta, KEY_SPACE, log.context.space.0.to_vec()),
            Row::put(Table::Meta, KEY_OWNER, node.0.to_vec()),
            record.row(),
            Row::put(Table::Meta, KEY_MARK, vec![1]),
        ];
        rows.extend(rewritten);
        log.persist(rows, []);
        log.deliver(operations);
        log.effects.push_back(Effect::Stored { version: log.stored.clone() });
        Ok(log)
    }
}

impl Stored {
    /// Checks whose store this is; returns its incarnation, if it ever had one.
    fn check(&self, node: &NodeId, space: &SpaceId) -> Result<Option<Record>, OpenError> {
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

fn corrupt(table: Table, key: &[u8], reason: impl ToString) -> OpenError {
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

/// Links all stored blocks. Returns their operations in causal order, and the rows by which merged blocks replace the
/// ones that they were merged from.
fn load(
    history: &mut History,
    context: &Context,
    own: Option<(ReplicaId, u64)>,
    blocks: &BTreeMap<Bytes, Bytes>,
    proofs: &Proofs,
) -> Result<(Vec<Operation>, Vec<Row>), OpenError> {
    let (mut accepted, mut rewritten) = (Accepted::default(), Vec::new());
    let mut outlines: Vec<Outline> = Vec::with_capacity(blocks.len());
    for (key, bytes) in blocks {
        let outline = history.format.outline(bytes).map_err(|error| corrupt(Table::Blocks, key, error))?;
        if row_key(&outline.replica, outline.first) != key {
            return Err(corrupt(Table::Blocks, key, "it lies under the key of another block"));
        }
        outlines.push(outline);
    }
    for chain in outlines.chunk_by(|a, b| a.replica == b.replica) {
        let sent = own.and_then(|(replica, sent)| (chain.first()?.replica == replica).then_some(sent));
        load_chain(history, context, sent, chain, &mut accepted, &mut rewritten)?;
    }
    history.sever_again(proofs, &mut accepted);
    if let Some((replica, first)) = history.buffer.first() {
        let reason = "what it depends on, or the block before it, is missing";
        return Err(corrupt(Table::Blocks, &row_key(&replica, first), reason));
    }
    Ok((accepted.operations, rewritten))
}

/// Links the stored blocks of one replica, as many at a time as fit in a block. `sent`: a boundary to keep.
fn load_chain(
    history: &mut History,
    context: &Context,
    sent: Option<u64>,
    chain: &[Outline],
    accepted: &mut Accepted,
    rewritten: &mut Vec<Row>,
) -> Result<(), OpenError> {
    let key = |outline: &Outline| row_key(&outline.replica, outline.first);
    let mut rest = chain;
    while let Some(head) = rest.first() {
        let side = |outline: &Outline| sent.is_some_and(|sent| outline.last <= sent);
        let run = rest.windows(2).take_while(|pair| match pair {
            [a, b] => b.first <= a.last.saturating_add(1) && b.last > a.last && side(a) == side(b),
            _ => false,
        });
        let run = run.take(BLOCK_OPERATIONS_MAX);
        let run = run.count() + 1;
        let bytes: Vec<Bytes> = rest.iter().take(run).map(|outline| outline.bytes.clone()).collect();
        let (merged, taken) = builder::merge(&history.format, &bytes)
            .map_err(|error| corrupt(Table::Blocks, &key(head), error))?;
        let (parts, later) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
        let whole = history.format.outline(&merged).and_then(|outline| history.format.decode(outline));
        let checked =
            whole.and_then(|whole| whole.outline.verify(&whole.tip, &*context.verifier).map(|()| whole));
        let whole = checked.map_err(|error| blame(&history.format, context, parts, error))?;
        if taken > 1 {
            rewritten.extend(parts.iter().skip(1).map(|part| Row::delete(Table::Blocks, key(part))));
            rewritten.push(Row::put(Table::Blocks, key(head), merged));
        }
        history.insert(whole, None, accepted);
        if !accepted.conflicts.is_empty() {
            return Err(corrupt(Table::Blocks, &key(head), "it does not continue the block before it"));
        }
        rest = later;
    }
    Ok(())
}

/// Names the row that makes a merged block invalid.
fn blame(format: &Format, context: &Context, parts: &[Outline], error: crate::BlockError) -> OpenError {
    let valid = |part: &Outline| {
        let block = format.decode(part.clone());
        block.and_then(|block| part.verify(&block.tip, &*context.verifier))
    };
    let found = parts.iter().find_map(|part| valid(part).err().map(|error| (part, error)));
    match (found, parts.first()) {
        (Some((part, error)), _) => corrupt(Table::Blocks, &row_key(&part.replica, part.first), error),
        (None, Some(head)) => corrupt(Table::Blocks, &row_key(&head.replica, head.first), error),
        (None, None) => corrupt(Table::Blocks, &[], error),
    }
}

fn load_proofs(format: &Format, rows: &BTreeMap<Bytes, Bytes>) -> Result<Proofs, OpenError> {
    let mut proofs = Proofs::default();
    for (key, value) in rows {
        let refuse = |reason: String| corrupt(Table::Proofs, key, reason);
        let pair: (Bytes, Bytes) = meshwork_wire::decode(value).map_err(|error| refuse(error.to_string()))?;
        let stripped = |bytes| format.outline(bytes).and_then(|outline| outline.without_bodies());
        let outline = format.outline(&pair.0).map_err(|error| refuse(error.to_string()))?;
        let first = stripped(&pair.0).map_err(|error| refuse(error.to_string()))?;
        let second = stripped(&pair.1).map_err(|error| refuse(error.to_string()))?;
        proofs.insert(outline.replica, Proof { author: outline.author, first, second });
    }
    Ok(proofs)
}
