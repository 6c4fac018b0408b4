//! Datagrams: frames of a channel that may lose and reorder them, so that each holds one whole message.

use bytes::Bytes;

use crate::{
    DATAGRAM_BYTES_MAX, DATAGRAM_MESSAGE_BYTES_MAX, Envelope, FRAME_HEADER_BYTES, FRAME_VERSION, Protocol,
    WireError, frame::ENVELOPE_HEADER_BYTES,
};

/// A frame with this message and nothing else; refuses one over [`DATAGRAM_MESSAGE_BYTES_MAX`].
pub fn seal_datagram(protocol: Protocol, payload: &[u8]) -> Result<Bytes, WireError> {
    if payload.len() > DATAGRAM_MESSAGE_BYTES_MAX {
        let (size, limit) = (payload.len(), DATAGRAM_MESSAGE_BYTES_MAX);
        return Err(WireError::TooLarge { what: "message of a datagram", size, limit });
    }
    let mut frame = Vec::with_capacity(FRAME_HEADER_BYTES + ENVELOPE_HEADER_BYTES + payload.len());
    frame.extend([FRAME_VERSION, 0, protocol as u8]);
    frame.extend((payload.len() as u32).to_le_bytes());
    frame.extend(payload);
    Ok(frame.into())
}

/// The message of a datagram. An error says nothing about the datagrams before and after it.
pub fn open_datagram(frame: &Bytes) -> Result<Envelope, WireError> {
    if frame.len() > DATAGRAM_BYTES_MAX {
        let (size, limit) = (frame.len(), DATAGRAM_BYTES_MAX);
        return Err(WireError::TooLarge { what: "datagram", size, limit });
    }
    const HEADER_BYTES: usize = FRAME_HEADER_BYTES + ENVELOPE_HEADER_BYTES;
    let header = frame.first_chunk::<HEADER_BYTES>().ok_or(WireError::Truncated {
        what: "datagram header",
        needed: HEADER_BYTES,
        found: frame.len(),
    })?;
    let [version, flags, protocol, length @ ..] = *header;
    if version != FRAME_VERSION {
        return Err(WireError::Version { found: version });
    }
    if flags != 0 {
        return Err(WireError::Flags(flags));
    }
    let protocol = Protocol::try_from(protocol)?;
    let payload = frame.slice(HEADER_BYTES..);
    let needed = u32::from_le_bytes(length) as usize;
    if needed > payload.len() {
        return Err(WireError::Truncated { what: "datagram", needed, found: payload.len() });
    }
    if needed < payload.len() {
        return Err(WireError::Malformed(format!("{} bytes after the end", payload.len() - needed)));
    }
    Ok(Envelope { protocol, payload })
}
