//! The log: a disk that is slow and loses power, peers that lie, authors that contradict themselves, and copies
//! of this very store.

use std::collections::{BTreeMap, BTreeSet};

use meshwork_base::{Bytes, Dot, Hash, HybridTime, NodeId, ReplicaId, Seed, SessionId, Table, Tip, Version};
use meshwork_op_log::{Effect, Entry, EntryWriter, Input, Message, Range};
use meshwork_wire::encode;
use serde::{Deserialize, Serialize};

use super::session;
use crate::{
    Gullible, SPACE,
    log::{Disk, Log, document},
    read, script,
};

/// What may happen.
#[derive(Debug, Serialize, Deserialize)]
pub enum Step {
    /// We write, in units of 256 bytes, perhaps after something of others.
    Write { size: u8, depends: u8 },
    /// An author writes, having seen some of the others (a bit for each) or of us (bit 7).
    Author { author: u8, seen: u8, size: u8 },
    /// A copy of that author writes something else under the same numbers.
    Liar { author: u8 },
    /// A copy of our own store, of when it was last closed, writes; a peer brings it.
    Copy { peer: u8, count: u8 },
    /// A peer brings blocks of an author, or of its copy.
    Blocks { peer: u8, author: u8, of_liar: u8, from: u8, count: u8, wanted: u8 },
    /// A peer brings a proof.
    Proof { peer: u8, author: u8, first: u8, second: u8 },
    /// A peer says how far it holds an author; the truth, or a lie.
    Have { peer: u8, author: u8, sequence: u8, lie: u8, answer: u8 },
    /// A peer asks for our operations.
    Want { peer: u8, after: u8, credit: u8 },
    /// A peer compares.
    Digest { peer: u8, equal: u8, answer: u8 },
    /// A peer sends bytes.
    Raw { peer: u8 },
    /// A link is up.
    Up { peer: u8 },
    /// A link is gone.
    Down { peer: u8 },
    /// A link is full.
    Congested { peer: u8 },
    /// It has drained.
    Drained { peer: u8 },
    /// The application wants versions compared.
    Compare,
    /// The disk makes some writes durable.
    Sync { count: u8 },
    /// Power is lost, and comes back.
    Crash { kept: u8 },
    /// The log is closed, and, if the disk answers, opened again.
    Close { answer: u8 },
    /// Time passes.
    Pass { how: u8 },
}

impl script::Step for Step {
    const KINDS: u8 = 19;
}

/// Runs a fuzz input; in the end the log is closed and opened again.
pub fn run(data: &[u8]) {
    let mut world = World::new();
    for (step, bytes) in script::steps(data) {
        world.happen(step, bytes);
    }
    world.happen(Step::Crash { kept: 255 }, &[]);
    world.happen(Step::Close { answer: 1 }, &[]);
}

const AUTHORS: usize = 3;

/// One author, or its copy.
struct Author {
    writer: EntryWriter,
    entries: Vec<Entry>,
}

impl Author {
    fn new(number: usize) -> Self {
        let signer = Gullible::signer_of(NodeId([10 + number as u8; 32]));
        let writer = EntryWriter::new(SPACE, signer, &Seed::from_number(10 + number as u64));
        Self { writer, entries: Vec::new() }
    }

    fn write(&mut self, mut seen: Vec<Dot>, body: &[u8]) {
        seen.sort_unstable();
        seen.dedup_by_key(|dot| dot.replica);
        let entry = self.writer.write(seen, &document(), HybridTime::default(), body);
        self.entries.push(entry.expect("it is well-formed"));
    }

    fn last(&self) -> Option<Dot> {
        Some(self.entries.last()?.operations().last()?.dot)
    }

    fn entry(&self, chosen: u8) -> Option<&Entry> {
        self.entries.get(usize::from(chosen) % self.entries.len().max(1))
    }
}

struct World {
    log: Option<Log>,
    lives: u64,
    closed: bool,
    /// What the store was when it was last closed.
    copied: Disk,
    /// Each with its copy.
    authors: Vec<[Author; 2]>,
    linked: BTreeSet<SessionId>,
    /// How much we ever wrote.
    written: u64,
    /// What we sent of our own, in any life.
    left: BTreeSet<Dot>,
    /// What we wrote and heard nothing of yet.
    unanswered: BTreeMap<Dot, Bytes>,
    /// What we wrote and was acknowledged.
    acknowledged: BTreeSet<Bytes>,
    delivered: BTreeSet<Dot>,
    stored: Version,
    version: Version,
}

impl World {
    fn new() -> Self {
        let authors = (0..AUTHORS).map(|number| [Author::new(number), Author::new(number)]).collect();
        let (lives, copied, linked, written, left) = Default::default();
        let (unanswered, acknowledged, delivered, stored, version) = Default::default();
        let mut world = Self {
            log: None,
            lives,
            closed: false,
            copied,
            authors,
            linked,
            written,
            left,
            unanswered,
            acknowledged,
            delivered,
            stored,
            version,
        };
        world.open(Disk::new());
        world
    }

