//! Frames: how messages become bytes, and bytes messages, without trust.
//!
//! ```text
//! message ── encode ──► envelope (protocol, payload) ──┐
//! message ── encode ──► envelope (protocol, payload) ──┼─ FrameWriter ──► frame ──► one data channel message
//!                                                      ┘
//! frame:    version u8 │ flags u8 │ [uncompressed length u32] │ body (lz4 when flagged)
//! body:     ( protocol u8 │ length u32 │ payload )*            numbers are little-endian
//! ```
//!
//! A payload longer than a frame continues in the next ones of the same channel (the protocol's top bit says that
//! more follows); [`Assembler`] puts it together again, within [`MESSAGE_BYTES_MAX`]. On the lossy channel a frame is a
//! **datagram**: it holds one whole message, uncompressed, and says all that it has to say without any other.
//!
//! Invariants:
//! - this is the only crate that knows `bincode` and `lz4_flex`, and every size limit on the wire is named here;
//! - nothing is allocated on the word of a peer: claimed lengths are checked before memory is taken;
//! - every error is a value; no input panics.
//!
//! ```
//! use meshwork_wire::{Assembler, FrameWriter, Protocol, decode, encode};
//! let mut writer = FrameWriter::default();
//! writer.push(Protocol::Presence, encode(&("here", 7u32))?.into())?;
//! let frame = writer.finish().unwrap();
//! let mut assembler = Assembler::default();
//! let envelopes = assembler.open(frame)?;
//! assert_eq!(envelopes[0].protocol, Protocol::Presence);
//! assert_eq!(decode::<(String, u32)>(&envelopes[0].payload)?, ("here".to_string(), 7));
//! # Ok::<(), meshwork_wire::WireError>(())
//! ```

mod channel;
mod codec;
mod datagram;
mod error;
mod frame;
mod limits;

pub use channel::{Channel, Protocol};
pub use codec::{decode, decode_prefix, encode, encode_into};
pub use datagram::{open_datagram, seal_datagram};
pub use error::WireError;
pub use frame::{Assembler, Envelope, FrameWriter};
pub use limits::*;
