//! Operations of a hostile author: validly signed ones that no correct node writes, and forged ones.

use std::sync::Arc;

use meshwork::{
    Bytes, DocumentId, Documents, Dot, Edit, HybridTime, Incarnation, NodeId, Random, ReplicaId, RequestId,
    Seed, SpaceId, Timestamp, Tip, Value, step,
};
use meshwork_crdt_state as documents;
use meshwork_identity::{KeyedHash, Purpose, Signature, Signer};
use meshwork_op_log::{Entry, EntryWriter};

use super::{Ledger, View};

/// Where a block says who signed it, under which nonce, from which operation on, and what precedes that.
const AUTHOR: std::ops::Range<usize> = 17..49;
const NONCE: std::ops::Range<usize> = 49..65;
const FIRST: std::ops::Range<usize> = 65..73;
const PREVIOUS: std::ops::Range<usize> = 73..105;
/// Where its operations begin, and what follows them.
const OPERATIONS: usize = 107;
const SIGNATURE_BYTES: usize = 64;
/// The most operations of one of two branches.
const BRANCH_MAX: u64 = 3;

/// Who is said to have signed a block.
pub(super) fn of(block: &Bytes) -> Option<NodeId> {
    block.get(AUTHOR)?.try_into().ok().map(NodeId)
}

/// Writes blocks under a replica of its own, one operation each.
pub(super) struct Author(EntryWriter);

impl Author {
    /// Two authors of one seed contradict each other.
    pub(super) fn new(space: SpaceId, signer: Arc<dyn Signer>, seed: &Seed) -> Self {
        Self(EntryWriter::new(space, signer, seed))
    }

    pub(super) fn write(
        &mut self,
        random: &mut Random,
        wall_ms: u64,
        dependencies: Vec<Dot>,
    ) -> Option<Entry> {
        let (document, body) = body(random);
        let time = HybridTime { wall_ms, counter: 0 };
        self.0.write(dependencies, &document, time, &body).ok()
    }
}

/// Signs with its own key in the name of another.
struct Impostor {
    named: NodeId,
    keys: Arc<KeyedHash>,
}

impl Signer for Impostor {
    fn node(&self) -> NodeId {
        self.named
    }

    fn sign(&self, purpose: Purpose, message: &[u8]) -> Signature {
        self.keys.sign(purpose, message)
    }
}

/// The operation that follows `tip`, in the replica that wrote `block`; signed by somebody else.
pub(super) fn continued(
    random: &mut Random,
    space: SpaceId,
    keys: &Arc<KeyedHash>,
    (block, tip): (&Bytes, Tip),
    wall_ms: u64,
) -> Option<Entry> {
    let named = of(block)?;
    let impostor = Arc::new(Impostor { named, keys: keys.clone() });
    let mut author = Author::new(space, impostor, &Seed::from_number(random.number()));
    let mut bytes = author.write(random, wall_ms, Vec::new())?.bytes().to_vec();
    bytes.get_mut(NONCE)?.copy_from_slice(block.get(NONCE)?);
    bytes.get_mut(FIRST)?.copy_from_slice(&(tip.sequence + 1).to_le_bytes());
    bytes.get_mut(PREVIOUS)?.copy_from_slice(&tip.hash.0);
    Entry::read(space, bytes.into()).ok()
}

/// A first operation of a new replica in the name of another node.
pub(super) fn named(
    random: &mut Random,
    space: SpaceId,
    keys: &Arc<KeyedHash>,
    victim: NodeId,
    wall_ms: u64,
) -> Option<Entry> {
    let impostor = Arc::new(Impostor { named: victim, keys: keys.clone() });
    Author::new(space, impostor, &Seed::from_number(random.number())).write(random, wall_ms, Vec::new())
}

/// The block with one bit of its operations changed.
pub(super) fn tampered(random: &mut Random, block: &Bytes) -> Option<Bytes> {
    let operations = block.len().checked_sub(OPERATIONS + SIGNATURE_BYTES).filter(|length| *length > 0)?;
    let mut bytes = block.to_vec();
    bytes[OPERATIONS + random.below(operations as u64) as usize] ^= 1 << random.below(8);
    Some(bytes.into())
}

/// The replica of a block, if it can be read.
pub(super) fn replica(space: SpaceId, block: &Bytes) -> Option<ReplicaId> {
    let entry = Entry::read(space, block.clone()).ok()?;
    entry.operations().first().map(|operation| operation.dot.replica)
}

/// A valid transaction that meets those of the others.
fn body(random: &mut Random) -> (DocumentId, Bytes) {
    let name = ["users", "chats"][random.below(2) as usize];
    // Both names are valid.
    let document = DocumentId::new(name).unwrap_or_else(|error| unreachable!("{error}"));
    let path = |key: &str| vec!["entry 1".to_owned(), key.to_owned()];
    let number = random.below(1_000) as i64;
    let edit = match random.below(4) {
        0 => Edit::Set { path: path("register"), value: Value::Int(number) },
        1 => Edit::Assign { path: path("last"), value: Value::Int(number) },
        2 => Edit::Increment { path: path("counter"), by: number },
        _ => Edit::Add { path: path("set"), value: Value::Int(number) },
    };
    let mut documents = Documents::new(documents::Config::default());
    let incarnation = Incarnation { replica: ReplicaId::default(), epoch: 1, next_sequence: 1 };
    let edit = documents::Input::Edit {
        request: RequestId::default(),
        document: document.clone(),
        edits: vec![edit],
    };
    let mut body = Bytes::new();
    for input in [documents::Input::Incarnation(incarnation), edit] {
        step(&mut documents, Timestamp::default(), Some(input), |effect| {
            if let documents::Effect::Append(operations) = effect {
                body = operations.into_iter().next().map(|operation| operation.body).unwrap_or_default();
            }
        });
    }
    (document, body)
}

/// Two branches of one new replica, each of a few operations.
pub(super) fn branches(random: &mut Random, view: &View<'_>, ledger: &mut Ledger) -> [Vec<Bytes>; 2] {
    let seed = Seed::from_number(random.number());
    let mut branches: [Vec<Bytes>; 2] = Default::default();
    for (side, branch) in (0..).zip(&mut branches) {
        let mut author = Author::new(view.space, view.keys.clone(), &seed);
        for _ in 0..1 + random.below(BRANCH_MAX) {
            let dependencies = known(random, view);
            let Some(entry) = author.write(random, view.now.wall_ms + side, dependencies) else { break };
            if let Some(first) = entry.operations().first().filter(|_| branch.is_empty()) {
                ledger.branched.insert(first.dot.replica, first.dot);
            }
            branch.push(entry.bytes().clone());
        }
    }
    branches
}

/// Some operations that others have.
pub(super) fn known(random: &mut Random, view: &View<'_>) -> Vec<Dot> {
    let dots = view.log.version().iter().map(|(replica, tip)| Dot::new(*replica, tip.sequence));
    dots.filter(|_| random.chance(0.2)).collect()
}
