//! What is refused, and why.

use meshwork_base::{ConfigError, NodeId, SpaceId};

/// A block that is refused. Nothing changed when one is returned. The same bytes are refused everywhere: validity
/// depends on nothing but the block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Another version of the format.
    #[error(
        "block format {found} is unknown here: this build knows format {}; upgrade the older side",
        crate::FORMAT
    )]
    Format {
        /// The version that it names.
        found: u8,
    },
    /// It belongs elsewhere.
    #[error("the block belongs to space {found}, not to this one")]
    Space {
        /// The space that it names.
        found: SpaceId,
    },
    /// The bytes end before the block does.
    #[error("the block is cut short at its {0}")]
    Truncated(&'static str),
    /// The bytes go on after the block.
    #[error("{0} bytes follow the end of the block")]
    Trailing(usize),
    /// Over a limit of `meshwork_wire`.
    #[error("{what} of {size} is over the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// No operations, or numbers that no chain has.
    #[error("the block's numbering is impossible: {0}")]
    Numbering(&'static str),
    /// An operation whose dependencies, document or time cannot be read.
    #[error("operation {sequence} is malformed: {reason}")]
    Malformed {
        /// Its number.
        sequence: u64,
        /// What is wrong.
        reason: String,
    },
    /// A body is left out where the log needs it.
    #[error("operation {sequence} comes without its body: the log takes whole operations only")]
    BodyLeftOut {
        /// Its number.
        sequence: u64,
    },
    /// Not signed by its author.
    #[error("the signature is not that of the author {0}")]
    Signature(NodeId),
}

/// Storage that cannot be opened as this log. Nothing was changed in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// A setting is out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Written by another version.
    #[error(
        "this store has format {found}, this build reads format {}: open it with the build that wrote it",
        crate::FORMAT
    )]
    Format {
        /// Its format.
        found: u8,
    },
    /// Written by another node.
    #[error(
        "this store belongs to node {found}, the key given is that of {expected}: give the matching key, or an empty store"
    )]
    Owner {
        /// Whose it is.
        found: NodeId,
        /// Who opens it.
        expected: NodeId,
    },
    /// Written for another space.
    #[error(
        "this store belongs to space {found}, not to {expected}: open it for its own space, or give an empty store"
    )]
    Space {
        /// The space that it belongs to.
        found: SpaceId,
        /// The space asked for.
        expected: SpaceId,
    },
    /// Blocks without the facts about them.
    #[error("this store holds blocks but its meta row `{0}` is missing: restore it from a backup")]
    Missing(&'static str),
    /// A row that does not hold what was written.
    #[error(
        "row {key} of table {table} is corrupt ({reason}): restore the store from a backup, or start an empty one and let peers fill it"
    )]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The key, in hex.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

/// A block handed to [`OpLog::merge`](crate::OpLog::merge) is not taken, nor are the ones after it; the ones before it
/// were.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// It is wrong, here and everywhere.
    #[error("block {index} is refused: {reason}")]
    Refused {
        /// Its position in the list.
        index: usize,
        /// Why.
        reason: BlockError,
    },
    /// It would have to wait for others, and there is no room for that.
    #[error(
        "block {index} has to wait for others, and no more may wait (buffered_bytes_max is {bytes_max}, \
         buffered_blocks_max is {blocks_max}): hand in what it depends on, then this block and the ones after it again"
    )]
    Full {
        /// Its position in the list.
        index: usize,
        /// The bound in bytes.
        bytes_max: usize,
        /// The bound in blocks.
        blocks_max: usize,
    },
}
