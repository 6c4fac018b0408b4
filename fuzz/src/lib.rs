//! What the fuzz targets share.

pub mod log;

use std::{fmt::Debug, sync::Arc, time::Duration};

use meshwork_base::{Machine, NodeId, SessionId, SpaceId, Timestamp, step};
use meshwork_identity::{Purpose, Signature, Signer, Verifier};
use meshwork_wire::{decode, encode};
use serde::{Serialize, de::DeserializeOwned};

/// The space that all machines here are in; the golden files' too.
pub const SPACE: SpaceId = SpaceId([7; 16]);

/// The machine under test.
pub const OWN: NodeId = NodeId([1; 32]);

/// The stranger's session and node.
pub const STRANGER: (SessionId, NodeId) = (SessionId([2; 16]), NodeId([2; 32]));

/// Signs with zeros and believes everything, so that the fuzzer gets past signatures.
pub struct Gullible;

impl Gullible {
    /// As a machine wants it.
    pub fn signer() -> Arc<dyn Signer> {
        Arc::new(Self)
    }

    /// As a machine wants it.
    pub fn verifier() -> Arc<dyn Verifier> {
        Arc::new(Self)
    }
}

impl Signer for Gullible {
    fn node(&self) -> NodeId {
        OWN
    }

    fn sign(&self, _: Purpose, _: &[u8]) -> Signature {
        Signature([0; 64])
    }
}

impl Verifier for Gullible {
    fn verify(&self, _: &NodeId, _: Purpose, _: &[u8], _: &Signature) -> bool {
        true
    }
}

/// The message in a stranger's bytes, if it is one. What was read once is the same after it was written and
/// read again.
pub fn read<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let message = decode(bytes).ok()?;
    let again = encode(&message).and_then(|bytes| decode(&bytes));
    assert_eq!(again.as_ref(), Ok(&message));
    Some(message)
}

/// A machine and its clock, which goes on a little with every input.
pub struct Driven<M> {
    /// The machine.
    pub machine: M,
    now: Timestamp,
}

impl<M: Machine> Driven<M> {
    /// Starts some time after the epoch.
    pub fn new(machine: M) -> Self {
        Self { machine, now: Timestamp { wall_ms: 1_000_000, ..Timestamp::default() } }
    }

    /// Feeds one input and every timeout that is due then; returns the effects.
    pub fn feed(&mut self, input: M::Input) -> Vec<M::Effect> {
        self.now = self.now.after(Duration::from_millis(40));
        let mut effects = Vec::new();
        let mut deadline = step(&mut self.machine, self.now, Some(input), |effect| effects.push(effect));
        // A machine that is never content would be a busy loop in a host.
        for round in 0.. {
            assert!(round < 1000, "the deadline stays due: {deadline:?}");
            if !deadline.is_some_and(|deadline| deadline.is_due(self.now)) {
                break;
            }
            deadline = step(&mut self.machine, self.now, None, |effect| effects.push(effect));
        }
        effects
    }
}

/// Cuts one fuzz input into several: each piece is preceded by its length (two bytes, little-endian), and the
/// last takes what is left.
pub fn pieces(mut data: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (piece, rest) = rest.split_at(length);
        pieces.push(piece);
        data = rest;
    }
    pieces
}

/// The fuzz input that [`pieces`] cuts into these.
pub fn join<T: AsRef<[u8]>>(pieces: &[T]) -> Vec<u8> {
    let lengthed = |piece: &T| {
        let piece = piece.as_ref();
        let length = u16::try_from(piece.len()).unwrap_or(u16::MAX);
        [&length.to_le_bytes()[..], &piece[..usize::from(length)]].concat()
    };
    pieces.iter().flat_map(lengthed).collect()
}

#[test]
fn pieces_are_what_was_joined() {
    let long = vec![7; 70_000];
    assert_eq!(pieces(&join(&[&b"a"[..], b"", b"bc"])), [&b"a"[..], b"", b"bc"]);
    assert_eq!(pieces(&join(&[&long]))[0].len(), 65_535);
    assert_eq!(pieces(&[9, 0, 1]), [[1]]);
}
