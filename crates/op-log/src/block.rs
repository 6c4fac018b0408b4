//! Blocks: a run of one replica's operations under one signature.
//!
//! ```text
//! format u8 │ space 16 │ author 32 │ nonce 16 │ first sequence u64 │ previous header hash 32 │ count u16
//! count × { flags u8 │ meta length u16 │ meta │ body length u32 │ body, or its hash when flags say "left out" }
//! signature 64, over { replica 16 │ last sequence u64 │ last header hash 32 }
//! ```
//!
//! Integers are little-endian. The replica's id is derived from author, space and nonce, so a block proves whose replica
//! it is. A header hash covers `{ format, space, replica, sequence, previous header hash, meta, body length, body hash }`;
//! neither of those two hashes travels while the body does. The last hash commits to all earlier ones, so operations can
//! be wrapped again in larger blocks under a later signature, and bodies can be left out, without breaking either.

use blake3::{Hasher, hazmat};
use meshwork_base::{Bytes, Dot, Hash, NodeId, ReplicaId, SpaceId};
use meshwork_identity::{Purpose, Signature, Verifier};
use meshwork_wire::{BLOCK_BYTES_MAX, BLOCK_OPERATIONS_MAX, OPERATION_BYTES_MAX};

use crate::{
    BlockError, Operation,
    meta::{self, META_BYTES_MAX},
};

/// The version of blocks, rows and header hashes that this build reads and writes.
pub const FORMAT: u8 = 1;

const HEADER_CONTEXT: &str = "meshwork 2026 operation header";
pub(crate) const FIXED_BYTES: usize = 1 + 16 + 32 + 16 + 8 + 32 + COUNT_BYTES;
pub(crate) const COUNT_BYTES: usize = 2;
pub(crate) const SIGNATURE_BYTES: usize = 64;
pub(crate) const OPERATION_FIXED_BYTES: usize = 1 + 2 + 4;
const BODY_LEFT_OUT: u8 = 1;
/// A block of the largest single operation.
const SINGLE_BYTES_MAX: usize =
    FIXED_BYTES + OPERATION_FIXED_BYTES + META_BYTES_MAX + OPERATION_BYTES_MAX + SIGNATURE_BYTES;

/// What all blocks of one space share: which space, and the key under which headers are hashed.
#[derive(Clone)]
pub(crate) struct Format {
    pub(crate) space: SpaceId,
    header_key: hazmat::ContextKey,
}

/// The fixed part of a block, read and within its bounds; nothing is verified yet.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    pub(crate) bytes: Bytes,
    pub(crate) replica: ReplicaId,
    pub(crate) author: NodeId,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) previous: Hash,
}

/// A block whose operations are decoded and hashed.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) outline: Outline,
    /// The last header hash.
    pub(crate) tip: Hash,
    /// In order.
    pub(crate) operations: Vec<Operation>,
}

enum Body {
    Whole(std::ops::Range<usize>),
    LeftOut(Hash),
}

/// One operation as it lies in a block's bytes.
struct Raw {
    span: std::ops::Range<usize>,
    meta: std::ops::Range<usize>,
    body_length: u32,
    body: Body,
}

impl Format {
    pub(crate) fn new(space: SpaceId) -> Self {
        Self { space, header_key: hazmat::hash_derive_key_context(HEADER_CONTEXT) }
    }

    pub(crate) fn header_hash(
        &self,
        dot: Dot,
        previous: &Hash,
        meta: &[u8],
        length: u32,
        body: &Hash,
    ) -> Hash {
        let mut hasher: Hasher = hazmat::HasherExt::new_from_context_key(&self.header_key);
        let mut head = [0; 77];
        head[0] = FORMAT;
        head[1..17].copy_from_slice(&self.space.0);
        head[17..33].copy_from_slice(&dot.replica.0);
        head[33..41].copy_from_slice(&dot.sequence.to_le_bytes());
        head[41..73].copy_from_slice(&previous.0);
        head[73..].copy_from_slice(&(meta.len() as u32).to_le_bytes());
        hasher.update(&head).update(meta).update(&length.to_le_bytes()).update(&body.0);
        Hash(*hasher.finalize().as_bytes())
    }

