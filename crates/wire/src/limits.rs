//! Every size limit on the wire, in bytes unless the name says otherwise.

/// The version of frames that this build speaks. Another one is refused by name.
pub const FRAME_VERSION: u8 = 1;

/// The longest frame: one message of a data channel. (Common implementations refuse more than 64 KiB.)
pub const FRAME_BYTES_MAX: usize = 64 * 1024;

/// What comes before a frame's body.
pub(crate) const FRAME_HEADER_BYTES: usize = 2;

/// What a frame may hold once decompressed: no more than without compression, so that a frame costs its receiver about
/// what it costs its sender.
pub const BODY_BYTES_MAX: usize = FRAME_BYTES_MAX - FRAME_HEADER_BYTES;

/// How many messages, or pieces of long ones, a frame may hold. Each costs its receiver more than its bytes.
pub const FRAME_ENVELOPES_MAX: usize = 1024;

/// Frames shorter than this are not worth compressing.
pub const COMPRESS_BYTES_MIN: usize = 512;

/// The longest message, in as many frames as it takes: the largest operation with room for what surrounds it.
pub const MESSAGE_BYTES_MAX: usize = OPERATION_BYTES_MAX + 64 * 1024;

/// The longest body of one operation.
pub const OPERATION_BYTES_MAX: usize = 1024 * 1024;

/// The longest block of operations, unless it holds a single operation that is larger.
pub const BLOCK_BYTES_MAX: usize = 60 * 1024;

/// The most operations in a block.
pub const BLOCK_OPERATIONS_MAX: usize = 1024;

/// The longest datagram, its header included: with those of SCTP, DTLS, TURN, UDP and IPv6 it fits the 1,280 bytes that
/// every path carries whole.
pub const DATAGRAM_BYTES_MAX: usize = 1_150;

/// The longest message in a datagram.
pub const DATAGRAM_MESSAGE_BYTES_MAX: usize = DATAGRAM_BYTES_MAX - 7;