    /// A store that was valid opens, and holds all that was acknowledged.
    fn open(&mut self, disk: Disk) {
        self.lives += 1;
        let opened = Log::open_as(disk, self.lives, Gullible::signer(), Gullible::verifier());
        let mut log = opened.unwrap_or_else(|error| panic!("it does not open again: {error}"));
        self.closed = false;
        self.linked.clear();
        self.delivered.clear();
        self.unanswered.clear();
        assert!(log.machine().version().covers(&self.stored), "what was stored is there");
        let held: BTreeSet<Bytes> =
            log.machine().last_operations(usize::MAX).into_iter().map(|operation| operation.body).collect();
        assert!(self.acknowledged.is_subset(&held), "what was acknowledged is there");
        self.version = log.machine().version().clone();
        let effects = log.pass(0);
        self.log = Some(log);
        self.check(effects);
    }

    fn log(&mut self) -> &mut Log {
        self.log.as_mut().expect("it is open")
    }

    fn happen(&mut self, step: Step, bytes: &[u8]) {
        match step {
            Step::Write { size, depends } => self.write(size, depends),
            Step::Author { author, seen, size } => {
                let author = usize::from(author) % AUTHORS;
                let others = (0..AUTHORS).filter(|other| *other != author && seen & 1 << other != 0);
                let mut seen_dots: Vec<Dot> =
                    others.filter_map(|other| self.authors[other][0].last()).collect();
                let own = self.left.last().copied().filter(|_| seen & 0x80 != 0);
                seen_dots.extend(own);
                self.authors[author][0].write(seen_dots, &vec![seen; 1 + 256 * usize::from(size)]);
            }
            Step::Liar { author } => {
                self.authors[usize::from(author) % AUTHORS][1].write(Vec::new(), b"something else");
            }
            Step::Copy { peer, count } => self.copy(session(peer), count),
            Step::Blocks { peer, author, of_liar, from, count, wanted } => {
                let author = &self.authors[usize::from(author) % AUTHORS][usize::from(of_liar % 2)];
                let from = usize::from(from) % author.entries.len().max(1);
                let entries = author.entries.iter().skip(from).take(usize::from(count));
                let blocks = entries.map(|entry| entry.bytes().clone()).collect();
                self.hear(session(peer), Message::Blocks { wanted: wanted % 2 == 1, blocks });
            }
            Step::Proof { peer, author, first, second } => {
                let [one, other] = &self.authors[usize::from(author) % AUTHORS];
                let (Some(first), Some(second)) = (one.entry(first), other.entry(second)) else { return };
                let (first, second) = (first.bytes().clone(), second.bytes().clone());
                self.hear(session(peer), Message::Proof { first, second });
            }
            Step::Have { peer, author, sequence, lie, answer } => {
                self.have(session(peer), author, sequence, lie, answer)
            }
            Step::Want { peer, after, credit } => {
                let version = self.log().machine().version().clone();
                let ranges = version.iter().map(|(replica, tip)| Range {
                    replica: *replica,
                    after: u64::from(after).min(tip.sequence),
                    tip: *tip,
                });
                let credit_bytes = 1 << (credit % 64);
                self.hear(session(peer), Message::Want { ranges: ranges.collect(), credit_bytes });
            }
            Step::Digest { peer, equal, answer } => {
                let digest =
                    if equal % 2 == 1 { self.log().machine().version().digest() } else { Hash::ZERO };
                self.hear(session(peer), Message::Digest { digest, answer: answer % 2 == 1 });
            }
            Step::Raw { peer } => {
                read(bytes).into_iter().for_each(|message| self.hear(session(peer), message))
            }
            Step::Up { peer } => {
                self.linked.insert(session(peer));
                self.tell(Input::PeerUp { peer: session(peer) });
            }
            Step::Down { peer } => {
                self.linked.remove(&session(peer));
                self.tell(Input::PeerDown { peer: session(peer) });
            }
            Step::Congested { peer } => self.tell(Input::Congested { peer: session(peer) }),
            Step::Drained { peer } => self.tell(Input::Drained { peer: session(peer) }),
            Step::Compare => self.tell(Input::Sync),
            Step::Sync { count } => {
                for _ in 0..count {
                    let Some(effects) = self.log().sync() else { break };
                    self.check(effects);
                }
            }
            Step::Crash { kept } => {
                let log = self.log.take().expect("it is open");
                self.open(log.crash(kept.into()));
            }
            Step::Close { answer } => self.close(answer % 2 == 1),
            Step::Pass { how } => {
                let effects = self.log().pass(how);
                self.check(effects);
            }
        }
    }

    fn tell(&mut self, input: Input) {
        let effects = self.log().tell(input);
        self.check(effects);
    }

    fn hear(&mut self, from: SessionId, message: Message) {
        self.tell(Input::Received { from, message });
    }

