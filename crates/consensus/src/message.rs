//! What peers exchange.

use meshwork_base::NodeId;
use serde::{Deserialize, Serialize};

use crate::SignedReceipt;

/// The most nodes in one [`Message::Linked`].
pub const LINKED_MAX: usize = 1_024;

/// The most receipts in one [`Message::Receipts`].
pub const RECEIPTS_MAX: usize = 256;

/// One message. A variant's number never changes its meaning; a new format is a new variant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Message {
    /// A receipt: the sender's own, or another node's that it passes on.
    Receipt(SignedReceipt),
    /// All nodes with which the sender is linked, strictly ascending, at most [`LINKED_MAX`]: their receipts reach it
    /// anyway, so there is no need to relay them to it.
    Linked(Vec<NodeId>),
    /// Several receipts that the sender passes on, at most [`RECEIPTS_MAX`].
    Receipts(Vec<SignedReceipt>),
}
