//! What happened, as one hash and, if asked for, entry by entry.

use std::fmt::{self, Write};

use meshwork::{Bytes, Effect, Hash, Input, Monotonic};
use meshwork_transport::{ConnectionAction, ConnectionEvent};

use crate::{Attack, Fault, network::Frame};

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When, in true time.
    pub at: Monotonic,
    /// On which node; none for what happens to the world.
    pub node: Option<usize>,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum What {
    /// A node was told something.
    Input(Input),
    /// A node asked for something.
    Effect(Effect),
    /// A frame came that another node had sent.
    Frame {
        /// Who.
        from: usize,
        /// When.
        sent: Monotonic,
        /// How many bytes.
        bytes: usize,
    },
    /// A hostile node sent a frame that its machines did not ask for.
    Attacks {
        /// To whom.
        to: usize,
        /// What it is up to.
        attack: Attack,
        /// How many bytes.
        bytes: usize,
    },
    /// A fault began.
    Begins(Fault),
    /// A fault ended.
    Ends(Fault),
    /// A node started.
    Starts,
    /// A node died.
    Dies,
    /// No more faults.
    Heals,
}

/// Takes note of every event of a run, in order.
#[derive(Default)]
pub struct Trace {
    hasher: Hasher,
    events: u64,
    listener: Option<Box<dyn FnMut(Entry)>>,
}

/// So much is hashed at once: a long piece takes a fraction of the time of many short ones.
const PIECE_BYTES: usize = 64 * 1024;

/// Hashes what it is told, a long piece at a time.
#[derive(Default)]
struct Hasher {
    hasher: blake3::Hasher,
    waiting: Vec<u8>,
}

impl Hasher {
    fn update(&mut self, bytes: &[u8]) -> &mut Self {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= PIECE_BYTES {
            self.hasher.update(&self.waiting);
            self.waiting.clear();
        }
        self
    }

    fn finish(&self) -> Hash {
        Hash(*self.hasher.clone().update(&self.waiting).finalize().as_bytes())
    }
}

impl Write for Hasher {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.update(text.as_bytes());
        Ok(())
    }
}

impl Trace {
    /// A trace that also hands every entry to somebody.
    pub fn with_listener(listener: impl FnMut(Entry) + 'static) -> Self {
        Self { listener: Some(Box::new(listener)), ..Self::default() }
    }

    /// A node is told something.
    pub(crate) fn input(&mut self, at: Monotonic, node: usize, input: &Input) {
        self.moment(at, Some(node));
        match input {
            Input::Connection { link, event: ConnectionEvent::Received { channel, frame } } => {
                self.number(link.0);
                self.number(channel.index() as u64);
                self.number(frame.len() as u64);
            }
            Input::Connection { link, event: ConnectionEvent::Sent { bytes, .. } } => {
                self.number(link.0);
                self.number(*bytes as u64);
            }
            input => self.text(input),
        }
        self.hear(at, Some(node), || What::Input(input.clone()));
    }

    /// A node asks for something.
    pub(crate) fn effect(&mut self, at: Monotonic, node: usize, effect: &Effect) {
        self.moment(at, Some(node));
        match effect {
            Effect::Connection { link, action: ConnectionAction::Transmit { channel, frame } } => {
                self.number(link.0);
                self.number(channel.index() as u64);
                self.hasher.update(frame);
            }
            Effect::Persist { write, rows } => {
                self.number(write.0);
                for row in rows {
                    self.hasher.update(&row.key).update(row.value.as_deref().unwrap_or_default());
                }
            }
            effect => self.text(effect),
        }
        self.hear(at, Some(node), || What::Effect(effect.clone()));
    }

    /// A frame comes: for listeners only, since what it holds was counted when it was sent.
    pub(crate) fn frame(&mut self, at: Monotonic, to: usize, from: usize, frame: &Frame) {
        self.hear(at, Some(to), || What::Frame { from, sent: frame.sent, bytes: frame.bytes.len() });
    }

    /// A hostile node sends a frame of its own making to a correct one.
    pub(crate) fn attack(
        &mut self,
        at: Monotonic,
        (from, to): (usize, usize),
        attack: Attack,
        frame: &Bytes,
    ) {
        self.moment(at, Some(from));
        self.number(to as u64);
        self.number(attack as u64);
        self.hasher.update(frame);
        self.hear(at, Some(from), || What::Attacks { to, attack, bytes: frame.len() });
    }

    /// Anything else happens.
    pub(crate) fn world(&mut self, at: Monotonic, node: Option<usize>, what: What) {
        self.moment(at, node);
        self.text(&what);
        self.hear(at, node, || what);
    }

    fn hear(&mut self, at: Monotonic, node: Option<usize>, what: impl FnOnce() -> What) {
        if let Some(listener) = &mut self.listener {
            listener(Entry { at, node, what: what() });
        }
    }

    fn moment(&mut self, at: Monotonic, node: Option<usize>) {
        self.events += 1;
        self.number(at.0);
        self.number(node.map_or(u64::MAX, |node| node as u64));
    }

    fn number(&mut self, number: u64) {
        self.hasher.update(&number.to_le_bytes());
    }

    fn text(&mut self, what: &impl fmt::Debug) {
        // Writing into a hasher cannot fail.
        let _ = write!(self.hasher, "{what:?}");
    }

    /// How many events there were.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// One hash for all of them: equal runs, equal hashes.
    pub fn hash(&self) -> Hash {
        self.hasher.finish()
    }
}
