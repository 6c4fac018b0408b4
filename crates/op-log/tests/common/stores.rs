//! Append-only stores and what is put into them.

use std::sync::Arc;

use meshwork_base::{DocumentId, Hash, HybridTime, Seed};
use meshwork_identity::{Ed25519, NodeKey};
use meshwork_op_log::{AppendOnlyStore, Entry, EntryWriter, MemoryStore};

use super::SPACE;

pub fn store() -> MemoryStore {
    MemoryStore::new(SPACE, Arc::new(Ed25519))
}

pub fn key(number: u64) -> NodeKey {
    NodeKey::from_seed(&Seed::from_number(number))
}

pub fn writer(number: u64) -> EntryWriter {
    EntryWriter::new(SPACE, Arc::new(key(number)), &Seed::from_number(100 + number))
}

pub fn document(name: &str) -> DocumentId {
    DocumentId::new(name).unwrap()
}

pub fn write(writer: &mut EntryWriter, name: &str) -> Entry {
    writer.write(vec![], &document(name), HybridTime::default(), name.as_bytes()).unwrap()
}

pub fn entries(count: usize) -> Vec<Entry> {
    let mut writer = writer(1);
    (0..count).map(|_| write(&mut writer, "d")).collect()
}

pub fn hashes(entries: &[Entry]) -> Vec<Hash> {
    entries.iter().map(Entry::hash).collect()
}

pub fn filled(entries: &[Entry]) -> MemoryStore {
    let mut store = store();
    for entry in entries {
        assert_eq!(store.append(entry.clone()), Ok(true));
    }
    store
}
