//! What logs tell each other.

use meshwork_base::{Bytes, Hash, ReplicaId, Tip};
use serde::{Deserialize, Serialize};

/// The most entries of one [`Message::Have`] or [`Message::Want`], and the most blocks of one [`Message::Blocks`].
pub(crate) const ENTRIES_MAX: usize = 4096;

/// One message. Anything in it may be a lie; blocks and proofs are verified, the rest only guides what is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Message {
    /// "All that I show hashes to this." An equal one is answered in kind, a different one with what the answerer has.
    Digest {
        /// See [`Version::digest`](meshwork_base::Version::digest); closed replicas are left out.
        digest: Hash,
        /// It answers an equal digest, and is not itself answered.
        answer: bool,
    },
    /// "This is where I am", for the replicas that changed since this link last agreed (all, on a new link).
    Have {
        /// The tips.
        entries: Vec<(ReplicaId, Tip)>,
        /// Please tell me the same.
        answer_wanted: bool,
    },
    /// "Send me these", with leave to send so many bytes.
    Want {
        /// The ranges.
        ranges: Vec<Range>,
        /// Bytes that may be sent, on top of what was granted before.
        credit_bytes: u64,
    },
    /// Leave to send more.
    Credit {
        /// Bytes that may be sent, on top of what was granted before.
        bytes: u64,
    },
    /// Signed blocks: new ones, or what was wanted.
    Blocks {
        /// They answer a [`Message::Want`] and use up credit.
        wanted: bool,
        /// The blocks.
        blocks: Vec<Bytes>,
    },
    /// Two blocks by which an author contradicts itself; bodies may be left out.
    Proof {
        /// One.
        first: Bytes,
        /// The other.
        second: Bytes,
    },
}

/// Part of a replica's chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Range {
    /// Whose.
    pub replica: ReplicaId,
    /// The asker holds everything up to here.
    pub after: u64,
    /// What the asker was told of.
    pub tip: Tip,
}
