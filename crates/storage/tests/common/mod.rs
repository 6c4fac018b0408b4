//! A disk for tests: it can lose power, fill up and fail.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::{
    collections::BTreeSet,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use meshwork_base::{Random, Seed};
use meshwork_storage::Medium;
use redb::StorageBackend;

const BLOCK: u64 = 4096;
const SECTOR: usize = 512;

/// What was asked for since the last flush.
#[derive(Debug)]
enum Op {
    Write { offset: u64, data: Vec<u8> },
    SetLen(u64),
}

#[derive(Debug, Default)]
struct State {
    /// What readers see.
    bytes: Vec<u8>,
    /// What is left after a cut, but for what is unsynced.
    durable: Vec<u8>,
    unsynced: Vec<Op>,
    /// Backends opened before the last cut are dead.
    generation: u64,
    /// Operations until the power is cut, and the randomness of the cut.
    cut: Option<(u64, Random)>,
    cuts: u64,
    /// Operations until one of them fails.
    error: Option<u64>,
    /// Blocks written to, and how many there may be.
    used: BTreeSet<u64>,
    room: Option<usize>,
    /// What the system answers to opening it.
    refuses: Option<io::ErrorKind>,
}

/// The disk; clones are the same disk.
#[derive(Clone, Default, Debug)]
pub struct Disk(Arc<Mutex<State>>);

/// One opening of it.
#[derive(Debug)]
pub struct Opened {
    disk: Disk,
    generation: u64,
}

impl Disk {
    pub fn with_bytes(bytes: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.state().durable.clone_from(&bytes);
        disk.state().bytes = bytes;
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn contents(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    /// Cuts the power during the operation after `operations` more. What was not flushed survives at random.
    pub fn cut_after(&self, operations: u64, seed: u64) {
        self.state().cut = Some((operations, Seed::from_number(seed).random()));
    }

    /// Cuts the power now.
    pub fn cut(&self, seed: u64) {
        self.state().cut_now(&mut Seed::from_number(seed).random());
    }

    /// How often the power was cut.
    pub fn cuts(&self) -> u64 {
        self.state().cuts
    }

    /// Lets the operation after `operations` more fail.
    pub fn fail_after(&self, operations: u64) {
        self.state().error = Some(operations);
    }

    /// Lets nothing fail any more; whether something did.
    pub fn stop_failing(&self) -> bool {
        self.state().error.take().is_none()
    }

    pub fn limit_blocks(&self, room: Option<usize>) {
        self.state().room = room;
    }

    pub fn used_blocks(&self) -> usize {
        self.state().used.len()
    }

    pub fn refuse(&self, kind: Option<io::ErrorKind>) {
        self.state().refuses = kind;
    }
}

impl Medium for Disk {
    type Backend = Opened;

    fn create(&self) -> io::Result<Opened> {
        self.open()
    }

    fn open(&self) -> io::Result<Opened> {
        let state = self.state();
        match state.refuses {
            Some(kind) => Err(kind.into()),
            None => Ok(Opened { disk: self.clone(), generation: state.generation }),
        }
    }

    fn place(&self) -> io::Result<(u64, u64)> {
        Ok((0, 0))
    }

    fn path(&self) -> &Path {
        Path::new("test/meshwork.redb")
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.state().bytes.len() as u64)
    }

    fn created(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Opened {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.generation == self.generation {
            Ok(state)
        } else {
            Err(io::Error::other("the power was cut"))
        }
    }
}

impl StorageBackend for Opened {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state()?.bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state()?;
        let offset = offset as usize;
        let bytes = state.bytes.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.state()?.perform(Some(Op::SetLen(len)))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.state()?.perform(None)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.state()?.perform(Some(Op::Write { offset, data: data.to_vec() }))
    }
}

impl State {
    /// `None` flushes.
    fn perform(&mut self, op: Option<Op>) -> io::Result<()> {
        if self.error == Some(0) {
            self.error = None;
            return Err(io::Error::other("failed as the test asked for"));
        }
        self.error = self.error.map(|left| left - 1);
        if let Some((left, random)) = &mut self.cut {
            let Some(less) = left.checked_sub(1) else {
                let mut random = random.clone();
                self.unsynced.extend(op);
                self.cut_now(&mut random);
                return Err(io::Error::other("the power was cut"));
            };
            *left = less;
        }
        let Some(op) = op else {
            for op in std::mem::take(&mut self.unsynced) {
                apply(&mut self.durable, &op);
            }
            return Ok(());
        };
        self.take_room(&op)?;
        apply(&mut self.bytes, &op);
        self.unsynced.push(op);
        Ok(())
    }

    fn take_room(&mut self, op: &Op) -> io::Result<()> {
        let Op::Write { offset, data } = op else { return Ok(()) };
        for block in offset / BLOCK..(offset + data.len() as u64).div_ceil(BLOCK) {
            if !self.used.contains(&block) && self.room.is_some_and(|room| self.used.len() >= room) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.used.insert(block);
        }
        Ok(())
    }

    /// Every operation since the last flush survives, or does not, or in part, whatever their order.
    fn cut_now(&mut self, random: &mut Random) {
        let keep = [0.0, 0.1, 0.5, 0.9, 0.98][random.below(5) as usize];
        let tear = [0.0, 0.1, 0.5][random.below(3) as usize];
        for mut op in std::mem::take(&mut self.unsynced) {
            if random.chance(tear) {
                tear_op(&mut self.durable, &mut op, random);
            } else if random.chance(keep) {
                apply(&mut self.durable, &op);
            }
        }
        self.bytes = self.durable.clone();
        self.generation += 1;
        self.cuts += 1;
        self.cut = None;
    }
}

/// The beginning of a write up to any byte, or any of its sectors. Lengths are changed or not.
fn tear_op(bytes: &mut Vec<u8>, op: &mut Op, random: &mut Random) {
    let Op::Write { offset, data } = op else { return };
    if random.chance(0.5) {
        data.truncate(random.below(data.len() as u64 + 1) as usize);
        apply(bytes, op);
    } else {
        for (at, sector) in data.chunks(SECTOR).enumerate() {
            if random.chance(0.5) {
                let offset = *offset + (at * SECTOR) as u64;
                apply(bytes, &Op::Write { offset, data: sector.to_vec() });
            }
        }
    }
}

/// What lies beyond the end is lost: the file was not made that long.
fn apply(bytes: &mut Vec<u8>, op: &Op) {
    match op {
        Op::SetLen(len) => bytes.resize(*len as usize, 0),
        Op::Write { offset, data } => {
            let start = (*offset as usize).min(bytes.len());
            let end = (start + data.len()).min(bytes.len());
            bytes[start..end].copy_from_slice(&data[..end - start]);
        }
    }
}
