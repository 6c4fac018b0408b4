//! A log and its disk.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use meshwork_base::{Bytes, DocumentId, Dot, HybridTime, Row, Seed, Table, WriteId};
use meshwork_identity::{Signer, Verifier};
use meshwork_op_log::{Config, Context, Effect, Input, NewOperation, OpLog, OpenError};

use crate::{Driven, Gullible, SPACE, driven};

/// What a disk holds.
pub type Disk = BTreeMap<(Table, Bytes), Bytes>;

/// Makes a write durable.
pub fn write(disk: &mut Disk, rows: Vec<Row>) {
    for Row { table, key, value } in rows {
        match value {
            Some(value) => disk.insert((table, key), value),
            None => disk.remove(&(table, key)),
        };
    }
}

/// All that a disk holds.
pub fn rows(disk: &Disk) -> impl Iterator<Item = Row> {
    disk.iter().map(|((table, key), value)| Row::put(*table, key.clone(), value.clone()))
}

/// A log and its disk.
pub struct Log {
    driven: Driven<OpLog>,
    /// What is durable.
    pub disk: Disk,
    waiting: VecDeque<(WriteId, Vec<Row>)>,
}

impl Log {
    /// Opens what a disk holds, and believes every signature.
    pub fn open(disk: Disk) -> Result<Self, OpenError> {
        Self::open_as(disk, 1, Gullible::signer(), Gullible::verifier())
    }

    /// Opens what a disk holds.
    pub fn open_as(
        disk: Disk,
        seed: u64,
        signer: Arc<dyn Signer>,
        verifier: Arc<dyn Verifier>,
    ) -> Result<Self, OpenError> {
        let config = Config { buffered_blocks_max: 16, remote_replicas_max: 16, ..Config::default() };
        let context = Context { space: SPACE, signer, verifier };
        let seed = Seed::from_number(seed);
        let driven = Driven::try_new(|| {
            OpLog::open(config.clone(), context.clone(), driven::start(), seed.clone(), rows(&disk))
        })?;
        Ok(Self { driven, disk, waiting: VecDeque::new() })
    }

    /// The machine, to ask it questions.
    pub fn machine(&self) -> &OpLog {
        self.driven.machine()
    }

    /// Feeds one input; what it wants kept waits.
    pub fn tell(&mut self, input: Input) -> Vec<Effect> {
        let effects = self.driven.feed(input);
        self.keep(effects)
    }

    /// Lets time pass, as a byte of a fuzz input chooses.
    pub fn pass(&mut self, how: u8) -> Vec<Effect> {
        let effects = self.driven.pass(how);
        self.keep(effects)
    }

    fn keep(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        for effect in &effects {
            if let Effect::Persist { write, rows } = effect {
                self.waiting.push_back((*write, rows.clone()));
            }
        }
        effects
    }

    /// Makes the oldest write that waits durable, and says so.
    pub fn sync(&mut self) -> Option<Vec<Effect>> {
        let (id, rows) = self.waiting.pop_front()?;
        write(&mut self.disk, rows);
        Some(self.tell(Input::Persisted { write: id }))
    }

    /// Feeds one input, and the answer to every write that waits.
    pub fn feed(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = self.tell(input);
        while let Some(more) = self.sync() {
            effects.extend(more);
        }
        effects
    }

    /// The next operation of its own.
    pub fn next_operation(&self, dependencies: Vec<Dot>, body: &[u8]) -> NewOperation {
        let incarnation = self.machine().incarnation();
        NewOperation {
            dot: Dot::new(incarnation.replica, incarnation.next_sequence),
            dependencies,
            document: document(),
            time: HybridTime::default(),
            body: Bytes::copy_from_slice(body),
        }
    }

    /// Writes an operation of its own, and answers every write that waits.
    pub fn write(&mut self, body: &[u8]) -> Vec<Effect> {
        let operation = self.next_operation(Vec::new(), body);
        self.feed(Input::Append(vec![operation]))
    }

    /// Loses power; of the writes that wait, the first `kept` became durable all the same.
    pub fn crash(mut self, kept: usize) -> Disk {
        for (_, rows) in self.waiting.drain(..).take(kept) {
            write(&mut self.disk, rows);
        }
        self.disk
    }

    /// Closes the log; what is left is its disk.
    pub fn close(mut self) -> Disk {
        let effects = self.feed(Input::Close);
        assert!(effects.contains(&Effect::Closed), "a disk that answers lets a log close");
        self.disk
    }
}

/// The document that operations here change.
pub fn document() -> DocumentId {
    DocumentId::new("app").expect("a short name is one")
}