    fn write(&mut self, size: u8, depends: u8) {
        self.written += 1;
        let body = [&self.written.to_le_bytes()[..], &vec![size; 256 * usize::from(size)]].concat();
        let own = self.log().machine().incarnation().replica;
        let seen = self.delivered.iter().rev().find(|dot| depends % 2 == 1 && dot.replica != own);
        let seen = seen.copied().into_iter().collect();
        let operation = self.log().next_operation(seen, &body);
        // While it closes it takes no more.
        let before = self.log().machine().incarnation();
        let effects = self.log().tell(Input::Append(vec![operation.clone()]));
        if self.log().machine().incarnation() != before {
            // One that was neither sent nor acknowledged may be lost, and its id free again.
            let is_used = self.left.contains(&operation.dot) || self.stored.contains(operation.dot);
            assert!(!is_used, "an operation's id is used twice");
            self.delivered.insert(operation.dot);
            self.unanswered.insert(operation.dot, operation.body);
        }
        self.check(effects);
    }

    fn copy(&mut self, peer: SessionId, count: u8) {
        self.lives += 1;
        let seed = 1_000_000 + self.lives;
        let opened = Log::open_as(self.copied.clone(), seed, Gullible::signer(), Gullible::verifier());
        let mut copy = opened.expect("what was closed opens");
        (0..count % 4).for_each(|number| drop(copy.write(&[b"copy"[..].to_vec(), vec![number]].concat())));
        let new = copy
            .disk
            .into_iter()
            .filter(|(key, value)| key.0 == Table::Blocks && self.copied.get(key) != Some(value));
        let blocks = new.map(|(_, value)| value).collect();
        self.hear(peer, Message::Blocks { wanted: false, blocks });
    }

    fn have(&mut self, peer: SessionId, author: u8, sequence: u8, lie: u8, answer: u8) {
        let entry = self
            .authors
            .get(usize::from(author) % (AUTHORS + 1))
            .and_then(|[author, _]| author.entry(sequence));
        let told = match entry.and_then(|entry| entry.operations().last()) {
            Some(last) => (last.dot.replica, Tip { sequence: last.dot.sequence, hash: last.hash }),
            None => {
                let own: ReplicaId = self.log().machine().incarnation().replica;
                (own, Tip { sequence: u64::from(sequence).max(1), hash: Hash::ZERO })
            }
        };
        let tip = Tip { sequence: told.1.sequence.saturating_add(lie.into()), ..told.1 };
        self.hear(peer, Message::Have { entries: vec![(told.0, tip)], answer_wanted: answer % 2 == 1 });
    }

    fn close(&mut self, answer: bool) {
        self.tell(Input::Close);
        if answer {
            while let Some(effects) = self.log().sync() {
                self.check(effects);
            }
            assert!(self.closed, "a disk that answers lets a log close");
            self.copied = self.log.take().expect("it is open").crash(0);
            self.open(self.copied.clone());
        }
    }

    fn check(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Rebuild => self.rebuilt(),
                Effect::Closed => self.closed = true,
                Effect::Deliver(operations) => {
                    for operation in operations {
                        let Dot { replica, sequence } = operation.dot;
                        let before = (sequence > 1).then(|| Dot::new(replica, sequence - 1));
                        let mut past = operation.dependencies.iter().copied().chain(before);
                        assert!(past.all(|dot| self.delivered.contains(&dot)), "{} is early", operation.dot);
                        assert!(self.delivered.insert(operation.dot), "{} comes twice", operation.dot);
                    }
                }
                Effect::Stored { version } => {
                    assert!(version.covers(&self.stored), "what is stored stays");
                    let answered = self.unanswered.extract_if(.., |dot, _| version.contains(*dot));
                    self.acknowledged.extend(answered.map(|(_, body)| body));
                    self.stored = version;
                }
                Effect::Send { to, message, .. } => {
                    assert!(self.linked.contains(&to), "it speaks to nobody");
                    assert!(encode(&message).is_ok(), "what it says can be sent");
                    self.sent(message);
                }
                _ => {}
            }
        }
        let version = self.log().machine().version().clone();
        assert!(version.covers(&self.version), "a version does not go back");
        self.version = version;
    }

    /// A copy of this store was met: what it cut off of our replica is written again under another.
    fn rebuilt(&mut self) {
        self.delivered.clear();
        self.unanswered.clear();
        let left = self.log().machine().stored_version().clone();
        let lower = |(replica, tip): (&ReplicaId, &Tip)| Some((*replica, *left.tip(replica)?.min(tip)));
        self.stored = self.stored.iter().filter_map(lower).collect();
        self.version = Version::default();
    }

    /// What we wrote leaves only when what it depends on is durable.
    fn sent(&mut self, message: Message) {
        let Message::Blocks { blocks, .. } = message else { return };
        for block in blocks {
            let entry = Entry::read(SPACE, block).expect("a block that is sent is one");
            for operation in entry.operations().iter().filter(|operation| operation.author == crate::OWN) {
                assert!(
                    operation.dependencies.iter().all(|dot| self.stored.contains(*dot)),
                    "{}",
                    operation.dot
                );
                self.left.insert(operation.dot);
            }
        }
    }
}
