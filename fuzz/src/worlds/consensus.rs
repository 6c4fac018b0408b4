//! Consensus: storage that grows and is cut, links that come and go, receipts of any node about anything.

use std::collections::BTreeMap;

use meshwork_base::{Dot, Hash, ReplicaId, SessionId, Tip, Version};
use meshwork_consensus::{
    Config, Consensus, Context, Effect, Input, Message, RECEIPT_BYTES_MAX, RECEIPT_FORMAT, Receipt,
    SignedReceipt,
};
use serde::{Deserialize, Serialize};

use super::{node, session};
use crate::{Driven, Gullible, SPACE, read, script};

/// What may happen.
#[derive(Debug, Serialize, Deserialize)]
pub enum Step {
    /// This node's storage begins anew.
    Incarnation { epoch: u8 },
    /// More of a replica is stored here.
    Store { replica: u8, more: u8 },
    /// A replica's last operations are cut off, and others take their place.
    Cut { replica: u8, to: u8 },
    /// A link is up.
    Up { peer: u8 },
    /// A link is gone.
    Down { peer: u8 },
    /// A peer brings a receipt of a node. `world`: other operations under the same numbers.
    Receipt { peer: u8, node: u8, epoch: u8, counter: u8, replica: u8, sequence: u8, world: u8 },
    /// A peer says with whom it is linked, a bit for each node.
    Linked { peer: u8, nodes: u8 },
    /// A peer sends bytes.
    Raw { peer: u8 },
    /// Time passes.
    Pass { how: u8 },
}

impl script::Step for Step {
    const KINDS: u8 = 9;
}

/// Runs a fuzz input.
pub fn run(data: &[u8]) {
    let mut world = World::new();
    for (step, bytes) in script::steps(data) {
        world.happen(step, bytes);
    }
}

struct World {
    consensus: Driven<Consensus>,
    stored: Version,
    /// Which operations follow each other in a replica here: grows when they are cut.
    worlds: BTreeMap<ReplicaId, u8>,
    confirmed: BTreeMap<ReplicaId, u64>,
}

fn replica(chosen: u8) -> ReplicaId {
    ReplicaId([1 + chosen % 4; 16])
}

fn tip(sequence: u64, world: u8) -> Tip {
    Tip { sequence, hash: Hash::of(&[&sequence.to_le_bytes()[..], &[world]].concat()) }
}

impl World {
    fn new() -> Self {
        let config = Config {
            nodes_max: 2,
            replicas_max: 3,
            kept_bytes_max: 2 * RECEIPT_BYTES_MAX,
            tips_max: 2,
            ..Config::default()
        };
        assert_eq!(config.validate(), Ok(()));
        let consensus = Driven::new(|| {
            let (signer, verifier) = (Gullible::signer(), Gullible::verifier());
            let context = Context { space: SPACE, durable: true, signer, verifier };
            Consensus::new(config.clone(), context)
        });
        let (stored, worlds, confirmed) = Default::default();
        Self { consensus, stored, worlds, confirmed }
    }

    fn happen(&mut self, step: Step, bytes: &[u8]) {
        match step {
            Step::Incarnation { epoch } => {
                self.feed(Input::Incarnation { replica: replica(epoch), epoch: epoch.into() });
            }
            Step::Store { replica: chosen, more } => {
                let replica = replica(chosen);
                let sequence = self.stored.sequence(&replica) + 1 + u64::from(more);
                self.store(replica, sequence);
            }
            Step::Cut { replica: chosen, to } => {
                let replica = replica(chosen);
                let world = self.worlds.entry(replica).or_default();
                *world = world.wrapping_add(1);
                let sequence = self.stored.sequence(&replica).min(1 + u64::from(to));
                self.store(replica, sequence);
            }
            Step::Up { peer } => self.feed(Input::PeerUp { peer: session(peer), node: node(peer) }),
            Step::Down { peer } => self.feed(Input::PeerDown { peer: session(peer) }),
            Step::Receipt { peer, node: issuer, epoch, counter, replica: about, sequence, world } => {
                let said = Receipt {
                    format: RECEIPT_FORMAT,
                    space: SPACE,
                    node: node(issuer),
                    epoch: epoch.into(),
                    replica: ReplicaId([100 + issuer % 4; 16]),
                    counter: counter.into(),
                    holds: [(replica(about), tip(u64::from(sequence).max(1), world % 2))]
                        .into_iter()
                        .collect(),
                };
                let signed = SignedReceipt::sign(&said, &*Gullible::signer()).expect("a receipt is short");
                self.hear(session(peer), Message::Receipt(signed));
            }
            Step::Linked { peer, nodes } => {
                let linked = (0..3).filter(|bit| nodes & 1 << bit != 0).map(|bit| node(2 * bit)).collect();
                self.hear(session(peer), Message::Linked(linked));
            }
            Step::Raw { peer } => {
                read(bytes).into_iter().for_each(|message| self.hear(session(peer), message));
            }
            Step::Pass { how } => {
                let effects = self.consensus.pass(how);
                self.check(effects);
            }
        }
    }

    fn store(&mut self, replica: ReplicaId, sequence: u64) {
        if sequence > 0 {
            let world = self.worlds.get(&replica).copied().unwrap_or_default();
            self.stored.set(replica, tip(sequence, world));
            self.feed(Input::Stored { version: self.stored.clone() });
        }
    }

    fn hear(&mut self, from: SessionId, message: Message) {
        self.feed(Input::Received { from, message });
    }

    fn feed(&mut self, input: Input) {
        let effects = self.consensus.feed(input);
        self.check(effects);
    }

    /// Only what is stored here is confirmed, once, in order, and when enough nodes hold it.
    fn check(&mut self, effects: Vec<Effect>) {
        let consensus = self.consensus.machine();
        for effect in effects {
            let Effect::Confirmed { from, up_to } = effect else { continue };
            let before = self.confirmed.insert(up_to.replica, up_to.sequence).unwrap_or_default();
            assert_eq!(from, before + 1);
            assert!(from <= up_to.sequence && self.stored.contains(up_to), "{up_to}");
            assert!(consensus.holders(up_to).len() >= 2, "{up_to}");
        }
        for (replica, sequence) in &self.confirmed {
            assert_eq!(consensus.confirmed(replica), *sequence, "what was confirmed stays confirmed");
            assert!(consensus.is_confirmed(Dot::new(*replica, *sequence)));
        }
    }
}