    /// Reads the fixed part of a block and checks its bounds.
    pub(crate) fn outline(&self, bytes: &Bytes) -> Result<Outline, BlockError> {
        let mut reader = Reader { bytes, at: 0 };
        let [format] = reader.array("format")?;
        if format != FORMAT {
            return Err(BlockError::Format { found: format });
        }
        let space = SpaceId(reader.array("space")?);
        if space != self.space {
            return Err(BlockError::Space { found: space });
        }
        let author = NodeId(reader.array("author")?);
        let nonce = reader.array("nonce")?;
        let first = u64::from_le_bytes(reader.array("sequence")?);
        let previous = Hash(reader.array("previous hash")?);
        let count = u16::from_le_bytes(reader.array("count")?);
        let limit = if count == 1 { SINGLE_BYTES_MAX } else { BLOCK_BYTES_MAX };
        if bytes.len() > limit {
            return Err(BlockError::TooLarge { what: "a block", size: bytes.len(), limit });
        }
        if usize::from(count) > BLOCK_OPERATIONS_MAX {
            let size = count.into();
            return Err(BlockError::TooLarge { what: "a block's count", size, limit: BLOCK_OPERATIONS_MAX });
        }
        if count == 0 || first == 0 {
            return Err(BlockError::Numbering("a block holds at least one operation, numbered from 1"));
        }
        if first == 1 && previous != Hash::ZERO {
            return Err(BlockError::Numbering("nothing precedes the first operation"));
        }
        let last = first.checked_add(u64::from(count) - 1);
        let last = last.ok_or(BlockError::Numbering("the numbers run out"))?;
        let replica = ReplicaId::derive(&author, &space, &nonce);
        Ok(Outline { bytes: bytes.clone(), replica, author, first, last, previous })
    }

    /// Decodes and hashes the operations, bodies and all.
    pub(crate) fn decode(&self, outline: Outline) -> Result<Block, BlockError> {
        let mut operations: Vec<Operation> = Vec::with_capacity(outline.count());
        let mut hash = outline.previous;
        let mut cursor = outline.raw();
        for sequence in outline.first..=outline.last {
            let raw = cursor.operation()?;
            let Body::Whole(body) = raw.body else { return Err(BlockError::BodyLeftOut { sequence }) };
            let meta_bytes = outline.bytes.get(raw.meta).unwrap_or_default();
            let last = operations.last().map(|operation| &operation.document);
            let meta = meta::decode(meta_bytes, &outline.replica, last)
                .map_err(|reason| BlockError::Malformed { sequence, reason })?;
            let body = outline.bytes.slice(body);
            let dot = Dot::new(outline.replica, sequence);
            hash = self.header_hash(dot, &hash, meta_bytes, raw.body_length, &Hash::of(&body));
            let (dependencies, document, time) = (meta.dependencies, meta.document, meta.time);
            operations.push(Operation {
                dot,
                author: outline.author,
                dependencies,
                document,
                time,
                body,
                hash,
            });
        }
        cursor.finish()?;
        Ok(Block { tip: hash, operations, outline })
    }

    /// The header hashes of the operations, from first to last; bodies may be left out.
    pub(crate) fn hashes(&self, outline: &Outline) -> Result<Vec<Hash>, BlockError> {
        let mut hashes = Vec::with_capacity(outline.count());
        let mut hash = outline.previous;
        let mut cursor = outline.raw();
        for sequence in outline.first..=outline.last {
            let raw = cursor.operation()?;
            let body = match raw.body {
                Body::Whole(body) => Hash::of(outline.bytes.get(body).unwrap_or_default()),
                Body::LeftOut(hash) => hash,
            };
            let meta = outline.bytes.get(raw.meta).unwrap_or_default();
            hash = self.header_hash(Dot::new(outline.replica, sequence), &hash, meta, raw.body_length, &body);
            hashes.push(hash);
        }
        cursor.finish()?;
        Ok(hashes)
    }
}

impl Outline {
    fn count(&self) -> usize {
        (self.last - self.first + 1) as usize
    }

