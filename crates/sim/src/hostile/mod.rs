//! What hostile nodes do.
//!
//! A hostile node is a whole node: it holds the space's secret and a key of its own, so its handshakes and its
//! membership are real. Beside what its machines send, it puts frames of its own on its links and signals of its own on
//! its way to the hub, at moments drawn from the seed, until the faults end; and it changes its own handshakes. It knows what was sent to it ([`Overheard`]) and what its log holds, and signs with its own
//! key only. The [`Ledger`] keeps what it did, for invariants.

mod adversary;
mod author;
mod frames;
mod ledger;
mod noise;
mod overheard;
mod shake;
mod signals;
mod slander;
mod volley;

pub(crate) use adversary::{Adversary, Prey, View};
pub(crate) use frames::Charge;
pub(crate) use ledger::Ledger;
pub(crate) use overheard::Overheard;
pub(crate) use shake::Shaken;
pub(crate) use signals::Bodies;
pub(crate) use volley::Shot;

use meshwork::Random;
use serde::{Deserialize, Serialize};

/// One kind of attack. Beyond what is said here a hostile node behaves as a correct one does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attack {
    /// Frames of random bytes.
    Garbage,
    /// Its frames are cut short, or a bit of them is flipped.
    Truncated,
    /// Frames above every limit.
    Oversized,
    /// Small frames that say that they unpack to gigabytes.
    Bomb,
    /// Blocks, receipts and proofs in other nodes' names, under signatures that are not theirs.
    Forged,
    /// What others sent, again and again.
    Replayed,
    /// Two operations under one id.
    Equivocation,
    /// Receipts for what it does not hold.
    FalseReceipt,
    /// Operations from years ahead.
    Future,
    /// Operations that depend on what nobody has.
    MissingDependency,
    /// As many valid messages as fit through the link.
    Flood,
    /// Rumours that others are gone, here, away or somebody else, with beats from long ago and from the future.
    Slander,
    /// Members that nobody is, by the hundred.
    Crowd,
    /// Messages about who is here that no correct node sends.
    ImpossiblePresence,
    /// Handshakes under false names, with old, stolen and false proofs, that never end, or begin again and again.
    Handshake,
    /// Offers, answers and candidates that mean nothing, were meant for others, or come by the hundred.
    Signals,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Garbage,
        Self::Truncated,
        Self::Oversized,
        Self::Bomb,
        Self::Forged,
        Self::Replayed,
        Self::Equivocation,
        Self::FalseReceipt,
        Self::Future,
        Self::MissingDependency,
        Self::Flood,
        Self::Slander,
        Self::Crowd,
        Self::ImpossiblePresence,
        Self::Handshake,
        Self::Signals,
    ];

    /// What one hostile node does in a run: one kind, or two.
    pub(crate) fn draw(random: &mut Random) -> Vec<Self> {
        let mut one = || Self::ALL[random.below(Self::ALL.len() as u64) as usize];
        let mut attacks = vec![one(), one()];
        attacks.dedup();
        attacks
    }
}
