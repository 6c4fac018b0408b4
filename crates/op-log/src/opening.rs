//! Opening: what storage holds becomes a log again, or an error that says what to do.
//!
//! Rows are sorted and blocks are outlined a few at a time, and linked one full block at a time. Whatever is refused is
//! refused in this order, so an error does not depend on how often the host has paused.

use std::{
    collections::btree_map,
    ops::ControlFlow::{self, Break, Continue},
    vec,
};

use meshwork_base::{Bytes, Random, ReplicaId, Row, Seed, Table, Timestamp};
use meshwork_wire::BLOCK_OPERATIONS_MAX;

use crate::{
    BlockError, Config, Context, Effect, OpLog, OpenError, Operation,
    block::{Block, Format, Outline},
    builder,
    chain::row_key,
    flush::Author,
    history::{Accepted, History},
    proofs::{Proof, Proofs},
    recovery::{Record, Stored, begin_rows, corrupt},
};

/// How many rows one step reads.
const STEP_ROWS_MAX: usize = 256;
/// How many rows one write changes, unless a single block was merged from more; the rows of the new beginning come on top.
const WRITE_ROWS_MAX: usize = 256;

/// A log that is being opened a step at a time, for hosts with other things to do meanwhile. [`OpLog::open`] is all steps
/// at once.
pub struct Opening {
    config: Config,
    context: Context,
    now: Timestamp,
    random: Random,
    stage: Stage,
    /// Not sorted yet.
    rows: vec::IntoIter<Row>,
    stored: Stored,
    /// Sorted, not looked at yet.
    proof_rows: btree_map::IntoIter<Bytes, Bytes>,
    block_rows: btree_map::IntoIter<Bytes, Bytes>,
    /// The stored incarnation.
    record: Option<Record>,
    proofs: Proofs,
    history: History,
    /// All blocks, in the order of their keys.
    outlines: Vec<Outline>,
    /// How many operations they hold.
    operations: u64,
    /// Blocks that are not linked yet.
    unlinked: vec::IntoIter<Outline>,
    accepted: Accepted,
    /// The replicas of which more can be accepted, perhaps.
    work: Vec<ReplicaId>,
    /// What was accepted, as it will be delivered.
    parcels: Vec<Vec<Operation>>,
    /// By write, the rows by which merged blocks replace those that they were merged from.
    rewritten: Vec<Vec<Row>>,
}

/// What the next step is about.
#[derive(Clone, Copy)]
enum Stage {
    Sorting,
    Proving,
    Outlining,
    Linking,
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
        let mut opening = Opening::new(config, context, now, seed, rows.into_iter().collect())?;
        loop {
            match opening.step()? {
                Continue(next) => opening = next,
                Break(log) => return Ok(log),
            }
        }
    }
}

impl Opening {
    /// Begins to open the log that `rows` describe, as [`OpLog::open`] does.
    pub fn new(
        config: Config,
        context: Context,
        now: Timestamp,
        seed: Seed,
        rows: Vec<Row>,
    ) -> Result<Self, OpenError> {
        config.validate()?;
        Ok(Self {
            history: History::new(Format::new(context.space)),
            config,
            context,
            now,
            random: seed.fork("op-log").random(),
            stage: Stage::Sorting,
            rows: rows.into_iter(),
            stored: Stored::default(),
            proof_rows: Default::default(),
            block_rows: Default::default(),
            record: None,
            proofs: Proofs::default(),
            outlines: Vec::new(),
            operations: 0,
            unlinked: Vec::new().into_iter(),
            accepted: Accepted::default(),
            work: Vec::new(),
            parcels: Vec::new(),
            rewritten: Vec::new(),
        })
    }

    /// How many operations the log will hold, as far as its blocks were looked at.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// Goes on a step: some rows, or as many operations as fit in a block. Only of those who contradicted themselves all is
    /// looked through in the last one.
    pub fn step(mut self) -> Result<ControlFlow<OpLog, Self>, OpenError> {
        match self.stage {
            Stage::Sorting => self.sort()?,
            Stage::Proving => self.prove()?,
            Stage::Outlining => self.outline()?,
            Stage::Linking if !self.work.is_empty() => self.accept()?,
            Stage::Linking if self.unlinked.as_slice().is_empty() => return self.end().map(Break),
            Stage::Linking => self.link()?,
        }
        Ok(Continue(self))
    }

