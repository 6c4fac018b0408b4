//! The frames of a channel and datagrams, as a stranger sends them: messages or an error, and what is a message survives
//! framing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meshwork_base::Bytes;
use meshwork_fuzz::pieces;
use meshwork_wire::{
    Assembler, Envelope, FRAME_BYTES_MAX, FrameWriter, MESSAGE_BYTES_MAX, open_datagram, seal_datagram,
};

fuzz_target!(|data: &[u8]| {
    let mut assembler = Assembler::default();
    let mut received = Vec::new();
    for frame in pieces(data) {
        match assembler.open(Bytes::copy_from_slice(frame)) {
            Ok(envelopes) => received.extend(envelopes),
            Err(_) => break,
        }
    }
    assert_eq!(again(&received), received);
    for datagram in pieces(data) {
        let datagram = Bytes::copy_from_slice(datagram);
        if let Ok(Envelope { protocol, payload }) = open_datagram(&datagram) {
            assert_eq!(seal_datagram(protocol, &payload), Ok(datagram), "a datagram is written in one way");
        }
    }
});

/// The same messages, framed and opened by us.
fn again(envelopes: &[Envelope]) -> Vec<Envelope> {
    let mut writer = FrameWriter::default();
    for Envelope { protocol, payload } in envelopes {
        assert!(payload.len() <= MESSAGE_BYTES_MAX);
        writer.push(*protocol, payload.clone()).expect("what was received can be sent");
    }
    let mut assembler = Assembler::default();
    let mut opened = Vec::new();
    while let Some(frame) = writer.finish() {
        assert!(frame.len() <= FRAME_BYTES_MAX);
        opened.extend(assembler.open(frame).expect("our own frames open"));
    }
    opened
}
