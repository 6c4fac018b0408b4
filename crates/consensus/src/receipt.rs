//! Receipts and their signed form.

use meshwork_base::{Bytes, NodeId, ReplicaId, SpaceId, Version};
use meshwork_identity::{Purpose, Signature, Signer, Verifier};
use meshwork_wire::{WireError, decode, encode};
use serde::{Deserialize, Serialize};

use crate::ReceiptError;

/// The version of the signed bytes.
pub const RECEIPT_FORMAT: u8 = 1;

/// The most tips in one receipt; whoever has more to say signs several.
pub const RECEIPT_ENTRIES_MAX: usize = 1_024;

/// The most bytes of one receipt: 57 for each tip at most, and what surrounds them. Fits a frame.
pub const RECEIPT_BYTES_MAX: usize = 60 * 1024;

/// "This incarnation of this node durably holds everything up to these tips."
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// [`RECEIPT_FORMAT`].
    pub format: u8,
    /// The space that it is about.
    pub space: SpaceId,
    /// Who says so.
    pub node: NodeId,
    /// Grows from one incarnation of the node to the next.
    pub epoch: u64,
    /// The incarnation.
    pub replica: ReplicaId,
    /// Grows from one receipt of the incarnation to the next. Of two tips at one sequence the later said holds.
    pub counter: u64,
    /// The tips; replicas that are not named are not spoken of.
    pub holds: Version,
}

/// A receipt as it travels: kept and forwarded as it came, never decoded and encoded again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignedReceipt {
    /// The encoded [`Receipt`].
    pub bytes: Bytes,
    /// Over `bytes`, by the receipt's node.
    pub signature: Signature,
}

impl SignedReceipt {
    /// Signs `receipt`. Fails only when it is too long for any message.
    pub fn sign(receipt: &Receipt, signer: &dyn Signer) -> Result<Self, WireError> {
        let bytes = encode(receipt)?;
        let signature = signer.sign(Purpose::Receipt, &bytes);
        Ok(Self { bytes: bytes.into(), signature })
    }

    /// Roughly how many bytes it takes in a message, not too few.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + size_of::<Signature>() + 16
    }

    /// What it says, checked for everything but the signature (the costly part, see [`verify`](Self::verify)).
    pub fn read(&self, space: SpaceId) -> Result<Receipt, ReceiptError> {
        if self.bytes.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLarge(self.bytes.len()));
        }
        match self.bytes.first() {
            Some(&format) if format != RECEIPT_FORMAT => return Err(ReceiptError::Format(format)),
            _ => {}
        }
        let receipt: Receipt = decode(&self.bytes)?;
        if receipt.space != space {
            return Err(ReceiptError::Space(receipt.space));
        }
        if receipt.holds.len() > RECEIPT_ENTRIES_MAX {
            return Err(ReceiptError::Entries(receipt.holds.len()));
        }
        if !receipt.holds.is_well_formed() {
            return Err(ReceiptError::Version);
        }
        Ok(receipt)
    }

    /// Whether `node` signed it.
    pub fn verify(&self, node: &NodeId, verifier: &dyn Verifier) -> Result<(), ReceiptError> {
        let signed = verifier.verify(node, Purpose::Receipt, &self.bytes, &self.signature);
        signed.then_some(()).ok_or(ReceiptError::Signature)
    }
}
