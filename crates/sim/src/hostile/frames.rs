//! Frames as bytes: around messages, and such as no correct node sends.

use meshwork::{Bytes, Random};
use meshwork_consensus as consensus;
use meshwork_op_log as op_log;
use meshwork_presence as presence;
use meshwork_transport as transport;
use meshwork_wire::{
    Assembler, BODY_BYTES_MAX, Channel, DATAGRAM_BYTES_MAX, Envelope, FRAME_BYTES_MAX, FRAME_ENVELOPES_MAX,
    FRAME_VERSION, FrameWriter, MESSAGE_BYTES_MAX, Protocol, WireError, decode, encode, open_datagram,
    seal_datagram,
};
use serde::Serialize;

const COMPRESSED: u8 = 1;
const MORE_FOLLOWS: u8 = 0x80;

/// What whoever receives something on a link that is up certainly holds against its sender.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Charge {
    /// Perhaps nothing.
    None,
    /// It is counted: it costs the link when it happens too often.
    Counted,
    /// It costs the link at once.
    Cut,
    /// Its sender is not who it says: nothing comes of it.
    Imposture,
}

/// What a frame is worth to its receiver. What waits there for its continuation makes it no better.
pub(super) fn charge(channel: Channel, frame: &Bytes) -> Charge {
    match open(channel, frame) {
        Err(_) => Charge::Cut,
        Ok(envelopes) => {
            envelopes.iter().map(|envelope| charge_one(channel, envelope)).max().unwrap_or(Charge::None)
        }
    }
}

/// The messages of a frame that stands alone.
pub(super) fn open(channel: Channel, frame: &Bytes) -> Result<Vec<Envelope>, WireError> {
    match channel {
        Channel::Lossy => open_datagram(frame).map(|envelope| vec![envelope]),
        _ => Assembler::default().open(frame.clone()),
    }
}

fn charge_one(channel: Channel, Envelope { protocol, payload }: &Envelope) -> Charge {
    if (*protocol == Protocol::Ephemeral) != (channel == Channel::Lossy) {
        return Charge::Cut;
    }
    let readable = match protocol {
        Protocol::Link => {
            return match transport::Message::decode(payload) {
                Ok(transport::Message::Hello(_) | transport::Message::Proof(_)) | Err(_) => Charge::Cut,
                Ok(_) if channel != Channel::Control => Charge::Cut,
                Ok(_) => Charge::None,
            };
        }
        Protocol::OpLog => decode::<op_log::Message>(payload).is_ok(),
        Protocol::Presence => decode::<presence::Message>(payload).is_ok(),
        Protocol::Consensus => decode::<consensus::Message>(payload).is_ok(),
        Protocol::Ephemeral => decode::<presence::Datagram>(payload).is_ok(),
    };
    if readable { Charge::None } else { Charge::Counted }
}

/// A message in as many frames as it takes.
pub(super) fn wrap(protocol: Protocol, message: &impl Serialize) -> Vec<Bytes> {
    encode(message).map(|payload| wrap_bytes(protocol, payload.into())).unwrap_or_default()
}

pub(super) fn wrap_bytes(protocol: Protocol, payload: Bytes) -> Vec<Bytes> {
    if protocol == Protocol::Ephemeral {
        return seal_datagram(protocol, &payload).into_iter().collect();
    }
    let mut writer = FrameWriter::default();
    match writer.push(protocol, payload) {
        Ok(()) => std::iter::from_fn(|| writer.finish()).collect(),
        Err(_) => Vec::new(),
    }
}

/// Bytes that were never a frame, or a frame around bytes that were never a message.
pub(super) fn garbage(random: &mut Random) -> (Channel, Vec<Bytes>) {
    let bytes = random_bytes(random, 800);
    let protocols = [Protocol::Link, Protocol::OpLog, Protocol::Presence, Protocol::Consensus];
    match random.below(8) {
        at @ 0..4 => (Channel::RELIABLE[random.below(3) as usize], wrap_bytes(protocols[at as usize], bytes)),
        4 => (Channel::Lossy, wrap_bytes(Protocol::Ephemeral, bytes)),
        _ => (Channel::ALL[random.below(4) as usize], vec![bytes]),
    }
}

