//! The proof of who is at the other end, over one open connection.
//!
//! ```text
//! both:  Hello ─►   version, space, node, session, replica, nonce, own certificate
//! both:  Proof ─►   signature and mac over hash(role ‖ both Hellos, offerer first ‖ both certificates as seen here)
//! both:  Ready ─►   "your proof holds"; the link is up where it arrives
//! ```
//!
//! - A hub in the middle has to show certificates of its own. Then what the two ends see differs, and so does what they
//!   sign.
//! - A proof of an earlier connection, or the peer's own proof sent back to it, covers other nonces or the other role.
//! - The space's secret never travels. (Who connects can still try passwords offline against a mac.)

use bytes::Bytes;
use meshwork_base::{Hash, NodeId, ReplicaId, SessionId};
use meshwork_identity::Purpose;

use crate::{Context, Fingerprints, Hello, LINK_VERSION, Message, Proof, Refusal};

/// Which end of a connection: the order in the transcript, and no proof serves for both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Offerer,
    Answerer,
}

impl Role {
    fn other(self) -> Self {
        match self {
            Self::Offerer => Self::Answerer,
            Self::Answerer => Self::Offerer,
        }
    }
}

/// What we know of the other end before it speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// Who exchanged the signals.
    pub(crate) session: SessionId,
    /// Its node, if the hub said so.
    pub(crate) node: Option<NodeId>,
}

#[derive(Debug)]
pub(crate) struct Handshake {
    role: Role,
    seen: Fingerprints,
    ours: Option<Bytes>,
    /// Their `Hello`, and its bytes as they came.
    theirs: Option<(Hello, Bytes)>,
    proved: bool,
}

impl Handshake {
    pub(crate) fn new(role: Role, seen: &Fingerprints) -> Result<Self, Refusal> {
        let seen = seen.normalised();
        if seen.local.is_empty() || seen.remote.is_empty() {
            return Err(Refusal::NoCertificate);
        }
        Ok(Self { role, seen, ours: None, theirs: None, proved: false })
    }

    /// Whether their proof holds.
    pub(crate) fn proved(&self) -> Option<&Hello> {
        self.theirs.as_ref().filter(|_| self.proved).map(|(hello, _)| hello)
    }

    /// Our `Hello`; `None` when it is said already.
    pub(crate) fn hello(&mut self, context: &Context, replica: ReplicaId, nonce: [u8; 32]) -> Option<Bytes> {
        if self.ours.is_some() {
            return None;
        }
        let hello = Message::Hello(Hello {
            version: LINK_VERSION,
            space: context.space,
            node: context.signer.node(),
            session: context.session,
            replica,
            durable: context.durable,
            nonce,
            certificate: self.seen.local.clone(),
        });
        self.ours.insert(hello.encode()).clone().into()
    }

    /// Takes their `Hello`, which `bytes` encode.
    pub(crate) fn on_hello(
        &mut self,
        context: &Context,
        expected: Expected,
        hello: Hello,
        bytes: Bytes,
    ) -> Result<(), Refusal> {
        if self.theirs.is_some() {
            return Err(Refusal::OutOfTurn("a second Hello"));
        }
        if hello.space != context.space {
            return Err(Refusal::Space { found: hello.space, ours: context.space });
        }
        if hello.session == context.session {
            return Err(Refusal::Itself);
        }
        if hello.session != expected.session {
            return Err(Refusal::Session { expected: expected.session, found: hello.session });
        }
        if let Some(announced) = expected.node.filter(|announced| *announced != hello.node) {
            return Err(Refusal::Node { announced, found: hello.node });
        }
        if hello.certificate != self.seen.remote {
            return Err(Refusal::Certificate);
        }
        self.theirs = Some((hello, bytes));
        Ok(())
    }

    /// Our `Proof`, once both have said `Hello`.
    pub(crate) fn proof(&self, context: &Context) -> Option<Message> {
        let transcript = self.transcript(self.role)?;
        let signature = context.signer.sign(Purpose::Handshake, &transcript.0);
        Some(Message::Proof(Proof { signature, mac: context.secret.authenticate(&transcript.0) }))
    }

    /// Takes their `Proof`.
    pub(crate) fn on_proof(&mut self, context: &Context, proof: &Proof) -> Result<(), Refusal> {
        let (Some(transcript), Some((hello, _))) = (self.transcript(self.role.other()), &self.theirs) else {
            return Err(Refusal::OutOfTurn("a Proof without Hello"));
        };
        if self.proved {
            return Err(Refusal::OutOfTurn("a second Proof"));
        }
        if !context.verifier.verify(&hello.node, Purpose::Handshake, &transcript.0, &proof.signature) {
            return Err(Refusal::Signature { node: hello.node });
        }
        if !context.secret.verify(&transcript.0, &proof.mac) {
            return Err(Refusal::Secret);
        }
        self.proved = true;
        Ok(())
    }

    /// What the end in `role` signs.
    fn transcript(&self, role: Role) -> Option<Hash> {
        let (ours, (_, theirs)) = (self.ours.as_ref()?, self.theirs.as_ref()?);
        let ours = [&ours[..], self.seen.local.as_bytes()];
        let theirs = [&theirs[..], self.seen.remote.as_bytes()];
        let ([offerer, offerer_cert], [answerer, answerer_cert]) = match self.role {
            Role::Offerer => (ours, theirs),
            Role::Answerer => (theirs, ours),
        };
        let role: &[u8] = match role {
            Role::Offerer => b"offerer",
            Role::Answerer => b"answerer",
        };
        let parts = [role, offerer, answerer, offerer_cert, answerer_cert];
        Some(Hash::of_parts("meshwork 2026 link handshake", &parts))
    }
}
