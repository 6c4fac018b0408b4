//! The append-only store: the smallest thing that can hold and exchange signed operations.
//!
//! For people who keep or carry operations by means of their own: a store holds [`Entry`]s, names them by hash, and any
//! two stores, wherever they are, bring each other up to date through [`pull_from`](AppendOnlyStore::pull_from) and
//! [`push_to`](AppendOnlyStore::push_to). No machine, no links. What a store holds goes into a log through
//! [`OpLog::merge`](crate::OpLog::merge), and what a log holds comes out through
//! [`OpLog::blocks_since`](crate::OpLog::blocks_since).
//!
//! ```
//! use meshwork_base::{DocumentId, HybridTime, Seed, SpaceId};
//! use meshwork_identity::{Ed25519, NodeKey};
//! use meshwork_op_log::{AppendOnlyStore, EntryWriter, MemoryStore};
//! use std::sync::Arc;
//!
//! let space = SpaceId([7; 16]);
//! let mut phone = MemoryStore::new(space, Arc::new(Ed25519));
//! let mut laptop = MemoryStore::new(space, Arc::new(Ed25519));
//!
//! let key = NodeKey::from_seed(&Seed::from_number(1));
//! let mut writer = EntryWriter::new(space, Arc::new(key), &Seed::from_number(2));
//! let contacts = DocumentId::new("contacts").unwrap();
//! for name in ["Ada", "Grace"] {
//!     let entry = writer.write(vec![], &contacts, HybridTime::default(), name.as_bytes()).unwrap();
//!     phone.append(entry).unwrap();
//! }
//!
//! assert_eq!(laptop.pull_from(&phone).unwrap(), 2);
//! assert_eq!(laptop.pull_from(&phone).unwrap(), 0);
//! assert_eq!(laptop.all_hashes_of(&contacts).unwrap(), phone.all_hashes().unwrap());
//! let first = &laptop.get(&phone.all_hashes().unwrap()).unwrap()[0];
//! assert_eq!(first.operations()[0].body, "Ada".as_bytes());
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fmt,
    sync::Arc,
};

use meshwork_base::{Bytes, DocumentId, Dot, Hash, HybridTime, ReplicaId, Seed, SpaceId};
use meshwork_identity::{Signer, Verifier};

use crate::{
    BlockError, NewOperation, Operation,
    block::{Format, Outline},
    builder::{self, Builder},
};

/// How many entries are asked for at a time.
const PULL_ENTRIES_MAX: usize = 256;

/// Holds signed entries for ever.
///
/// A log merges blocks, so the same operations come under several hashes. An entry that brings no operation beyond
/// those held is therefore not kept; one that brings more is kept whole, as it was signed, and overlaps with others.
///
/// A remote store implements this by asking; all methods that can fail there return its error.
pub trait AppendOnlyStore {
    /// What can go wrong.
    type Error: Error;

    /// Keeps an entry; false if all of its operations are here already, be it in other entries.
    fn append(&mut self, entry: Entry) -> Result<bool, Self::Error>;

    /// The entries of these hashes, in this order; unknown ones are left out.
    fn get(&self, hashes: &[Hash]) -> Result<Vec<Entry>, Self::Error>;

    /// The hashes of all entries, in the order in which they were appended.
    fn all_hashes(&self) -> Result<Vec<Hash>, Self::Error>;

    /// The hashes of the entries that change `document`, in the order in which they were appended.
    fn all_hashes_of(&self, document: &DocumentId) -> Result<Vec<Hash>, Self::Error>;

    /// The hashes of the entries here that are not among `have`.
    fn find_new(&self, have: &[Hash]) -> Result<Vec<Hash>, Self::Error> {
        let have: BTreeSet<&Hash> = have.iter().collect();
        Ok(self.all_hashes()?.into_iter().filter(|hash| !have.contains(hash)).collect())
    }

    /// Takes over whatever `other` has and this store lacks. Returns how many entries were new; after an error the ones
    /// before it are kept. Afterwards this store holds every operation of `other`; an entry that was not kept, because
    /// others hold what it says, is offered again the next time.
    fn pull_from<S: AppendOnlyStore>(
        &mut self,
        other: &S,
    ) -> Result<usize, SyncError<Self::Error, S::Error>> {
        let have = self.all_hashes().map_err(SyncError::Here)?;
        let missing = other.find_new(&have).map_err(SyncError::There)?;
        let mut new = 0;
        for hashes in missing.chunks(PULL_ENTRIES_MAX) {
            for entry in other.get(hashes).map_err(SyncError::There)? {
                new += usize::from(self.append(entry).map_err(SyncError::Here)?);
            }
        }
        Ok(new)
    }

    /// Gives `other` whatever it lacks. Returns how many entries were new to it.
    fn push_to<S: AppendOnlyStore>(&self, other: &mut S) -> Result<usize, SyncError<Self::Error, S::Error>>
    where
        Self: Sized,
    {
        other.pull_from(self).map_err(|error| match error {
            SyncError::Here(error) => SyncError::There(error),
            SyncError::There(error) => SyncError::Here(error),
        })
    }
}

