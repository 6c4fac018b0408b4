//! What happened, as one hash and, if asked for, as text.

use std::fmt::{self, Write};

use meshwork::{Hash, Monotonic};

/// Takes note of every event of a run, in order.
pub struct Trace {
    hasher: blake3::Hasher,
    events: u64,
    show: bool,
}

struct IntoHasher<'a>(&'a mut blake3::Hasher);

impl Write for IntoHasher<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

impl Trace {
    /// An empty trace; with `show`, events are also printed to standard error.
    pub fn new(show: bool) -> Self {
        Self { hasher: blake3::Hasher::new(), events: 0, show }
    }

    /// One event of one node.
    pub fn note(&mut self, at: Monotonic, node: usize, what: &impl fmt::Debug) {
        self.events += 1;
        // Writing into a hasher cannot fail.
        let _ = writeln!(IntoHasher(&mut self.hasher), "{} {node} {what:?}", at.0);
        if self.show {
            let text = format!("{what:?}");
            let text: String = text.chars().take(200).collect();
            eprintln!("{:>12.6} node {node:<3} {text}", at.0 as f64 / 1e6);
        }
    }

    /// How many events there were.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// One hash for all of them: equal runs, equal hashes.
    pub fn hash(&self) -> Hash {
        Hash(*self.hasher.finalize().as_bytes())
    }
}
