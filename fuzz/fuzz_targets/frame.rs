//! The frames of a channel, as a stranger sends them: messages or an error, and what is a message survives
//! framing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meshwork_fuzz::pieces;
use meshwork_wire::{Assembler, Envelope, FRAME_BYTES_MAX, FrameWriter, MESSAGE_BYTES_MAX};

fuzz_target!(|data: &[u8]| {
    let mut assembler = Assembler::default();
    let mut received = Vec::new();
    for frame in pieces(data) {
        match assembler.open(frame) {
            Ok(envelopes) => received.extend(envelopes),
            Err(_) => break,
        }
    }
    assert_eq!(again(&received), received);
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
        opened.extend(assembler.open(&frame).expect("our own frames open"));
    }
    opened
}
