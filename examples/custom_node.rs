//! A durable store of documents, composed from chosen crates: no hub, no links, no actors.
//!
//! Two machines, a queue between them, and a writer that makes durable what they want kept.
//!
//! `cargo run -p meshwork-examples --example custom_node`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    collections::VecDeque,
    error::Error,
    path::Path,
    sync::{Arc, mpsc},
    time::Duration,
};

use meshwork_base::{DocumentId, Dot, Machine as _, Seed, SpaceId, step};
use meshwork_crdt_state::{self as crdt_state, Documents, Edit, RequestId};
use meshwork_identity::{Ed25519, NodeKey};
use meshwork_op_log::{self as op_log, OpLog};
use meshwork_shell::Clock;
use meshwork_storage::{Answer, RedbStore, Store as _, Writer};

type Failure = Box<dyn Error>;

/// What a machine is told; the log, when it is its timeout, nothing.
enum Task {
    Log(Option<op_log::Input>),
    Documents(crdt_state::Input),
}

struct Store {
    log: OpLog,
    documents: Documents,
    writer: Writer,
    answers: mpsc::Receiver<Answer>,
    clock: Clock,
    closed: bool,
}

impl Store {
    /// Opens the store in `folder`, with all that it holds.
    fn open(folder: &Path, space: SpaceId, key: &NodeKey) -> Result<Self, Failure> {
        let rows = RedbStore::open(folder)?;
        let clock = Clock::system();
        let context = op_log::Context { space, signer: Arc::new(key.clone()), verifier: Arc::new(Ed25519) };
        let log = OpLog::open(op_log::Config::default(), context, clock.now(), fresh_seed()?, rows.load()?)?;
        let (answer, answers) = mpsc::channel();
        // Nobody listens any more once the store is closed.
        let writer = Writer::spawn(Box::new(rows), move |it| drop(answer.send(it)));
        let documents = Documents::new(crdt_state::Config::default());
        let mut store = Self { log, documents, writer, answers, clock, closed: false };
        // The log has its first effects ready: who authors from now on, and the operations that were stored.
        store.run(Task::Log(None))?;
        Ok(store)
    }

    /// Feeds one task and everything that follows from it. Returns what an edit became.
    fn run(&mut self, task: Task) -> Result<Option<Dot>, crdt_state::EditError> {
        let Self { log, documents, writer, closed, .. } = self;
        let now = self.clock.now();
        let mut edited = Ok(None);
        let mut tasks = VecDeque::from([task]);
        while let Some(task) = tasks.pop_front() {
            match task {
                Task::Documents(input) => step(documents, now, Some(input), |effect| match effect {
                    crdt_state::Effect::Append(new) => {
                        tasks.push_back(Task::Log(Some(op_log::Input::Append(new))));
                    }
                    crdt_state::Effect::Edited { result, .. } => edited = result.map(Some),
                    _ => {}
                }),
                Task::Log(input) => {
                    let mut tell = |input| tasks.push_back(Task::Documents(input));
                    step(log, now, input, |effect| match effect {
                        op_log::Effect::Incarnation(it) => tell(crdt_state::Input::Incarnation(it)),
                        op_log::Effect::Deliver(operations) => tell(crdt_state::Input::Deliver(operations)),
                        op_log::Effect::Rebuild => tell(crdt_state::Input::Rebuild),
                        op_log::Effect::Persist { write, rows } => writer.write(write, rows),
                        op_log::Effect::Closed => *closed = true,
                        // What remains is about peers, and there are none.
                        _ => {}
                    })
                }
            };
        }
        edited
    }

    /// Waits for the writer's next answer, or until the log wants to be woken.
    fn wait(&mut self) -> Result<(), Failure> {
        let now = self.clock.now().monotonic;
        let patience = self.log.poll_timeout().map_or(Duration::MAX, |deadline| deadline.at.since(now));
        let task = match self.answers.recv_timeout(patience) {
            Ok(Answer::Persisted { up_to }) => Task::Log(Some(op_log::Input::Persisted { write: up_to })),
            Ok(Answer::Failed { reason }) => return Err(reason.into()),
            // Stalled or recovered: the writer keeps what it was given, and tries again.
            Ok(_) => return Ok(()),
            Err(mpsc::RecvTimeoutError::Timeout) => Task::Log(None),
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err("the writer is gone".into()),
        };
        self.run(task)?;
        Ok(())
    }

    /// Edits a document, and returns when the edit is on disk.
    fn edit(&mut self, document: &DocumentId, edits: Vec<Edit>) -> Result<(), Failure> {
        let (request, document) = (RequestId::default(), document.clone());
        let edited = self.run(Task::Documents(crdt_state::Input::Edit { request, document, edits }))?;
        while edited.is_some_and(|dot| !self.log.stored_version().contains(dot)) {
            self.wait()?;
        }
        Ok(())
    }

    fn close(mut self) -> Result<(), Failure> {
        self.run(Task::Log(Some(op_log::Input::Close)))?;
        while !self.closed {
            self.wait()?;
        }
        Ok(self.writer.close()?)
    }
}

fn fresh_seed() -> Result<Seed, Failure> {
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy)?;
    Ok(Seed::new(entropy))
}

fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    // A real program keeps both: the log belongs to one key and one space for ever.
    let (key, space) = (NodeKey::from_seed(&fresh_seed()?), SpaceId(fresh_seed()?.random().bytes()));
    let books = DocumentId::new("books")?;

    let mut store = Store::open(folder.path(), space, &key)?;
    for (title, year) in [("Notes", 1843), ("Sketch", 1842)] {
        store.edit(&books, vec![Edit::set([title, "year"], year), Edit::increment(["count"], 1)])?;
    }
    let before = store.documents.state_hash();
    println!("{} operations on disk", store.log.operations());
    store.close()?;

    let store = Store::open(folder.path(), space, &key)?;
    println!("opened again: {}", store.documents.document(&books).map(|it| it.to_json()).unwrap_or_default());
    assert_eq!((store.log.operations(), store.documents.state_hash()), (2, before));
    store.close()
}