    fn raw(&self) -> Reader<'_> {
        Reader { bytes: &self.bytes, at: FIXED_BYTES }
    }

    /// Whether the author signed `tip` as the hash of the last header.
    pub(crate) fn verify(&self, tip: &Hash, verifier: &dyn Verifier) -> Result<(), BlockError> {
        let signature = self.signature().ok_or(BlockError::Truncated("signature"))?;
        let message = signed_message(&self.replica, self.last, tip);
        if verifier.verify(&self.author, Purpose::Block, &message, &signature) {
            return Ok(());
        }
        Err(BlockError::Signature(self.author))
    }

    fn signature(&self) -> Option<Signature> {
        self.bytes.last_chunk::<SIGNATURE_BYTES>().map(|bytes| Signature(*bytes))
    }

    /// Where the operations after `sequence` begin in the bytes, and where they end.
    pub(crate) fn span_after(&self, sequence: u64) -> Result<std::ops::Range<usize>, BlockError> {
        let mut cursor = self.raw();
        for _ in self.first..=sequence.min(self.last) {
            cursor.operation()?;
        }
        Ok(cursor.at..self.bytes.len().saturating_sub(SIGNATURE_BYTES))
    }

    /// The block with every body left out whose hash is shorter. It proves the same headers.
    pub(crate) fn without_bodies(&self) -> Result<Bytes, BlockError> {
        let slice = |range| self.bytes.get(range).unwrap_or_default();
        let mut stripped = slice(0..FIXED_BYTES).to_vec();
        let mut cursor = self.raw();
        for _ in self.first..=self.last {
            let raw = cursor.operation()?;
            match raw.body {
                Body::Whole(body) if body.len() > 32 => {
                    stripped.push(BODY_LEFT_OUT);
                    stripped.extend_from_slice(slice(raw.span.start + 1..body.start));
                    stripped.extend_from_slice(&Hash::of(slice(body)).0);
                }
                _ => stripped.extend_from_slice(slice(raw.span)),
            }
        }
        stripped.extend_from_slice(slice(self.bytes.len() - SIGNATURE_BYTES..self.bytes.len()));
        Ok(stripped.into())
    }
}

impl Block {
    /// The header hash of `sequence`, which may also be the one before the first.
    pub(crate) fn hash_at(&self, sequence: u64) -> Option<Hash> {
        if sequence.checked_add(1)? == self.outline.first {
            return Some(self.outline.previous);
        }
        let index = usize::try_from(sequence.checked_sub(self.outline.first)?).ok()?;
        self.operations.get(index).map(|operation| operation.hash)
    }
}

pub(crate) fn signed_message(replica: &ReplicaId, last: u64, tip: &Hash) -> [u8; 56] {
    let mut message = [0; 56];
    message[..16].copy_from_slice(&replica.0);
    message[16..24].copy_from_slice(&last.to_le_bytes());
    message[24..].copy_from_slice(&tip.0);
    message
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn skip(&mut self, count: usize, what: &'static str) -> Result<std::ops::Range<usize>, BlockError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let range = self.at..end.ok_or(BlockError::Truncated(what))?;
        self.at = range.end;
        Ok(range)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], BlockError> {
        let range = self.skip(N, what)?;
        self.bytes
            .get(range)
            .and_then(|slice| slice.first_chunk())
            .copied()
            .ok_or(BlockError::Truncated(what))
    }

    fn operation(&mut self) -> Result<Raw, BlockError> {
        let start = self.at;
        let [flags] = self.array("operation")?;
        let meta_length = usize::from(u16::from_le_bytes(self.array("meta length")?));
        if meta_length > META_BYTES_MAX {
            return Err(BlockError::TooLarge {
                what: "an operation's meta",
                size: meta_length,
                limit: META_BYTES_MAX,
            });
        }
        let meta = self.skip(meta_length, "meta")?;
        let body_length = u32::from_le_bytes(self.array("body length")?);
        let size = body_length as usize;
        if size > OPERATION_BYTES_MAX {
            return Err(BlockError::TooLarge {
                what: "an operation's body",
                size,
                limit: OPERATION_BYTES_MAX,
            });
        }
        let body = match flags {
            0 => Body::Whole(self.skip(size, "body")?),
            BODY_LEFT_OUT => Body::LeftOut(Hash(self.array("body hash")?)),
            found => return Err(BlockError::Format { found }),
        };
        Ok(Raw { span: start..self.at, meta, body_length, body })
    }

    fn finish(mut self) -> Result<(), BlockError> {
        self.skip(SIGNATURE_BYTES, "signature")?;
        match self.bytes.len() - self.at {
            0 => Ok(()),
            left => Err(BlockError::Trailing(left)),
        }
    }
}