    /// Puts the next rows in order; with the last of them it shows whose store this is.
    fn sort(&mut self) -> Result<(), OpenError> {
        for row in self.rows.by_ref().take(STEP_ROWS_MAX) {
            self.stored.insert(row);
        }
        if self.rows.len() == 0 {
            self.record = self.stored.check(&self.context.signer.node(), &self.context.space)?;
            self.proof_rows = std::mem::take(&mut self.stored.proofs).into_iter();
            self.block_rows = std::mem::take(&mut self.stored.blocks).into_iter();
            self.stage = Stage::Proving;
        }
        Ok(())
    }

    /// Reads the next proof.
    fn prove(&mut self) -> Result<(), OpenError> {
        let Some((key, value)) = self.proof_rows.next() else {
            self.outlines.reserve_exact(self.block_rows.len());
            self.stage = Stage::Outlining;
            return Ok(());
        };
        load_proof(&self.history.format, &key, &value, &mut self.proofs)
    }

    /// Reads the fixed parts of the next blocks.
    fn outline(&mut self) -> Result<(), OpenError> {
        for _ in 0..STEP_ROWS_MAX {
            let Some((key, bytes)) = self.block_rows.next() else {
                self.unlinked = std::mem::take(&mut self.outlines).into_iter();
                self.stage = Stage::Linking;
                break;
            };
            let outline = self.history.format.outline(&bytes);
            let outline = outline.map_err(|error| corrupt(Table::Blocks, &key, error))?;
            if row_key(&outline.replica, outline.first) != key {
                return Err(corrupt(Table::Blocks, &key, "it lies under the key of another block"));
            }
            let before = self.outlines.last().filter(|before| before.replica == outline.replica);
            let end = before.map_or(0, |before| before.last).max(outline.first - 1);
            self.operations = self.operations.saturating_add(outline.last.saturating_sub(end));
            self.outlines.push(outline);
        }
        Ok(())
    }

    /// The stored incarnation's replica, and how much of it may have left.
    fn own(&self) -> Option<(ReplicaId, u64)> {
        let (node, space) = (self.context.signer.node(), &self.context.space);
        self.record.as_ref().map(|record| (ReplicaId::derive(&node, space, &record.nonce), record.sent))
    }

    /// Links the next stored blocks of one replica, as many as fit in a block. What had left of the own replica stays in
    /// blocks apart from what had not.
    fn link(&mut self) -> Result<(), OpenError> {
        let own = self.own();
        let rest = self.unlinked.as_slice();
        let Some(head) = rest.first() else { return Ok(()) };
        let key = |outline: &Outline| row_key(&outline.replica, outline.first);
        let left = |outline: &Outline| {
            own.is_some_and(|(replica, sent)| outline.replica == replica && outline.last <= sent)
        };
        let goes_on = |a: &Outline, b: &Outline| {
            let touches = b.first <= a.last.saturating_add(1) && b.last > a.last;
            a.replica == b.replica && touches && left(a) == left(b)
        };
        let run = rest.windows(2).take_while(|pair| matches!(pair, [a, b] if goes_on(a, b)));
        let run = run.take(BLOCK_OPERATIONS_MAX).count() + 1;
        let bytes: Vec<Bytes> = rest.iter().take(run).map(|outline| outline.bytes.clone()).collect();
        let format = &self.history.format;
        let (merged, taken) =
            builder::merge(format, &bytes).map_err(|error| corrupt(Table::Blocks, &key(head), error))?;
        let (parts, _) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
        let whole = format.outline(&merged).and_then(|outline| format.decode(outline));
        let checked =
            whole.and_then(|whole| whole.outline.verify(&whole.tip, &*self.context.verifier).map(|()| whole));
        let whole = checked.map_err(|error| blame(format, &self.context, parts, error))?;
        if taken > 1 {
            let deleted = parts.iter().skip(1).map(|part| Row::delete(Table::Blocks, key(part)));
            let rows = deleted.chain([Row::put(Table::Blocks, key(head), merged)]);
            match self.rewritten.last_mut() {
                Some(write) if write.len() + taken <= WRITE_ROWS_MAX => write.extend(rows),
                _ => self.rewritten.push(rows.collect()),
            }
        }
        self.unlinked.by_ref().take(taken).for_each(drop);
        self.work.push(self.history.put(whole, None));
        self.accept()
    }