/// Which of two stores failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyncError<H: Error, T: Error> {
    /// The one whose method was called.
    #[error("this store: {0}")]
    Here(H),
    /// The other one.
    #[error("the other store: {0}")]
    There(T),
}

/// A signed block of operations of one author, which proves itself: no other entry is needed to verify it.
#[derive(Clone)]
pub struct Entry {
    bytes: Bytes,
    hash: Hash,
    outline: Outline,
    tip: Hash,
    operations: Vec<Operation>,
}

impl Entry {
    /// Reads a block of `space`; its signature is checked by whoever appends it.
    pub fn read(space: SpaceId, bytes: Bytes) -> Result<Self, BlockError> {
        let format = Format::new(space);
        let block = format.decode(format.outline(&bytes)?)?;
        Ok(Self {
            hash: Hash::of(&bytes),
            bytes,
            outline: block.outline,
            tip: block.tip,
            operations: block.operations,
        })
    }

    /// Its name in stores: the hash of its bytes.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Its bytes, as signed.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What it says.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Checks that its author signed it.
    pub fn verify(&self, verifier: &dyn Verifier) -> Result<(), BlockError> {
        self.outline.verify(&self.tip, verifier)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({} {}..={})", self.outline.replica.short(), self.outline.first, self.outline.last)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Entry {}

/// Writes entries under a replica of its own.
pub struct EntryWriter {
    space: SpaceId,
    signer: Arc<dyn Signer>,
    nonce: [u8; 16],
    next: u64,
    tip: Hash,
}

impl EntryWriter {
    /// A new replica of the signer's node. `seed` must never be used twice: two writers of one seed contradict each
    /// other.
    pub fn new(space: SpaceId, signer: Arc<dyn Signer>, seed: &Seed) -> Self {
        Self { space, signer, nonce: seed.fork("entry writer").random().bytes(), next: 1, tip: Hash::ZERO }
    }

    /// Signs the next operation. `dependencies`: the newest operations of other replicas that its author had seen.
    /// On an error nothing was written.
    pub fn write(
        &mut self,
        dependencies: Vec<Dot>,
        document: &DocumentId,
        time: HybridTime,
        body: &[u8],
    ) -> Result<Entry, BlockError> {
        let node = self.signer.node();
        let dot = Dot::new(ReplicaId::derive(&node, &self.space, &self.nonce), self.next);
        let (document, body) = (document.clone(), Bytes::copy_from_slice(body));
        let operation = NewOperation { dot, dependencies, document, time, body };
        let meta = builder::check(&operation)
            .map_err(|reason| BlockError::Malformed { sequence: self.next, reason })?;
        let mut open = Builder::new(&self.space, &node, &self.nonce, self.next, self.tip);
        open.push(&Format::new(self.space), &meta, &operation.body);
        let (next, tip) = (open.next, open.tip);
        let entry = Entry::read(self.space, open.seal(&*self.signer))?;
        (self.next, self.tip) = (next, tip);
        Ok(entry)
    }
}

/// A store in memory. It verifies what it is given.
pub struct MemoryStore {
    space: SpaceId,
    verifier: Arc<dyn Verifier>,
    entries: BTreeMap<Hash, Entry>,
    order: Vec<Hash>,
    /// The header hashes of all operations in the entries. Each covers the space, the dot and all that precedes it.
    operations: BTreeSet<Hash>,
}

impl MemoryStore {
    /// An empty store of one space.
    pub fn new(space: SpaceId, verifier: Arc<dyn Verifier>) -> Self {
        let (entries, order, operations) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        Self { space, verifier, entries, order, operations }
    }

    /// How many entries it holds.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl AppendOnlyStore for MemoryStore {
    type Error = BlockError;

    fn append(&mut self, entry: Entry) -> Result<bool, BlockError> {
        if entry.operations.iter().all(|operation| self.operations.contains(&operation.hash)) {
            return Ok(false);
        }
        // The entry may have been read for another space.
        Format::new(self.space).outline(&entry.bytes)?;
        entry.verify(&*self.verifier)?;
        self.operations.extend(entry.operations.iter().map(|operation| operation.hash));
        self.order.push(entry.hash);
        self.entries.insert(entry.hash, entry);
        Ok(true)
    }

    fn get(&self, hashes: &[Hash]) -> Result<Vec<Entry>, BlockError> {
        Ok(hashes.iter().filter_map(|hash| self.entries.get(hash).cloned()).collect())
    }

    fn all_hashes(&self) -> Result<Vec<Hash>, BlockError> {
        Ok(self.order.clone())
    }

    fn all_hashes_of(&self, document: &DocumentId) -> Result<Vec<Hash>, BlockError> {
        let changes =
            |entry: &Entry| entry.operations.iter().any(|operation| operation.document == *document);
        Ok(self.order.iter().filter(|hash| self.entries.get(hash).is_some_and(changes)).copied().collect())
    }
}
