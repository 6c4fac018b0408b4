//! Bugs on purpose: each shows that the invariant that it breaks would be missed if it were not there.
//!
//! They are planted where a node is hosted (between its machines, in its settings, its disk, its signatures), never in
//! the machines.

use std::{collections::BTreeMap, sync::Arc};

use meshwork::{
    Effect, Event, HybridTime, NodeId, ReplicaId, Row, SessionId, Table,
    courier::{Courier, Letter, Shuffled},
    route::Routed,
};
use meshwork_crdt_state as documents;
use meshwork_identity::{KeyedHash, Purpose, Signature, Verifier};
use meshwork_op_log as op_log;
use meshwork_presence::{self as presence, Message};
use meshwork_transport as transport;
use meshwork_wire::Channel;

/// What is wrong with every correct node of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// Operations that are here already are shown again.
    SkipDeduplication,
    /// Operations are delivered before those on which they depend.
    DeliverEarly,
    /// Nothing that a peer asks for is sent.
    ForgetResends,
    /// The last write is the one that came last.
    ArrivalOrder,
    /// Writes are acknowledged before they are durable.
    AcknowledgeEarly,
    /// The same, but only while the disk is full or slow.
    AcknowledgeUnderPressure,
    /// Nothing is sent on the lossy channel.
    LoseDatagrams,
    /// What is lost on the way is not sent again.
    ForgetLost,
    /// A link that broke is not made again.
    NeverRedial,
    /// Timers go by the wall clock: one that is set back stops them.
    WallClockTimers,
    /// Whoever has lost the hub does not come back to it.
    NeverRejoin,
    /// The disk loses every tenth write and says nothing.
    LoseWrites,
    /// An operation counts as confirmed when its author has stored it.
    ConfirmAlone,
    /// Whoever is silent is still here.
    NeverExpire,
    /// A tab does not say that it is away.
    NeverAway,
    /// Frames are changed on their way.
    CorruptFrames,
    /// The machines want to be woken now, always.
    Spin,
    /// A block's signature is not looked at.
    AcceptUnsigned,
    /// A receipt's signature is not looked at.
    TrustReceipts,
    /// Proofs of equivocation are neither taken nor passed on.
    HideProofs,
    /// Whatever a peer does, it keeps its link.
    NeverCut,
    /// Blocks that wait for others are kept, however many there are.
    UnboundedBuffer,
    /// Members are kept, however many there are said to be.
    UnboundedRoster,
    /// Of all that was heard of a member, the highest beat counts, whoever made it up.
    HighestBeat,
    /// Whoever signs a handshake is believed to be anybody.
    TrustProofs,
    /// Connections that came to nothing are not closed.
    LeaveOpen,
    /// Every message between the machines is noted down and kept.
    Hoard,
    /// Whoever has left by a hub's word is gone.
    ObeyHub,
    /// A replica goes on after a crash as after a clean end, and does not listen to what others hold of it.
    ReuseIds,
}

/// Forgets that the log was not closed.
pub(crate) fn unmark(rows: &mut Vec<Row>) {
    rows.retain(|row| (row.table, &row.key[..]) != (Table::Meta, b"mark"));
}

/// Checks everybody's signatures; where it is planted, not those of one kind.
pub(crate) fn verifier(planted: bool, keys: &Arc<KeyedHash>, purpose: Purpose) -> Arc<dyn Verifier> {
    if planted { Arc::new(Gullible { keys: keys.clone(), purpose }) } else { keys.clone() }
}

struct Gullible {
    keys: Arc<KeyedHash>,
    /// It believes every signature of this kind.
    purpose: Purpose,
}

impl Verifier for Gullible {
    fn verify(&self, node: &NodeId, purpose: Purpose, message: &[u8], signature: &Signature) -> bool {
        purpose == self.purpose || self.keys.verify(node, purpose, message, signature)
    }
}

/// Carries letters as [`Shuffled`] does, less well.
pub(crate) struct Careless {
    courier: Shuffled,
    bug: Bug,
    held: Option<Letter>,
    own: Option<ReplicaId>,
    deliveries: u64,
    beats: BTreeMap<SessionId, u64>,
    hoard: Vec<String>,
}

impl Careless {
    pub(crate) fn new(courier: Shuffled, bug: Bug) -> Self {
        Self { courier, bug, held: None, own: None, deliveries: 0, beats: BTreeMap::new(), hoard: Vec::new() }
    }

    /// Every other delivery waits until the next one has overtaken it.
    fn post_late(&mut self, letter: Letter) {
        match self.held.take() {
            Some(held) => {
                self.courier.post(letter);
                self.courier.post(held);
            }
            None => self.held = Some(letter),
        }
    }
}

impl Courier for Careless {
    fn post(&mut self, mut letter: Letter) {
        match (self.bug, &mut letter.message) {
            (Bug::DeliverEarly, Routed::Documents(documents::Input::Deliver(_))) => {
                return self.post_late(letter);
            }
            (
                Bug::ForgetResends,
                Routed::Transport(transport::Input::Send { channel: Channel::Bulk, .. }),
            ) => return,
            (Bug::ArrivalOrder, Routed::Documents(documents::Input::Deliver(operations))) => {
                for operation in operations {
                    self.deliveries += 1;
                    operation.time = HybridTime { wall_ms: self.deliveries, counter: 0 };
                }
            }
            (
                Bug::SkipDeduplication,
                Routed::Host(Effect::Event(event @ Event::OperationReceived { .. })),
            ) => {
                let again = Routed::Host(Effect::Event(event.clone()));
                self.courier.post(Letter { from: letter.from, message: again });
            }
            (Bug::ReuseIds, Routed::Transport(transport::Input::Incarnation { replica })) => {
                self.own = Some(*replica);
            }
            (
                Bug::ReuseIds,
                Routed::OpLog(op_log::Input::Received {
                    message: op_log::Message::Have { entries, .. }, ..
                }),
            ) => entries.retain(|(replica, _)| Some(*replica) != self.own),
            (
                Bug::HighestBeat,
                Routed::Presence(presence::Input::Received {
                    message: Message::Heartbeat { rumours, .. } | Message::Rumours(rumours),
                    ..
                }),
            ) => rumours.retain(|rumour| {
                let highest = self.beats.entry(rumour.session).or_default();
                *highest = rumour.beat.max(*highest);
                *highest == rumour.beat
            }),
            (Bug::Hoard, message) => self.hoard.push(format!("{message:?}")),
            (Bug::ObeyHub, Routed::Transport(transport::Input::PeerGone { session })) => {
                let gone = presence::Input::PeerDown { peer: *session, left: true };
                self.courier.post(Letter { from: letter.from, message: Routed::Presence(gone) });
            }
            (Bug::NeverCut, Routed::Transport(transport::Input::Misbehaved { .. }))
            | (
                Bug::HideProofs,
                Routed::OpLog(op_log::Input::Received { message: op_log::Message::Proof { .. }, .. }),
            ) => return,
            _ => {}
        }
        self.courier.post(letter);
    }

    fn next(&mut self) -> Option<Letter> {
        self.courier.next()
    }
}