pub(super) fn random_bytes(random: &mut Random, most: u64) -> Bytes {
    (0..1 + random.below(most)).map(|_| random.below(256) as u8).collect::<Vec<_>>().into()
}

/// A frame that is cut short, or of which a bit is flipped.
pub(super) fn damaged(random: &mut Random, frame: &Bytes) -> Bytes {
    let at = random.below(frame.len() as u64) as usize;
    if random.chance(0.5) {
        return frame.slice(..at);
    }
    let mut bytes = frame.to_vec();
    bytes[at] ^= 1 << random.below(8);
    bytes.into()
}

/// Frames above one of the limits.
pub(super) fn oversized(random: &mut Random) -> (Channel, Vec<Bytes>) {
    let channel = Channel::RELIABLE[random.below(3) as usize];
    let plain = |body: &[u8]| [&[FRAME_VERSION, 0], body].concat().into();
    let envelope = |tag: u8, claimed: usize, payload: &[u8]| -> Vec<u8> {
        [&[tag][..], &(claimed as u32).to_le_bytes(), payload].concat()
    };
    let op_log = Protocol::OpLog as u8;
    let frames = match random.below(6) {
        0 => vec![plain(&vec![0; FRAME_BYTES_MAX])],
        1 => vec![plain(&envelope(op_log, u32::MAX as usize, b"x"))],
        2 => vec![plain(&envelope(Protocol::Link as u8, 1, &[4]).repeat(FRAME_ENVELOPES_MAX + 1))],
        // A message that goes on and on.
        3 => {
            let piece = vec![7; BODY_BYTES_MAX - 5];
            let frame: Bytes = plain(&envelope(op_log | MORE_FOLLOWS, piece.len(), &piece));
            vec![frame; MESSAGE_BYTES_MAX / piece.len() + 2]
        }
        // Blocks that are said to be 2^60.
        4 => {
            let mut claim = vec![4, 0, 253];
            claim.extend((1u64 << 60).to_le_bytes());
            vec![plain(&envelope(op_log, claim.len(), &claim))]
        }
        _ => return (Channel::Lossy, vec![plain(&vec![0; DATAGRAM_BYTES_MAX])]),
    };
    (channel, frames)
}

/// A small frame that unpacks, or says that it unpacks, to far more than a frame may hold.
pub(super) fn bomb(random: &mut Random) -> (Channel, Vec<Bytes>) {
    let claimed = match random.below(3) {
        0 => u32::MAX,
        1 => BODY_BYTES_MAX as u32 + 1,
        _ => BODY_BYTES_MAX as u32,
    };
    let mut frame = vec![FRAME_VERSION, COMPRESSED];
    frame.extend(claimed.to_le_bytes());
    // One literal zero, and then itself again: each further byte stands for 255 of them.
    frame.extend([0x1f, 0, 1, 0]);
    frame.extend(vec![255; 1 + random.below(60_000) as usize]);
    frame.extend([0, 0]);
    (Channel::RELIABLE[random.below(3) as usize], vec![frame.into()])
}

#[cfg(test)]
mod tests {
    use meshwork::Seed;

    use super::*;

    #[test]
    fn what_no_correct_node_sends_is_always_charged() {
        let mut random = Seed::from_number(1).random();
        for _ in 0..300 {
            let (channel, frames) = bomb(&mut random);
            assert_eq!(charge(channel, &frames[0]), Charge::Cut);
            let (channel, frames) = oversized(&mut random);
            // A message in many pieces is too long only at the end.
            assert!(frames.len() > 1 || charge(channel, &frames[0]) > Charge::None, "{:?}", frames[0]);
            let (channel, frames) = garbage(&mut random);
            assert!(frames.iter().all(|frame| charge(channel, frame) > Charge::None));
        }
    }

    #[test]
    fn what_correct_nodes_send_is_not() {
        let ping = wrap_bytes(Protocol::Link, transport::Message::Ping { token: 3 }.encode());
        assert_eq!(charge(Channel::Control, &ping[0]), Charge::None);
        let linked = wrap(Protocol::Consensus, &consensus::Message::Linked(vec![]));
        assert_eq!(charge(Channel::Control, &linked[0]), Charge::None);
        assert_eq!(charge(Channel::Lossy, &linked[0]), Charge::Cut);
    }
}
