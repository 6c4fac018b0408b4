//! Envelopes to frames and back.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes, BytesMut};

use crate::{
    BODY_BYTES_MAX, COMPRESS_BYTES_MIN, FRAME_BYTES_MAX, FRAME_ENVELOPES_MAX, FRAME_HEADER_BYTES,
    FRAME_VERSION, MESSAGE_BYTES_MAX, Protocol, WireError,
};

const COMPRESSED: u8 = 0b1;
const MORE_FOLLOWS: u8 = 0x80;
const LENGTH_BYTES: usize = 4;
pub(crate) const ENVELOPE_HEADER_BYTES: usize = 1 + LENGTH_BYTES;

/// One whole message of one protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// Which machine it is for.
    pub protocol: Protocol,
    /// Its encoding.
    pub payload: Bytes,
}

/// Packs messages of one channel into frames: as many small ones as fit and are allowed, and long ones in pieces.
///
/// It never holds more than its caller pushed; the caller bounds that.
#[derive(Default, Debug)]
pub struct FrameWriter {
    /// The messages that wait; of the first, `sent` bytes are in earlier frames.
    waiting: VecDeque<Envelope>,
    sent: usize,
    waiting_bytes: usize,
}

impl FrameWriter {
    /// Adds a message behind the others; refuses one over [`MESSAGE_BYTES_MAX`], and one of nothing.
    pub fn push(&mut self, protocol: Protocol, payload: Bytes) -> Result<(), WireError> {
        if payload.is_empty() {
            return Err(WireError::Empty);
        }
        if payload.len() > MESSAGE_BYTES_MAX {
            return Err(WireError::TooLarge {
                what: "message",
                size: payload.len(),
                limit: MESSAGE_BYTES_MAX,
            });
        }
        self.waiting_bytes += payload.len() + ENVELOPE_HEADER_BYTES;
        self.waiting.push_back(Envelope { protocol, payload });
        Ok(())
    }

    /// How many bytes wait to be framed.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next frame, as full as what waits allows; `None` when nothing waits.
    pub fn finish(&mut self) -> Option<Bytes> {
        if self.is_empty() {
            return None;
        }
        let mut frame = Vec::with_capacity(FRAME_HEADER_BYTES + self.waiting_bytes.min(BODY_BYTES_MAX));
        frame.extend([FRAME_VERSION, 0]);
        for _ in 0..FRAME_ENVELOPES_MAX {
            let Some(first) = self.waiting.front() else { break };
            let room = FRAME_BYTES_MAX - frame.len();
            let left = first.payload.len() - self.sent;
            if room <= ENVELOPE_HEADER_BYTES {
                break;
            }
            let fits = left + ENVELOPE_HEADER_BYTES <= room;
            let is_first = frame.len() == FRAME_HEADER_BYTES;
            // A message that fits in a frame of its own is not torn for the sake of this one.
            if !fits && self.sent == 0 && !is_first && left + ENVELOPE_HEADER_BYTES <= BODY_BYTES_MAX {
                break;
            }
            let take = left.min(room - ENVELOPE_HEADER_BYTES);
            frame.push(first.protocol as u8 | if fits { 0 } else { MORE_FOLLOWS });
            frame.extend((take as u32).to_le_bytes());
            frame.extend(&first.payload[self.sent..self.sent + take]);
            if !fits {
                self.sent += take;
                self.waiting_bytes -= take;
                break;
            }
            self.waiting_bytes -= take + ENVELOPE_HEADER_BYTES;
            self.sent = 0;
            self.waiting.pop_front();
        }
        Some(compressed(&frame).unwrap_or_else(|| frame.into()))
    }
}

/// What `frame` is when its body is compressed, if that makes it shorter.
fn compressed(frame: &[u8]) -> Option<Bytes> {
    let body = &frame[FRAME_HEADER_BYTES..];
    if body.len() < COMPRESS_BYTES_MIN {
        return None;
    }
    let most = lz4_flex::block::get_maximum_output_size(body.len());
    let mut frame = vec![0; FRAME_HEADER_BYTES + LENGTH_BYTES + most];
    frame[..FRAME_HEADER_BYTES].copy_from_slice(&[FRAME_VERSION, COMPRESSED]);
    frame[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + LENGTH_BYTES]
        .copy_from_slice(&(body.len() as u32).to_le_bytes());
    let size = lz4_flex::block::compress_into(body, &mut frame[FRAME_HEADER_BYTES + LENGTH_BYTES..]).ok()?;
    frame.truncate(FRAME_HEADER_BYTES + LENGTH_BYTES + size);
    (size + LENGTH_BYTES < body.len()).then(|| frame.into())
}

