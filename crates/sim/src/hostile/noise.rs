//! What floods consist of, beside operations: messages that a correct node might send, now and then.

use std::collections::{BTreeMap, BTreeSet};

use meshwork::{Bytes, Hash, Random, ReplicaId, Tip};
use meshwork_consensus as consensus;
use meshwork_op_log::{Message, Range};
use meshwork_presence::{self as presence, Datagram, Shown};
use meshwork_transport as transport;
use meshwork_wire::{Channel, Protocol};

use super::{View, adversary::NEVER, frames::wrap};

/// Some frames, and on which channel each goes.
pub(super) fn draw(random: &mut Random, view: &View<'_>) -> Vec<(Channel, Bytes)> {
    let beat = view.now.wall_ms;
    let heartbeat =
        presence::Message::Heartbeat { session: view.session, beat, profile: None, rumours: Vec::new() };
    let nodes: BTreeSet<_> = view.victims.iter().copied().collect();
    let linked = consensus::Message::Linked(nodes.into_iter().collect());
    let mut control = vec![
        wrap(Protocol::Presence, &heartbeat),
        wrap(Protocol::Consensus, &linked),
        wrap(Protocol::Link, &transport::Message::Ping { token: beat }),
    ];
    control.extend(questions(random, view).iter().map(|message| wrap(Protocol::OpLog, message)));
    let control = control.into_iter().flatten().map(|frame| (Channel::Control, frame));
    let lossy = (1..=8).flat_map(|version| wrap(Protocol::Ephemeral, &values(beat + version)));
    control.chain(lossy.map(|frame| (Channel::Lossy, frame))).collect()
}

/// What it asks for and claims to have.
fn questions(random: &mut Random, view: &View<'_>) -> [Message; 5] {
    let known: Vec<_> = view.log.version().iter().map(|(replica, tip)| (*replica, *tip)).collect();
    let ranges =
        known.iter().map(|(replica, tip)| Range { replica: *replica, after: 0, tip: *tip }).collect();
    let claims = known.iter().map(|(replica, _)| (*replica, tip(random))).collect();
    let unknown: BTreeMap<_, _> = (0..200).map(|_| (ReplicaId(random.bytes()), tip(random))).collect();
    [
        Message::Digest { digest: Hash(random.bytes()), answer: false },
        Message::Have { entries: claims, answer_wanted: true },
        Message::Have { entries: unknown.into_iter().collect(), answer_wanted: false },
        Message::Want { ranges, credit_bytes: 100_000 },
        Message::Credit { bytes: 1_000 },
    ]
}

fn tip(random: &mut Random) -> Tip {
    Tip { sequence: 1 + random.below(NEVER), hash: Hash(random.bytes()) }
}

fn values(version: u64) -> Datagram {
    let (key, value) = (format!("cursor {}", version % 8), vec![7; 700].into());
    Datagram::Values { version, living: vec![0], shown: vec![Shown { place: 0, key, ttl_ms: 60_000, value }] }
}
