//! What can be wrong with a receipt.

use meshwork_base::SpaceId;
use meshwork_wire::WireError;

use crate::{RECEIPT_BYTES_MAX, RECEIPT_ENTRIES_MAX, RECEIPT_FORMAT};

/// A receipt that is refused. Nothing changed; the link that brought it pays, unless it may come from a newer build
/// ([`Format`](Self::Format)).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReceiptError {
    /// Longer than any correct one.
    #[error("a receipt of {0} bytes is over the limit of {RECEIPT_BYTES_MAX}")]
    TooLarge(usize),
    /// Another version of the format.
    #[error("receipt format {0} is unknown here: this build speaks {RECEIPT_FORMAT}; upgrade the older side")]
    Format(u8),
    /// Not an encoding of a receipt.
    #[error("not a receipt: {0}")]
    Malformed(#[from] WireError),
    /// Made for another space.
    #[error("the receipt is about space {0}, not ours")]
    Space(SpaceId),
    /// More tips than one receipt takes.
    #[error("a receipt names at most {RECEIPT_ENTRIES_MAX} tips, this one {0}")]
    Entries(usize),
    /// Tips out of order, named twice, or at sequence 0.
    #[error("the receipt's tips are not strictly ascending by replica, or name sequence 0")]
    Version,
    /// The signature does not hold.
    #[error("the receipt is not signed by the node that it names")]
    Signature,
}