/// Opens the frames of one channel, in order, and puts long messages together again.
#[derive(Default, Debug)]
pub struct Assembler {
    partial: Option<(Protocol, BytesMut)>,
}

impl Assembler {
    /// The messages that `frame` completes. After an error the channel is of no further use: what follows cannot be
    /// told from garbage.
    pub fn open(&mut self, frame: Bytes) -> Result<Vec<Envelope>, WireError> {
        let mut rest = unseal(frame)?;
        let mut envelopes = Vec::new();
        let mut pieces = 0;
        while !rest.is_empty() {
            if pieces == FRAME_ENVELOPES_MAX {
                return Err(WireError::Crowded);
            }
            pieces += 1;
            let header = rest.first_chunk::<ENVELOPE_HEADER_BYTES>().ok_or(WireError::Truncated {
                what: "envelope header",
                needed: ENVELOPE_HEADER_BYTES,
                found: rest.len(),
            })?;
            let [tag, length @ ..] = *header;
            let length = u32::from_le_bytes(length) as usize;
            rest.advance(ENVELOPE_HEADER_BYTES);
            if length > rest.len() {
                return Err(WireError::Truncated { what: "envelope", needed: length, found: rest.len() });
            }
            let protocol = Protocol::try_from(tag & !MORE_FOLLOWS)?;
            if length == 0 {
                return Err(WireError::Empty);
            }
            let piece = rest.split_to(length);
            envelopes.extend(self.assemble(protocol, piece, tag & MORE_FOLLOWS != 0)?);
        }
        Ok(envelopes)
    }

    fn assemble(
        &mut self,
        protocol: Protocol,
        piece: Bytes,
        more: bool,
    ) -> Result<Option<Envelope>, WireError> {
        let Some((begun, mut whole)) = self.partial.take() else {
            if more {
                self.partial = Some((protocol, BytesMut::from(&piece[..])));
                return Ok(None);
            }
            return Ok(Some(Envelope { protocol, payload: piece }));
        };
        if begun != protocol {
            return Err(WireError::Interrupted);
        }
        let size = whole.len() + piece.len();
        if size > MESSAGE_BYTES_MAX {
            return Err(WireError::TooLarge { what: "message", size, limit: MESSAGE_BYTES_MAX });
        }
        whole.extend_from_slice(&piece);
        if more {
            self.partial = Some((protocol, whole));
            return Ok(None);
        }
        Ok(Some(Envelope { protocol, payload: whole.freeze() }))
    }
}

/// The body of `frame`.
fn unseal(mut frame: Bytes) -> Result<Bytes, WireError> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(WireError::TooLarge { what: "frame", size: frame.len(), limit: FRAME_BYTES_MAX });
    }
    let Some([version, flags]) = frame.first_chunk().copied() else {
        return Err(WireError::Truncated {
            what: "frame header",
            needed: FRAME_HEADER_BYTES,
            found: frame.len(),
        });
    };
    frame.advance(FRAME_HEADER_BYTES);
    match (version, flags) {
        (FRAME_VERSION, 0) => Ok(frame),
        (FRAME_VERSION, COMPRESSED) => decompress(&frame),
        (FRAME_VERSION, flags) => Err(WireError::Flags(flags)),
        (found, _) => Err(WireError::Version { found }),
    }
}

fn decompress(bytes: &[u8]) -> Result<Bytes, WireError> {
    let (length, compressed) = bytes.split_first_chunk::<LENGTH_BYTES>().ok_or(WireError::Truncated {
        what: "uncompressed length",
        needed: LENGTH_BYTES,
        found: bytes.len(),
    })?;
    let size = u32::from_le_bytes(*length) as usize;
    if size > BODY_BYTES_MAX {
        return Err(WireError::TooLarge { what: "decompressed frame", size, limit: BODY_BYTES_MAX });
    }
    let body = lz4_flex::block::decompress(compressed, size)
        .map_err(|error| WireError::Compression(error.to_string()))?;
    if body.len() != size {
        return Err(WireError::Compression(format!("{} bytes instead of the claimed {size}", body.len())));
    }
    Ok(body.into())
}
