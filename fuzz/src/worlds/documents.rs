//! Documents: three replicas that edit, get each other's operations in any causal order, and start again.

use meshwork_base::{Bytes, DocumentId, Dot, Hash, HybridTime, NodeId, ReplicaId};
use meshwork_crdt_state::{Config, Documents, Edit, Effect, Input, RequestId, Value};
use meshwork_op_log::{Incarnation, NewOperation, Operation};
use serde::{Deserialize, Serialize};

use crate::{Driven, script};

/// What may happen. Paths, values and kinds of edits are chosen from a few, so that they meet.
#[derive(Debug, Serialize, Deserialize)]
pub enum Step {
    /// A replica edits.
    Edit { at: u8, document: u8, kind: u8, path: u8, value: u8 },
    /// A replica edits several times in one transaction.
    Transaction { at: u8, first: u8, second: u8, path: u8, value: u8 },
    /// A replica makes several transactions at once.
    Many { at: u8, first: u8, second: u8, path: u8, value: u8 },
    /// A replica gets the operations of another that it lacks, as far as they are ready.
    Deliver { at: u8, author: u8 },
    /// A stranger writes bytes, having seen everything or nothing.
    Stranger { has_seen: u8, time: u8 },
    /// A replica's documents start again from its log.
    Rebuild { at: u8 },
    /// A replica ends and another begins.
    Incarnation { at: u8 },
    /// Time passes at a replica.
    Pass { at: u8, how: u8 },
}

impl script::Step for Step {
    const KINDS: u8 = 8;
}

/// Runs a fuzz input. At its end everybody gets everything, and holds the same.
pub fn run(data: &[u8]) {
    let mut world = World::new();
    for (step, bytes) in script::steps(data) {
        world.happen(step, bytes);
    }
    for at in 0..REPLICAS {
        while world.deliver_from(at, |_| true) {}
    }
    let hashes = world.replicas.each_ref().map(Replica::state_hash);
    assert_eq!(hashes, [hashes[0]; REPLICAS], "who has the same operations holds the same");
    for at in 0..REPLICAS {
        world.rebuild(at);
        assert_eq!(world.replicas[at].state_hash(), hashes[0], "starting again leads to the same");
    }
}

const REPLICAS: usize = 3;

struct World {
    /// Everything that anybody wrote, in the order in which it was written.
    written: Vec<Operation>,
    replicas: [Replica; REPLICAS],
    incarnations: u8,
    /// The stranger's last sequence.
    strange: u64,
}

struct Replica {
    documents: Driven<Documents>,
    id: ReplicaId,
    /// The places in `written` of what it has, in the order in which it came.
    held: Vec<usize>,
}

impl Replica {
    fn state_hash(&self) -> Hash {
        self.documents.machine().state_hash()
    }
}

const STRANGER: ReplicaId = ReplicaId([255; 16]);

fn document(chosen: u8) -> DocumentId {
    DocumentId::new(["app", "users"][usize::from(chosen % 2)]).expect("a short name")
}

fn path(chosen: u8) -> Vec<String> {
    let keys = ["a", "b", "c"];
    let depth = usize::from(chosen / 64);
    (0..depth).map(|level| keys[usize::from(chosen >> (2 * level)) % keys.len()].to_owned()).collect()
}

fn value(chosen: u8) -> Value {
    let number = i64::from(chosen >> 3);
    match chosen % 8 {
        0 => Value::Null,
        1 => Value::Bool(number > 7),
        2 => Value::Int(number),
        3 => Value::Float(number as f64 / 4.0),
        4 => Value::Text(format!("text {number}")),
        5 => Value::Bytes(Bytes::from(vec![chosen])),
        6 => Value::Number(format!("{number}.000000000000000000001")),
        _ => Value::List(vec![Value::Int(number), Value::Map(vec![("k".into(), Value::Null)])]),
    }
}

fn edit(kind: u8, chosen: u8, of: u8) -> Edit {
    let (path, value) = (path(chosen), value(of));
    match kind % 7 {
        0 => Edit::Set { path, value },
        1 => Edit::Assign { path, value },
        2 => Edit::MakeMap { path },
        3 => Edit::Delete { path },
        4 => Edit::Increment { path, by: i64::from(of as i8) },
        5 => Edit::Add { path, value },
        _ => Edit::Remove { path, value },
    }
}

impl World {
    fn new() -> Self {
        let replicas = std::array::from_fn(|_| Replica {
            documents: Driven::new(|| Documents::new(Config::default())),
            id: ReplicaId::default(),
            held: Vec::new(),
        });
        let mut world = Self { written: Vec::new(), replicas, incarnations: 0, strange: 0 };
        (0..REPLICAS).for_each(|at| world.begin(at));
        world
    }

