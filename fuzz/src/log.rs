//! A log over a disk that answers at once.

use std::collections::BTreeMap;

use meshwork_base::{Bytes, DocumentId, Dot, HybridTime, Row, Seed, Table, Timestamp};
use meshwork_op_log::{Config, Context, Effect, Input, NewOperation, OpLog, OpenError};

use crate::{Driven, Gullible, SPACE};

/// What a disk holds.
pub type Disk = BTreeMap<(Table, Bytes), Bytes>;

/// A log and its disk.
pub struct Log {
    driven: Driven<OpLog>,
    /// Everything that it has asked to keep.
    pub disk: Disk,
}

impl Log {
    /// Opens what a disk holds.
    pub fn open(disk: Disk) -> Result<Self, OpenError> {
        let context = Context { space: SPACE, signer: Gullible::signer(), verifier: Gullible::verifier() };
        let rows = disk.iter().map(|((table, key), value)| Row::put(*table, key.clone(), value.clone()));
        let now = Timestamp { wall_ms: 1_000_000, ..Timestamp::default() };
        let log = OpLog::open(Config::default(), context, now, Seed::from_number(1), rows)?;
        Ok(Self { driven: Driven::new(log), disk })
    }

    /// Feeds one input, and the answer to every write that follows from it.
    pub fn feed(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = self.driven.feed(input);
        let mut seen = 0;
        while let Some(effect) = effects.get(seen) {
            seen += 1;
            if let Effect::Persist { write, rows } = effect {
                let write = *write;
                for Row { table, key, value } in rows.clone() {
                    match value {
                        Some(value) => self.disk.insert((table, key), value),
                        None => self.disk.remove(&(table, key)),
                    };
                }
                effects.extend(self.driven.feed(Input::Persisted { write }));
            }
        }
        effects
    }

    /// Writes an operation of its own.
    pub fn write(&mut self, body: &[u8]) -> Vec<Effect> {
        let incarnation = self.driven.machine.incarnation();
        self.feed(Input::Append(vec![NewOperation {
            dot: Dot::new(incarnation.replica, incarnation.next_sequence),
            dependencies: Vec::new(),
            document: document(),
            time: HybridTime::default(),
            body: Bytes::copy_from_slice(body),
        }]))
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
