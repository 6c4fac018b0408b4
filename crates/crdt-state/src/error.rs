//! Why an edit was refused.

use crate::{Kind, Path, edit::Pointer};

/// Why a transaction was refused. Nothing changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EditError {
    /// The log has not said under which replica to author, or has not replayed all that this replica wrote before.
    #[error("documents are still being loaded: wait until the node is ready, then edit again")]
    NotReady,
    /// The node is about to end; what is edited now would not be stored.
    #[error("the node is closing: edit again once it has been started again")]
    Closing,
    /// More edits than one transaction takes.
    #[error("{count} edits are too many for one transaction: split them into transactions of at most {max}")]
    TooManyEdits {
        /// How many.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// The root is a map, always.
    #[error("the document itself is a map: edit a path of at least one key")]
    Root,
    /// Something on the way is not a map.
    #[error("`{}` is {found}, so nothing lives below it: replace it with a map first", Pointer(path))]
    NotAMap {
        /// The place on the way.
        path: Path,
        /// What is there.
        found: Kind,
    },
    /// Another kind of container is there.
    #[error("`{}` is {found}, not {needed}: delete it first, or use another path", Pointer(path))]
    WrongKind {
        /// Where.
        path: Path,
        /// What is there.
        found: Kind,
        /// What the edit needs.
        needed: Kind,
    },
    /// Path and value together nest too deep.
    #[error("`{}` would nest {depth} levels: at most {max} are allowed", Pointer(path))]
    TooDeep {
        /// Where.
        path: Path,
        /// How many levels.
        depth: usize,
        /// The limit.
        max: usize,
    },
    /// A key of the path is too long.
    #[error("a key in `{}` has {bytes} bytes: at most {max} are allowed", Pointer(path))]
    KeyTooLong {
        /// Where.
        path: Path,
        /// The key's length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Sets hold scalars.
    #[error("the element for the set `{}` is a list or a map: sets hold scalars", Pointer(path))]
    NotScalar {
        /// Where.
        path: Path,
    },
    /// A map is not a value but a container.
    #[error("the value for `{}` is a map: make a map there and set what it holds key by key", Pointer(path))]
    MapAsValue {
        /// Where.
        path: Path,
    },
    /// A decimal number that is none.
    #[error("the value for `{}` holds `{text}`, which is not a number: write it as JSON does", Pointer(path))]
    NotANumber {
        /// Where.
        path: Path,
        /// The text.
        text: String,
    },
    /// The counter would leave the range of 64-bit integers.
    #[error("counting `{}` by {by} leaves the range of 64-bit integers", Pointer(path))]
    CounterOverflow {
        /// Where.
        path: Path,
        /// By how much.
        by: i64,
    },
    /// More than one operation holds.
    #[error("the transaction takes over {max} bytes, more than one operation holds: split it")]
    TooLarge {
        /// The limit.
        max: usize,
    },
}
