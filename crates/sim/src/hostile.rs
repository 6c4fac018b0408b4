//! What hostile nodes will do: so far they are drawn and take part, and behave.

use meshwork::Random;
use serde::{Deserialize, Serialize};

/// One kind of attack. A hostile node holds the space's secret and a key of its own; beyond what is said here it behaves
/// as a correct one does.
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
    /// Blocks in other nodes' names, under signatures that are not theirs.
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
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 11] = [
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
    ];

    /// What one hostile node does in a run: one kind, or two.
    pub(crate) fn draw(random: &mut Random) -> Vec<Self> {
        let mut one = || Self::ALL[random.below(Self::ALL.len() as u64) as usize];
        let mut attacks = vec![one(), one()];
        attacks.dedup();
        attacks
    }
}
