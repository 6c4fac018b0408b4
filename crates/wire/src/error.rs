//! What can be wrong with bytes.

/// Bytes that are refused, or a value that has no place on the wire. Nothing changed when one is returned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Another version of the format.
    #[error(
        "frame version {found} is unknown here: this build speaks version {}; upgrade the older side",
        crate::FRAME_VERSION
    )]
    Version {
        /// The version that the frame names.
        found: u8,
    },
    /// Flags that this version does not define.
    #[error("frame flags {0:#04x} are unknown in version {version}", version = crate::FRAME_VERSION)]
    Flags(u8),
    /// A protocol that this version does not define.
    #[error("protocol {0} is unknown in version {version}", version = crate::FRAME_VERSION)]
    Protocol(u8),
    /// The bytes end before the value does.
    #[error("{what} is cut short: {needed} bytes needed, {found} there")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        found: usize,
    },
    /// Over a limit of [`crate::limits`](crate).
    #[error("{what} of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// An envelope of nothing.
    #[error("an envelope without payload")]
    Empty,
    /// More messages than a frame may hold.
    #[error("a frame of more than {} messages", crate::FRAME_ENVELOPES_MAX)]
    Crowded,
    /// Compressed bytes that do not decompress to what they claim.
    #[error("compressed frame does not decompress: {0}")]
    Compression(String),
    /// Not an encoding of the expected value.
    #[error("malformed message: {0}")]
    Malformed(String),
    /// A message that begins while another of the channel is incomplete.
    #[error("a message of another protocol interrupts an incomplete one")]
    Interrupted,
}
