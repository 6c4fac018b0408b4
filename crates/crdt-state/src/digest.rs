//! One hash for all documents: equal sets of operations, equal hashes.
//!
//! It covers everything that is kept, also what is not shown. Every collection is preceded by its length and every
//! kind has its place, so no two states look alike.

use meshwork_base::{DocumentId, Hash};

use crate::{Document, Stamp, Value, counter::Place, node::Node, stamp::Stamps};

pub(crate) fn digest<'a>(documents: impl Iterator<Item = (&'a DocumentId, &'a Document)>) -> Hash {
    let mut digest = Digest(blake3::Hasher::new_derive_key("meshwork 2026 document state"));
    for (id, document) in documents {
        digest.text(id.as_str());
        digest.node(&document.root);
    }
    Hash(*digest.0.finalize().as_bytes())
}

struct Digest(blake3::Hasher);

impl Digest {
    fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn stamp(&mut self, stamp: &Stamp) {
        self.number(stamp.time.wall_ms);
        self.number(stamp.time.counter.into());
        self.0.update(stamp.dot.replica.as_bytes());
        self.number(stamp.dot.sequence);
    }

    fn place(&mut self, (sequence, nth): Place) {
        self.number(sequence);
        self.number(nth.into());
    }

    fn stamps(&mut self, stamps: &Stamps) {
        self.number(stamps.iter().count() as u64);
        stamps.iter().for_each(|stamp| self.stamp(stamp));
    }

    fn value(&mut self, value: &Value) {
        self.number(value.rank().into());
        match value {
            Value::Null => {}
            Value::Bool(truth) => self.number((*truth).into()),
            Value::Int(number) => self.number(number.cast_unsigned()),
            Value::Float(number) => self.number(number.to_bits()),
            Value::Text(text) | Value::Number(text) => self.text(text),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::List(items) => {
                self.number(items.len() as u64);
                items.iter().for_each(|item| self.value(item));
            }
            Value::Map(entries) => {
                self.number(entries.len() as u64);
                for (key, value) in entries {
                    self.text(key);
                    self.value(value);
                }
            }
        }
    }

    fn node(&mut self, node: &Node) {
        let entries = node.register.entries();
        self.number(entries.len() as u64);
        for entry in entries {
            self.stamp(&entry.stamp);
            self.number(entry.assigned.into());
            self.value(&entry.value);
        }
        let containers = node.containers();
        self.stamps(&containers.present);
        let tallies = containers.counter.tallies();
        self.number(tallies.len() as u64);
        for (replica, tally) in tallies {
            self.0.update(replica.as_bytes());
            self.place(tally.last);
            self.number(tally.time.wall_ms);
            self.number(tally.time.counter.into());
            self.0.update(&tally.total.to_le_bytes());
            self.place(tally.taken.0);
            self.0.update(&tally.taken.1.to_le_bytes());
        }
        let elements = containers.set.elements();
        self.number(elements.len() as u64);
        for (element, stamps) in elements {
            self.value(element);
            self.stamps(stamps);
        }
        self.number(containers.children.len() as u64);
        for (key, child) in &containers.children {
            self.text(key);
            self.node(child);
        }
    }
}
