//! Datagrams: round trips, bounds, and what is refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use bytes::Bytes;
use meshwork_wire::{
    DATAGRAM_BYTES_MAX, DATAGRAM_MESSAGE_BYTES_MAX, Envelope, FrameWriter, Protocol, open_datagram,
    seal_datagram,
};
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_message_survives(payload in prop::collection::vec(any::<u8>(), 0..=DATAGRAM_MESSAGE_BYTES_MAX)) {
        let frame = seal_datagram(Protocol::Ephemeral, &payload).unwrap();
        prop_assert!(frame.len() <= DATAGRAM_BYTES_MAX);
        let envelope = Envelope { protocol: Protocol::Ephemeral, payload: payload.into() };
        prop_assert_eq!(open_datagram(&frame), Ok(envelope));
    }

    #[test]
    fn any_bytes_give_a_message_or_an_error(bytes: Vec<u8>, protocol in 0u8..7, length in 0u32..9) {
        let _ = open_datagram(&bytes.clone().into());
        let framed = [&[1, 0, protocol][..], &length.to_le_bytes(), &bytes].concat();
        let _ = open_datagram(&framed.into());
    }
}

#[test]
fn a_longer_message_is_refused_by_both_sides() {
    let error = seal_datagram(Protocol::Ephemeral, &[0; DATAGRAM_MESSAGE_BYTES_MAX + 1]).unwrap_err();
    assert_eq!(error.to_string(), "message of a datagram of 1144 bytes is over the limit of 1143");
    let error = open_datagram(&vec![0; DATAGRAM_BYTES_MAX + 1].into()).unwrap_err();
    assert_eq!(error.to_string(), "datagram of 1151 bytes is over the limit of 1150");
}

#[test]
fn what_does_not_stand_alone_is_refused() {
    let table: [(&[u8], &str); 7] = [
        (&[], "datagram header is cut short: 7 bytes needed, 0 there"),
        (&[9, 0, 5, 0, 0, 0, 0], "frame version 9 is unknown here"),
        (&[1, 1, 5, 0, 0, 0, 0], "frame flags 0x01 are unknown in version 1"),
        (&[1, 0, 77, 0, 0, 0, 0], "protocol 77 is unknown in version 1"),
        // The mark of a message that goes on in the next frame.
        (&[1, 0, 0x85, 0, 0, 0, 0], "protocol 133 is unknown in version 1"),
        (&[1, 0, 5, 2, 0, 0, 0, 7], "datagram is cut short: 2 bytes needed, 1 there"),
        (&[1, 0, 5, 0, 0, 0, 0, 7], "malformed message: 1 bytes after the end"),
    ];
    for (bytes, expected) in table {
        let error = open_datagram(&Bytes::copy_from_slice(bytes)).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

/// A datagram is a frame like any other; its bytes are pinned with those of frames.
#[test]
fn golden_datagram() {
    let frame = seal_datagram(Protocol::Ephemeral, b"here").unwrap();
    assert_eq!(base16ct::lower::encode_string(&frame), "0100050400000068657265");
    let mut writer = FrameWriter::default();
    writer.push(Protocol::Ephemeral, Bytes::from_static(b"here")).unwrap();
    assert_eq!(writer.finish(), Some(frame));
}
