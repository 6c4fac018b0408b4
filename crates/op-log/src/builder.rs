//! Writing blocks: operation by operation, and by joining smaller ones.

use meshwork_base::{Bytes, Dot, Hash, NodeId, ReplicaId, SpaceId};
use meshwork_identity::{Purpose, Signer};
use meshwork_wire::{BLOCK_BYTES_MAX, BLOCK_OPERATIONS_MAX, OPERATION_BYTES_MAX};

use crate::{
    BlockError, FORMAT, NewOperation,
    block::{COUNT_BYTES, FIXED_BYTES, Format, OPERATION_FIXED_BYTES, SIGNATURE_BYTES, signed_message},
    meta::{self, META_BYTES_MAX},
};

/// Writes a block, operation by operation.
pub(crate) struct Builder {
    bytes: Vec<u8>,
    replica: ReplicaId,
    /// The next operation's number.
    pub(crate) next: u64,
    pub(crate) tip: Hash,
    count: u16,
}

impl Builder {
    pub(crate) fn new(
        space: &SpaceId,
        author: &NodeId,
        nonce: &[u8; 16],
        first: u64,
        previous: Hash,
    ) -> Self {
        let mut bytes = Vec::with_capacity(1024);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&space.0);
        bytes.extend_from_slice(&author.0);
        bytes.extend_from_slice(nonce);
        bytes.extend_from_slice(&first.to_le_bytes());
        bytes.extend_from_slice(&previous.0);
        bytes.extend_from_slice(&[0; COUNT_BYTES]);
        Self { bytes, replica: ReplicaId::derive(author, space, nonce), next: first, tip: previous, count: 0 }
    }

    /// Whether an operation with so many bytes of meta and body still fits.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        let size = self.bytes.len() + OPERATION_FIXED_BYTES + bytes + SIGNATURE_BYTES;
        self.count == 0 || (size <= BLOCK_BYTES_MAX && usize::from(self.count) < BLOCK_OPERATIONS_MAX)
    }

    pub(crate) fn is_full(&self) -> bool {
        usize::from(self.count) >= BLOCK_OPERATIONS_MAX
            || self.bytes.len() + SIGNATURE_BYTES >= BLOCK_BYTES_MAX
    }

    /// Adds an operation; the caller has checked its sizes with [`check`] and [`fits`](Self::fits).
    pub(crate) fn push(&mut self, format: &Format, meta: &[u8], body: &[u8]) {
        self.bytes.push(0);
        self.bytes.extend_from_slice(&(meta.len() as u16).to_le_bytes());
        self.bytes.extend_from_slice(meta);
        self.bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(body);
        let dot = Dot::new(self.replica, self.next);
        self.tip = format.header_hash(dot, &self.tip, meta, body.len() as u32, &Hash::of(body));
        self.next += 1;
        self.count += 1;
    }

    /// The signed block.
    pub(crate) fn seal(mut self, signer: &dyn Signer) -> Bytes {
        let signature = signer.sign(Purpose::Block, &signed_message(&self.replica, self.next - 1, &self.tip));
        self.finish(&signature.0)
    }

    fn finish(&mut self, signature: &[u8]) -> Bytes {
        self.bytes[FIXED_BYTES - COUNT_BYTES..FIXED_BYTES].copy_from_slice(&self.count.to_le_bytes());
        self.bytes.extend_from_slice(signature);
        std::mem::take(&mut self.bytes).into()
    }
}

/// Checks what peers will check: the meta bytes of a new operation, or why nobody would take it.
pub(crate) fn check(operation: &NewOperation) -> Result<Vec<u8>, String> {
    if operation.body.len() > OPERATION_BYTES_MAX {
        return Err(format!(
            "a body of {} bytes is over the limit of {OPERATION_BYTES_MAX}",
            operation.body.len()
        ));
    }
    let mut bytes =
        Vec::with_capacity(32 + 26 * operation.dependencies.len() + operation.document.as_str().len());
    meta::encode(operation, &mut bytes)?;
    if bytes.len() > META_BYTES_MAX {
        return Err(format!(
            "its dependencies take {} bytes, over the limit of {META_BYTES_MAX}",
            bytes.len()
        ));
    }
    meta::decode(&bytes, &operation.dot.replica, Some(&operation.document))?;
    Ok(bytes)
}

/// The operations of an own block up to `last`, signed anew, and the hash of the last header.
pub(crate) fn head(
    format: &Format,
    block: &Bytes,
    last: u64,
    signer: &dyn Signer,
) -> Result<(Bytes, Hash), BlockError> {
    let outline = format.outline(block)?;
    let count = (last.min(outline.last) + 1).saturating_sub(outline.first);
    let hash = usize::try_from(count)
        .ok()
        .and_then(|count| count.checked_sub(1))
        .and_then(|index| format.hashes(&outline).ok()?.get(index).copied());
    let hash = hash.ok_or(BlockError::Numbering("a block holds at least one operation, numbered from 1"))?;
    let end = outline.span_after(last)?.start;
    let mut bytes = Vec::with_capacity(end + SIGNATURE_BYTES);
    bytes.extend_from_slice(block.get(..FIXED_BYTES - COUNT_BYTES).unwrap_or_default());
    bytes.extend_from_slice(&(count as u16).to_le_bytes());
    bytes.extend_from_slice(block.get(FIXED_BYTES..end).unwrap_or_default());
    let message = signed_message(&outline.replica, last.min(outline.last), &hash);
    bytes.extend_from_slice(&signer.sign(Purpose::Block, &message).0);
    Ok((bytes.into(), hash))
}

/// Joins consecutive blocks of one replica, each beginning at or before the end of the one before, under the signature
/// of the last. Takes as many as fit in one block, at least one; returns the block and how many were taken.
pub(crate) fn merge(format: &Format, blocks: &[Bytes]) -> Result<(Bytes, usize), BlockError> {
    let (first, rest) = blocks.split_first().ok_or(BlockError::Truncated("first block"))?;
    let head = format.outline(first)?;
    let (mut last, mut taken) = (head.last, 1);
    let mut spans = vec![head.span_after(0)?];
    let mut size = first.len();
    for block in rest {
        let outline = format.outline(block)?;
        let span = outline.span_after(last)?;
        let count = outline.last.saturating_sub(head.first) + 1;
        if size + span.len() > BLOCK_BYTES_MAX || count > BLOCK_OPERATIONS_MAX as u64 {
            break;
        }
        size += span.len();
        last = outline.last;
        spans.push(span);
        taken += 1;
    }
    if taken == 1 {
        return Ok((first.clone(), 1));
    }
    let mut bytes = Vec::with_capacity(size);
    bytes.extend_from_slice(first.get(..FIXED_BYTES - COUNT_BYTES).unwrap_or_default());
    bytes.extend_from_slice(&((last - head.first + 1) as u16).to_le_bytes());
    for (block, span) in blocks.iter().zip(spans) {
        bytes.extend_from_slice(block.get(span).unwrap_or_default());
    }
    let signed = blocks.get(taken - 1).and_then(|block| block.last_chunk::<SIGNATURE_BYTES>());
    bytes.extend_from_slice(signed.ok_or(BlockError::Truncated("signature"))?);
    Ok((bytes.into(), taken))
}
