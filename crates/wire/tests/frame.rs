//! Frames: round trips, bounds, and what is refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use bytes::Bytes;
use meshwork_wire::{
    Assembler, BODY_BYTES_MAX, Envelope, FRAME_BYTES_MAX, FRAME_VERSION, FrameWriter, MESSAGE_BYTES_MAX,
    Protocol, WireError,
};
use proptest::prelude::*;

fn frames(messages: &[(Protocol, Vec<u8>)]) -> Vec<Bytes> {
    let mut writer = FrameWriter::default();
    for (protocol, payload) in messages {
        writer.push(*protocol, payload.clone().into()).unwrap();
    }
    let frames = std::iter::from_fn(|| writer.finish()).collect();
    assert!(writer.is_empty() && writer.waiting_bytes() == 0);
    frames
}

fn open_all(frames: &[Bytes]) -> Vec<(Protocol, Vec<u8>)> {
    let mut assembler = Assembler::default();
    let open = |frame: &Bytes| assembler.open(frame.clone()).unwrap();
    frames.iter().flat_map(open).map(|Envelope { protocol, payload }| (protocol, payload.to_vec())).collect()
}

fn message() -> impl Strategy<Value = (Protocol, Vec<u8>)> {
    let protocol = prop::sample::select(vec![Protocol::Link, Protocol::OpLog, Protocol::Consensus]);
    let payload = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 1..200),
        1 => (any::<u8>(), 1usize..200_000).prop_map(|(byte, size)| vec![byte; size]),
        1 => (any::<u64>(), 60_000usize..140_000).prop_map(|(seed, size)| noise(seed, size)),
    ];
    (protocol, payload)
}

/// Bytes that do not compress.
fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..size).map(|_| next()).collect()
}

proptest! {
    #[test]
    fn messages_survive_framing(messages in prop::collection::vec(message(), 0..12)) {
        let frames = frames(&messages);
        prop_assert!(frames.iter().all(|frame| frame.len() <= FRAME_BYTES_MAX));
        prop_assert_eq!(open_all(&frames), messages);
    }

    #[test]
    fn any_bytes_give_messages_or_an_error(bytes: Vec<u8>, flags in 0u8..3) {
        let mut assembler = Assembler::default();
        let _ = assembler.open(bytes.clone().into());
        let mut framed = vec![FRAME_VERSION, flags];
        framed.extend(bytes);
        let _ = assembler.open(framed.into());
    }
}

#[test]
fn small_messages_share_a_frame() {
    let messages: Vec<_> = (0..100).map(|n| (Protocol::OpLog, vec![n; 10])).collect();
    assert_eq!(frames(&messages).len(), 1);
}

#[test]
fn a_frame_holds_so_many_messages() {
    let messages: Vec<_> = (0..5_000u32).map(|n| (Protocol::OpLog, vec![n as u8])).collect();
    let honest = frames(&messages);
    assert_eq!(honest.len(), 5);
    assert_eq!(open_all(&honest), messages);
    // What costs its sender a kilobyte, compressed, must not cost its receiver thousands of messages.
    let crowd = [&[FRAME_VERSION, 0][..], &[2, 1, 0, 0, 0, 7].repeat(1_025)].concat();
    let error = Assembler::default().open(crowd.into()).unwrap_err();
    assert_eq!(error.to_string(), "a frame of more than 1024 messages");
}

#[test]
fn the_largest_message_passes_and_a_larger_one_is_refused() {
    let largest = (Protocol::OpLog, noise(3, MESSAGE_BYTES_MAX));
    assert_eq!(open_all(&frames(std::slice::from_ref(&largest))), [largest]);
    let error =
        FrameWriter::default().push(Protocol::OpLog, vec![0; MESSAGE_BYTES_MAX + 1].into()).unwrap_err();
    assert_eq!(
        error,
        WireError::TooLarge { what: "message", size: MESSAGE_BYTES_MAX + 1, limit: MESSAGE_BYTES_MAX }
    );
}

#[test]
fn bad_frames_are_refused_by_name() {
    let bomb =
        |claim: u32| [&[FRAME_VERSION, 1][..], &claim.to_le_bytes(), &[0x1f, 0, 1, 0, 255, 255]].concat();
    let envelope =
        |tag: u8, claim: u32| [&[FRAME_VERSION, 0, tag][..], &claim.to_le_bytes(), b"abc"].concat();
    let table: [(Vec<u8>, &str); 10] = [
        (vec![], "frame header is cut short: 2 bytes needed, 0 there"),
        (vec![9, 0], "frame version 9 is unknown here: this build speaks version 1; upgrade the older side"),
        (vec![1, 6], "frame flags 0x06 are unknown in version 1"),
        (vec![0; FRAME_BYTES_MAX + 1], "frame of 65537 bytes is over the limit of 65536"),
        (bomb(u32::MAX), "decompressed frame of 4294967295 bytes is over the limit of 65534"),
        (bomb(BODY_BYTES_MAX as u32), "compressed frame does not decompress: "),
        (envelope(2, 4), "envelope is cut short: 4 bytes needed, 3 there"),
        (envelope(0x7f, 3), "protocol 127 is unknown in version 1"),
        (vec![1, 0, 2, 0, 0, 0, 0], "an envelope without payload"),
        (vec![1, 0, 2, 0], "envelope header is cut short: 5 bytes needed, 2 there"),
    ];
    for (bytes, expected) in table {
        let error = Assembler::default().open(bytes.into()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn an_endless_message_is_refused_at_the_limit() {
    let piece = [&[FRAME_VERSION, 0, 0x82][..], &60_000u32.to_le_bytes(), &[7; 60_000]].concat();
    let (piece, mut assembler) = (Bytes::from(piece), Assembler::default());
    let error = (0..100).find_map(|_| assembler.open(piece.clone()).err()).unwrap();
    assert!(matches!(error, WireError::TooLarge { what: "message", .. }));
}

#[test]
fn a_message_of_another_protocol_may_not_interrupt() {
    let mut assembler = Assembler::default();
    assembler.open(Bytes::from_static(&[FRAME_VERSION, 0, 0x82, 1, 0, 0, 0, 7])).unwrap();
    assert_eq!(
        assembler.open(Bytes::from_static(&[FRAME_VERSION, 0, 3, 1, 0, 0, 0, 7])),
        Err(WireError::Interrupted)
    );
}

/// The bytes of a frame are pinned: whoever changes them raises `FRAME_VERSION`.
#[test]
fn golden_frame() {
    let plain = frames(&[(Protocol::Presence, b"here".to_vec()), (Protocol::OpLog, vec![9])]);
    assert_eq!(base16ct::lower::encode_string(&plain[0]), "0100030400000068657265020100000009");
    let packed = frames(&[(Protocol::OpLog, vec![b'x'; 600])]);
    assert_eq!(
        base16ct::lower::encode_string(&packed[0]),
        include_str!("golden/frame_compressed.hex").trim()
    );
}
