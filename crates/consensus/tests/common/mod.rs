//! What the tests share.
#![allow(dead_code, reason = "every test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use std::{sync::Arc, time::Duration};

use meshwork_base::{Hash, Machine, NodeId, ReplicaId, SessionId, SpaceId, Timestamp, Tip, Version, step};
use meshwork_consensus::{
    Config, Consensus, Context, Effect, Input, Message, RECEIPT_FORMAT, Receipt, SignedReceipt,
};
use meshwork_identity::KeyedHash;

pub(crate) const SPACE: SpaceId = SpaceId([7; 16]);

pub(crate) fn node(id: u8) -> NodeId {
    NodeId([id; 32])
}

pub(crate) fn session(id: u8) -> SessionId {
    SessionId([id; 16])
}

pub(crate) fn replica(id: u8) -> ReplicaId {
    ReplicaId([id; 16])
}

pub(crate) fn at(ms: u64) -> Timestamp {
    Timestamp { wall_ms: 1_000_000, ..Timestamp::default() }.after(Duration::from_millis(ms))
}

pub(crate) fn key(id: u8) -> KeyedHash {
    KeyedHash { node: node(id), world: [0; 32] }
}

/// A tip of the one chain that everybody agrees on.
pub(crate) fn tip(sequence: u64) -> Tip {
    Tip { sequence, hash: Hash::of(&sequence.to_le_bytes()) }
}

/// A tip of another chain.
pub(crate) fn forked(sequence: u64) -> Tip {
    Tip { sequence, hash: Hash::of(&[sequence as u8, 0xff]) }
}

pub(crate) fn version(entries: &[(u8, u64)]) -> Version {
    entries.iter().map(|(id, sequence)| (replica(*id), tip(*sequence))).collect()
}

pub(crate) fn machine(id: u8, durable: bool, config: Config) -> Consensus {
    let key = Arc::new(key(id));
    Consensus::new(config, Context { space: SPACE, durable, signer: key.clone(), verifier: key })
}

pub(crate) fn said(id: u8, epoch: u64, counter: u64, holds: Version) -> Receipt {
    let replica = ReplicaId([id; 16]);
    Receipt { format: RECEIPT_FORMAT, space: SPACE, node: node(id), epoch, replica, counter, holds }
}

pub(crate) fn sign(receipt: &Receipt) -> SignedReceipt {
    SignedReceipt::sign(receipt, &key(receipt.node.0[0])).unwrap()
}

/// A receipt of node `id`, brought by the link with `from`.
pub(crate) fn receipt(from: u8, id: u8, epoch: u64, counter: u64, holds: Version) -> Input {
    Input::Received { from: session(from), message: Message::Receipt(sign(&said(id, epoch, counter, holds))) }
}

pub(crate) fn incarnation(id: u8, epoch: u64) -> Input {
    Input::Incarnation { replica: replica(id), epoch }
}

pub(crate) fn up(id: u8) -> Input {
    Input::PeerUp { peer: session(id), node: node(id) }
}

pub(crate) fn run(machine: &mut Consensus, now: Timestamp, input: Input) -> Vec<Effect> {
    let mut effects = Vec::new();
    step(machine, now, Some(input), |effect| effects.push(effect));
    effects
}

/// Lets the machine's own deadline pass.
pub(crate) fn wake(machine: &mut Consensus) -> Vec<Effect> {
    let due = machine.poll_timeout().expect("nothing is due");
    let now = Timestamp { monotonic: due.at, wall_ms: 0 };
    let mut effects = Vec::new();
    step(machine, now, None, |effect| effects.push(effect));
    effects
}

/// The receipts in a message.
pub(crate) fn carried(message: &Message) -> &[SignedReceipt] {
    match message {
        Message::Receipt(signed) => std::slice::from_ref(signed),
        Message::Receipts(receipts) => receipts,
        Message::Linked(_) => &[],
    }
}

/// The receipts among `effects` that go to `to`, as (issuer, tips).
pub(crate) fn receipts_to(effects: &[Effect], to: u8) -> Vec<(u8, Vec<(u8, u64)>)> {
    let for_peer = effects.iter().flat_map(|effect| match effect {
        Effect::Send { to: peer, message } if *peer == session(to) => carried(message),
        _ => &[],
    });
    let read = for_peer.map(|signed| signed.read(SPACE).unwrap());
    read.map(|said| {
        let holds = said.holds.iter().map(|(replica, tip)| (replica.0[0], tip.sequence)).collect();
        (said.node.0[0], holds)
    })
    .collect()
}

/// The confirmations among `effects`, as (replica, from, up to).
pub(crate) fn confirmations(effects: &[Effect]) -> Vec<(u8, u64, u64)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Confirmed { from, up_to } => Some((up_to.replica.0[0], *from, up_to.sequence)),
            _ => None,
        })
        .collect()
}

/// The complaints among `effects`.
pub(crate) fn complaints(effects: &[Effect]) -> Vec<String> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Misbehaved { reason, .. } => Some(reason.clone()),
            _ => None,
        })
        .collect()
}
