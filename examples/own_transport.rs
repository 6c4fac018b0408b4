//! The log and the documents over a transport of your own: here two threads that write each other letters.
//!
//! All that has to travel is a version ("this is what I have") and blocks ("this is what you lack"). Blocks are signed
//! and chained, so it does not matter who carries them, in which order, or how often.
//!
//! `cargo run -p meshwork-examples --example own_transport`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    collections::VecDeque,
    error::Error,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use meshwork_base::{Bytes, DocumentId, Hash, Seed, SpaceId, Version, step};
use meshwork_crdt_state::{self as crdt_state, Documents, Edit, RequestId};
use meshwork_identity::{Ed25519, NodeKey};
use meshwork_op_log::{self as op_log, OpLog};
use meshwork_shell::Clock;

type Failure = Box<dyn Error + Send + Sync>;

/// What travels. Over a network, `meshwork_wire::encode` or anything else of serde's makes bytes of it.
enum Letter {
    Have(Version),
    Blocks(Vec<Bytes>),
}

/// What a machine is told; the log, when it is its timeout, nothing.
enum Task {
    Log(Option<op_log::Input>),
    Documents(crdt_state::Input),
}

/// A log and its documents, in memory.
struct Replica {
    log: OpLog,
    documents: Documents,
    clock: Clock,
}

impl Replica {
    fn new(space: SpaceId, seed: &Seed) -> Result<Self, Failure> {
        let key = Arc::new(NodeKey::from_seed(seed));
        let context = op_log::Context { space, signer: key, verifier: Arc::new(Ed25519) };
        // Signs every edit by itself, without waiting for others to sign along with it.
        let config = op_log::Config { flush_interval_ms: 0, ..op_log::Config::default() };
        let clock = Clock::system();
        let log = OpLog::open(config, context, clock.now(), seed.fork("log"), [])?;
        let mut replica = Self { log, documents: Documents::new(crdt_state::Config::default()), clock };
        replica.run(Task::Log(None));
        Ok(replica)
    }

    /// Feeds one task and everything that follows from it.
    fn run(&mut self, task: Task) {
        let now = self.clock.now();
        let mut tasks = VecDeque::from([task]);
        while let Some(task) = tasks.pop_front() {
            let mut then = |task| tasks.push_back(task);
            match task {
                Task::Documents(input) => {
                    step(&mut self.documents, now, Some(input), |effect| match effect {
                        crdt_state::Effect::Append(new) => then(Task::Log(Some(op_log::Input::Append(new)))),
                        crdt_state::Effect::Edited { result: Err(error), .. } => println!("refused: {error}"),
                        _ => {}
                    })
                }
                Task::Log(input) => step(&mut self.log, now, input, |effect| match effect {
                    op_log::Effect::Incarnation(it) => {
                        then(Task::Documents(crdt_state::Input::Incarnation(it)))
                    }
                    op_log::Effect::Deliver(all) => then(Task::Documents(crdt_state::Input::Deliver(all))),
                    op_log::Effect::Rebuild => then(Task::Documents(crdt_state::Input::Rebuild)),
                    // Nothing outlives this process, so there is nothing to wait for.
                    op_log::Effect::Persist { write, .. } => {
                        then(Task::Log(Some(op_log::Input::Persisted { write })));
                    }
                    _ => {}
                }),
            };
        }
    }

    fn edit(&mut self, document: &DocumentId, edits: Vec<Edit>) {
        let (request, document) = (RequestId::default(), document.clone());
        self.run(Task::Documents(crdt_state::Input::Edit { request, document, edits }));
    }

    /// Tells the other what is here, sends what it lacks, and takes what it sends.
    fn exchange(&mut self, letters: &Sender<Letter>, mail: &Receiver<Letter>) -> Result<usize, Failure> {
        letters.send(Letter::Have(self.log.version().clone()))?;
        loop {
            match mail.recv()? {
                Letter::Have(version) => letters.send(Letter::Blocks(self.log.blocks_since(&version)))?,
                Letter::Blocks(blocks) => {
                    let operations = self.log.merge(self.clock.now(), blocks)?;
                    let count = operations.len();
                    self.run(Task::Documents(crdt_state::Input::Deliver(operations)));
                    self.run(Task::Log(None));
                    return Ok(count);
                }
            }
        }
    }
}

/// Edits alone, then meets the other one.
fn live(
    name: &str,
    space: SpaceId,
    seed: &Seed,
    letters: &Sender<Letter>,
    mail: &Receiver<Letter>,
) -> Result<Hash, Failure> {
    let mut replica = Replica::new(space, &seed.fork(name))?;
    let list = DocumentId::new("shopping")?;
    replica
        .edit(&list, vec![Edit::add(["items"], "bread"), Edit::add(["items"], format!("what {name} likes"))]);
    replica.edit(&list, vec![Edit::increment(["budget"], 10)]);
    let received = replica.exchange(letters, mail)?;
    let shown = replica.documents.document(&list).map(|list| list.to_json()).unwrap_or_default();
    println!("{name} received {received} operations and sees {shown}");
    assert_eq!((received, &shown["budget"]), (2, &20.into()));
    Ok(replica.documents.state_hash())
}

fn main() -> Result<(), Failure> {
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy)?;
    let seed = Seed::new(entropy);
    let space = SpaceId(seed.fork("space").random().bytes());
    let (to_bob, at_bob) = channel();
    let (to_ada, at_ada) = channel();
    let bobs_seed = seed.clone();
    let bob = thread::spawn(move || live("bob", space, &bobs_seed, &to_ada, &at_bob));
    let ada = live("ada", space, &seed, &to_bob, &at_ada)?;
    let bob = bob.join().map_err(|_| "bob's thread panicked")??;
    assert_eq!(ada, bob, "both hold the same operations, so both show the same");
    println!("both at {ada}");
    Ok(())
}
