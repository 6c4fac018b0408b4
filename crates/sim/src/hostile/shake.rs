//! What becomes of a hostile node's own handshakes on their way out.

use std::collections::BTreeMap;

use meshwork::{Bytes, NodeId, Random, SessionId, SpaceId};
use meshwork_transport::{Hello, LINK_VERSION, LinkId, Message, Proof};
use meshwork_wire::{Channel, Envelope, Protocol};

use super::frames;

/// So many earlier handshakes are remembered.
const REMEMBERED: usize = 16;
/// The same word so many times.
const FLOOD: usize = 200;

/// What it does on one connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trick {
    /// As a correct node would: so that it gets in, now and then, and out again.
    None,
    /// What it said on an earlier connection.
    OldHello,
    OldProof,
    /// Somebody else's name, under its own proof.
    OtherNode,
    OtherSession,
    OtherSpace,
    OtherVersion,
    /// Another certificate than the connection has: somebody in the middle.
    OtherCertificate,
    /// A signature that is not its own, and one by it of nothing.
    StolenProof,
    BadSignature,
    /// Another secret.
    BadSecret,
    /// It never says who it is, or never proves it, or never says that the other's proof holds.
    NoHello,
    NoProof,
    NoReady,
    /// The same again and again.
    Flood,
    /// Payloads before it has proved anything, or bytes that make no sense.
    Early,
    Garbage,
}

impl Trick {
    const ALL: [Self; 17] = [
        Self::None,
        Self::OldHello,
        Self::OldProof,
        Self::OtherNode,
        Self::OtherSession,
        Self::OtherSpace,
        Self::OtherVersion,
        Self::OtherCertificate,
        Self::StolenProof,
        Self::BadSignature,
        Self::BadSecret,
        Self::NoHello,
        Self::NoProof,
        Self::NoReady,
        Self::Flood,
        Self::Early,
        Self::Garbage,
    ];
}

/// The handshakes of one hostile node.
#[derive(Default)]
pub(super) struct Shakes {
    /// What it does on which connection.
    tricks: BTreeMap<LinkId, Trick>,
    /// What it said on earlier ones.
    hellos: Vec<Hello>,
    proofs: Vec<Proof>,
    /// The last proof of somebody else.
    overheard: Option<Proof>,
}

/// What leaves in place of a frame.
pub(crate) struct Shaken {
    pub(crate) frames: Vec<Bytes>,
    /// Whoever takes it for a handshake lets an impostor in.
    pub(crate) is_false: bool,
}

impl Shakes {
    /// A frame came.
    pub(super) fn hear(&mut self, envelope: &Envelope) {
        if let (Protocol::Link, Ok(Message::Proof(proof))) =
            (envelope.protocol, Message::decode(&envelope.payload))
        {
            self.overheard = Some(proof);
        }
    }

    /// What becomes of a frame that its machines send; none if it is no part of a handshake.
    pub(super) fn shake(&mut self, random: &mut Random, link: LinkId, frame: &Bytes) -> Option<Shaken> {
        let envelopes = frames::open(Channel::Control, frame).ok()?;
        let words: Vec<_> = envelopes.iter().map(|envelope| word(envelope).ok_or(envelope)).collect();
        if !words.iter().any(Result::is_ok) {
            return None;
        }
        let trick = *self.tricks.entry(link).or_insert_with(|| {
            let at = random.below(Trick::ALL.len() as u64 + 3) as usize;
            Trick::ALL.get(at).copied().unwrap_or(Trick::None)
        });
        let mut shaken = Shaken { frames: Vec::new(), is_false: false };
        for word in words {
            match word {
                Ok(word) => self.say(random, trick, word, &mut shaken),
                Err(Envelope { protocol, payload }) => {
                    shaken.frames.extend(frames::wrap_bytes(*protocol, payload.clone()));
                }
            }
        }
        Some(shaken)
    }

    fn say(&mut self, random: &mut Random, trick: Trick, word: Message, shaken: &mut Shaken) {
        let said = match &word {
            Message::Hello(hello) => {
                let said = self.hello(random, trick, hello.clone());
                remember(&mut self.hellos, hello.clone());
                said
            }
            Message::Proof(proof) => {
                let said = self.proof(trick, proof.clone());
                remember(&mut self.proofs, proof.clone());
                said
            }
            _ if trick == Trick::NoReady => return,
            word => vec![word.clone()],
        };
        shaken.is_false |= said.first() != Some(&word) || said.len() > 1;
        let frames = said.iter().flat_map(|word| frames::wrap_bytes(Protocol::Link, word.encode()));
        shaken.frames.extend(frames);
        if matches!(word, Message::Hello(_)) {
            match trick {
                Trick::Early => shaken
                    .frames
                    .extend(frames::wrap(Protocol::OpLog, &meshwork_op_log::Message::Credit { bytes: 1 })),
                Trick::Garbage => {
                    shaken
                        .frames
                        .extend(frames::wrap_bytes(Protocol::Link, frames::random_bytes(random, 600)));
                }
                _ => return,
            }
            shaken.is_false = true;
        }
    }

    fn hello(&self, random: &mut Random, trick: Trick, hello: Hello) -> Vec<Message> {
        let changed = match trick {
            Trick::NoHello => return Vec::new(),
            Trick::Flood => return vec![Message::Hello(hello); FLOOD],
            Trick::OldHello => match self.hellos.get(random.below(self.hellos.len() as u64) as usize) {
                Some(old) => old.clone(),
                None => hello,
            },
            Trick::OtherNode => Hello { node: NodeId(random.bytes()), ..hello },
            Trick::OtherSession => Hello { session: SessionId(random.bytes()), ..hello },
            Trick::OtherSpace => Hello { space: SpaceId(random.bytes()), ..hello },
            Trick::OtherVersion => Hello { version: LINK_VERSION + 1, ..hello },
            Trick::OtherCertificate => Hello { certificate: "sha-256 ff:ff".into(), ..hello },
            _ => hello,
        };
        vec![Message::Hello(changed)]
    }

    fn proof(&self, trick: Trick, mut proof: Proof) -> Vec<Message> {
        match trick {
            Trick::NoProof => return Vec::new(),
            Trick::OldProof => proof = self.proofs.last().cloned().unwrap_or(proof),
            Trick::StolenProof => proof = self.overheard.clone().unwrap_or(proof),
            Trick::BadSignature => proof.signature.0[5] ^= 4,
            Trick::BadSecret => proof.mac[5] ^= 4,
            _ => {}
        }
        vec![Message::Proof(proof)]
    }
}

/// The message of an envelope that is part of a handshake.
fn word(envelope: &Envelope) -> Option<Message> {
    if envelope.protocol != Protocol::Link {
        return None;
    }
    let word = Message::decode(&envelope.payload).ok()?;
    matches!(word, Message::Hello(_) | Message::Proof(_) | Message::Ready).then_some(word)
}

fn remember<T>(list: &mut Vec<T>, thing: T) {
    if list.len() == REMEMBERED {
        list.remove(0);
    }
    list.push(thing);
}