    fn happen(&mut self, step: Step, bytes: &[u8]) {
        match step {
            Step::Edit { at, document: chosen, kind, path, value } => {
                self.edit(at, document(chosen), vec![edit(kind, path, value)]);
            }
            Step::Transaction { at, first, second, path, value } => {
                let edits = vec![edit(first, path, value), edit(second, path.rotate_left(2), value)];
                self.edit(at, document(0), edits);
            }
            Step::Many { at, first, second, path, value } => {
                let transactions = vec![vec![edit(first, path, value)], vec![edit(second, path, value)]];
                let request = RequestId(7);
                let edits = Input::EditMany { request, document: document(0), transactions };
                let effects = self.feed(at, edits);
                let answered = |effect: &Effect| matches!(effect, Effect::EditedMany { request: RequestId(7), results } if results.len() == 2);
                assert_eq!(effects.iter().filter(|effect| answered(effect)).count(), 1);
            }
            Step::Deliver { at, author } => {
                let author = self.replicas.get(usize::from(author) % (REPLICAS + 1)).map(|author| author.id);
                let author = author.unwrap_or(STRANGER);
                while self.deliver_from(usize::from(at) % REPLICAS, |by| by == author) {}
            }
            Step::Stranger { has_seen, time } => self.write_strange(has_seen, time, bytes),
            Step::Rebuild { at } => self.rebuild(usize::from(at) % REPLICAS),
            Step::Incarnation { at } => self.begin(usize::from(at) % REPLICAS),
            Step::Pass { at, how } => {
                let effects = self.replicas[usize::from(at) % REPLICAS].documents.pass(how);
                assert!(effects.is_empty(), "documents have no timers");
            }
        }
    }

    fn begin(&mut self, at: usize) {
        // The stranger's id is nobody else's.
        self.incarnations = (self.incarnations + 1) % 254;
        let replica = ReplicaId([self.incarnations; 16]);
        let last = self.written.iter().filter(|operation| operation.dot.replica == replica).count() as u64;
        if last > 0 {
            return;
        }
        self.replicas[at].id = replica;
        let incarnation = Incarnation { replica, epoch: self.incarnations.into(), next_sequence: 1 };
        self.replicas[at].documents.feed(Input::Incarnation(incarnation));
    }

    /// An edit is answered; one that is refused changes nothing.
    fn edit(&mut self, at: u8, document: DocumentId, edits: Vec<Edit>) {
        let replica = usize::from(at) % REPLICAS;
        let (before, written) = (self.replicas[replica].state_hash(), self.written.len());
        let effects = self.feed(at, Input::Edit { request: RequestId(7), document, edits });
        let answer = effects.iter().find_map(|effect| match effect {
            Effect::Edited { request: RequestId(7), result } => Some(result),
            _ => None,
        });
        match answer.expect("an edit is answered") {
            Ok(dot) => assert_eq!(self.written.last().map(|operation| operation.dot), Some(*dot)),
            Err(_) => {
                assert_eq!(self.written.len(), written);
                assert_eq!(self.replicas[replica].state_hash(), before, "a refused edit changes nothing");
            }
        }
    }

    fn feed(&mut self, at: u8, input: Input) -> Vec<Effect> {
        let replica = &mut self.replicas[usize::from(at) % REPLICAS];
        let effects = replica.documents.feed(input);
        for effect in &effects {
            let Effect::Append(operations) = effect else { continue };
            for NewOperation { dot, dependencies, document, time, body } in operations.clone() {
                let own = self.written.iter().filter(|before| before.dot.replica == dot.replica).count();
                assert_eq!(dot, Dot::new(replica.id, own as u64 + 1), "operations are numbered without gaps");
                replica.held.push(self.written.len());
                let (author, hash) = (NodeId(dot.replica.0.repeat(2).try_into().expect("32")), Hash::ZERO);
                self.written.push(Operation { dot, author, dependencies, document, time, body, hash });
            }
        }
        effects
    }

    fn write_strange(&mut self, has_seen: u8, time: u8, body: &[u8]) {
        self.strange += 1;
        let dot = Dot::new(STRANGER, self.strange);
        let mut seen: Vec<Dot> = Vec::new();
        for operation in self.written.iter().filter(|by| has_seen % 2 == 1 && by.dot.replica != STRANGER) {
            seen.retain(|dot| dot.replica != operation.dot.replica);
            seen.push(operation.dot);
        }
        seen.sort_unstable();
        let time = HybridTime { wall_ms: u64::from(time) << (time / 4), counter: 0 };
        let (author, body) = (NodeId([255; 32]), Bytes::copy_from_slice(body));
        let document = document(self.strange as u8);
        self.written.push(Operation {
            dot,
            author,
            dependencies: seen,
            document,
            time,
            body,
            hash: Hash::ZERO,
        });
    }

    /// Delivers the next operation of these authors to a replica, if one is ready.
    fn deliver_from(&mut self, at: usize, is_author: impl Fn(ReplicaId) -> bool) -> bool {
        let replica = &mut self.replicas[at];
        let holds = |dot: Dot| replica.held.iter().any(|held| self.written[*held].dot == dot);
        let ready = |operation: &Operation| {
            let Dot { replica, sequence } = operation.dot;
            is_author(replica)
                && !holds(operation.dot)
                && (sequence == 1 || holds(Dot::new(replica, sequence - 1)))
                && operation.dependencies.iter().all(|dot| holds(*dot))
        };
        let Some(next) = self.written.iter().position(ready) else { return false };
        replica.held.push(next);
        replica.documents.feed(Input::Deliver(vec![self.written[next].clone()]));
        true
    }

    /// Everything again, in the order in which it came; and once more, which changes nothing.
    fn rebuild(&mut self, at: usize) {
        let replica = &mut self.replicas[at];
        let before = replica.state_hash();
        replica.documents.feed(Input::Rebuild);
        let all: Vec<_> = replica.held.iter().map(|held| self.written[*held].clone()).collect();
        replica.documents.feed(Input::Deliver(all.clone()));
        replica.documents.feed(Input::Deliver(all));
        assert_eq!(replica.state_hash(), before, "starting again leads to the same");
    }
}