    /// Accepts a block's worth of what is ready: one operation may have held up all others.
    fn accept(&mut self) -> Result<(), OpenError> {
        self.history.advance_some(&mut self.work, BLOCK_OPERATIONS_MAX, &mut self.accepted);
        if let Some(Block { outline, .. }) = self.accepted.conflicts.first() {
            let key = row_key(&outline.replica, outline.first);
            return Err(corrupt(Table::Blocks, &key, "it does not continue the block before it"));
        }
        // They are stored.
        self.accepted.rows.clear();
        self.parcel();
        Ok(())
    }

    /// Makes full parcels of what was accepted.
    fn parcel(&mut self) {
        let max = self.config.deliver_operations_max;
        if self.accepted.operations.len() < max {
            return;
        }
        let mut rest = std::mem::take(&mut self.accepted.operations).into_iter();
        while rest.len() >= max {
            self.parcels.push(rest.by_ref().take(max).collect());
        }
        self.accepted.operations = rest.collect();
    }

    /// Everything is linked: a log begins, under the stored incarnation if that one was closed.
    fn end(mut self) -> Result<OpLog, OpenError> {
        self.history.sever_again(&self.proofs, &mut self.accepted);
        if let Some((replica, first)) = self.history.buffer.first() {
            let reason = "what it depends on, or the block before it, is missing";
            return Err(corrupt(Table::Blocks, &row_key(&replica, first), reason));
        }
        self.parcel();
        self.proofs.replicas().for_each(|replica| self.history.close(&replica));
        self.proofs.liars().for_each(|author| self.history.close_author(author));

        let own = self.own();
        let usable = self.stored.is_clean() && own.is_some_and(|(own, _)| !self.proofs.contains(&own));
        let record = match self.record {
            Some(record) if usable => record,
            previous => Record::next(&mut self.random, self.now, previous.map_or(0, |record| record.epoch)),
        };
        let (node, space) = (self.context.signer.node(), self.context.space);
        let replica = ReplicaId::derive(&node, &space, &record.nonce);
        let author = Author::new(&node, &space, &record, self.history.version.sequence(&replica) + 1);

        let rows = begin_rows(&self.context, &record);
        let mut log = OpLog::new(self.config, self.context, self.random, self.history, author);
        log.proofs = self.proofs;
        log.effects.push_back(Effect::Incarnation(log.author.incarnation()));
        let mut rewritten = self.rewritten.into_iter();
        log.persist(rows.into_iter().chain(rewritten.next().unwrap_or_default()).collect(), []);
        rewritten.for_each(|rows| log.persist(rows, []));
        log.effects.extend(self.parcels.into_iter().map(Effect::Deliver));
        log.deliver(self.accepted.operations);
        log.effects.push_back(Effect::Stored { version: log.stored.clone() });
        Ok(log)
    }
}

/// Names the row that makes a merged block invalid.
fn blame(format: &Format, context: &Context, parts: &[Outline], error: BlockError) -> OpenError {
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

fn load_proof(format: &Format, key: &Bytes, value: &Bytes, proofs: &mut Proofs) -> Result<(), OpenError> {
    let refuse = |reason: String| corrupt(Table::Proofs, key, reason);
    let pair: (Bytes, Bytes) = meshwork_wire::decode(value).map_err(|error| refuse(error.to_string()))?;
    let stripped = |bytes| format.outline(bytes).and_then(|outline| outline.without_bodies());
    let outline = format.outline(&pair.0).map_err(|error| refuse(error.to_string()))?;
    let first = stripped(&pair.0).map_err(|error| refuse(error.to_string()))?;
    let second = stripped(&pair.1).map_err(|error| refuse(error.to_string()))?;
    proofs.insert(outline.replica, Proof { author: outline.author, first, second });
    Ok(())
}
