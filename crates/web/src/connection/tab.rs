//! A connection to another tab of this browser, over a `BroadcastChannel` of its own.
//!
//! The side that offers invents the channel's name, which nobody hears but the other tab, and both listen there before
//! either speaks. Each frame is acknowledged once it was dealt with: a channel has no measure of what waits in it.

use std::rc::Weak;

use meshwork::Bytes;
use meshwork_transport::{ConnectionEvent, Fingerprints, LinkId};
use meshwork_wire::{Channel, FRAME_BYTES_MAX};
use wasm_bindgen::prelude::*;
use web_sys::{BroadcastChannel, MessageEvent};

use crate::{
    arrivals::Arrival,
    browser::{self, words},
    host::Host,
};

/// What a description begins with.
const SCHEME: &str = "tab:";

/// Below it, a message is a frame on the channel of that index.
const FRAMES: u32 = Channel::ALL.len() as u32;
const OPEN: u32 = FRAMES;
const BYE: u32 = FRAMES + 1;
/// Above it, a message says how many bytes of a channel's frame were dealt with.
const TAKEN: u32 = FRAMES + 2;

/// One end of a connection, with what the browser calls.
pub(super) struct TabLink {
    channel: BroadcastChannel,
    /// Stands for a certificate: the handshake signs both.
    own: String,
    _received: Closure<dyn Fn(MessageEvent)>,
}

impl TabLink {
    /// Makes the offering end; what describes it is returned.
    pub(super) fn offer(id: LinkId, host: &Weak<Host>) -> Result<(Self, ConnectionEvent), String> {
        let own = invent();
        let link = Self::listen(id, host, &own, own.clone(), None)?;
        let event = ConnectionEvent::Described(format!("{SCHEME}{own}"));
        Ok((link, event))
    }

    /// Makes the answering end; what describes it is returned.
    pub(super) fn answer(
        id: LinkId,
        host: &Weak<Host>,
        offer: &str,
    ) -> Result<(Self, ConnectionEvent), String> {
        let name = token(offer)?;
        let own = invent();
        let link = Self::listen(id, host, name, own.clone(), Some(name.to_owned()))?;
        let event = ConnectionEvent::Described(format!("{SCHEME}{own}"));
        Ok((link, event))
    }

    /// The other end is there.
    pub(super) fn accept(&self, answer: &str) -> Result<ConnectionEvent, String> {
        let remote = token(answer)?.to_owned();
        self.post(OPEN, &JsValue::NULL)?;
        Ok(ConnectionEvent::Opened(Fingerprints { local: self.own.clone(), remote }))
    }

    pub(super) fn transmit(&self, channel: Channel, frame: &[u8]) -> Result<(), String> {
        self.post(channel.index() as u32, &js_sys::Uint8Array::from(frame))
    }

    fn post(&self, kind: u32, content: &JsValue) -> Result<(), String> {
        post(&self.channel, kind, content)
    }

    /// `offered`: what the other end called itself, if it was the one to offer.
    fn listen(
        id: LinkId,
        host: &Weak<Host>,
        name: &str,
        own: String,
        offered: Option<String>,
    ) -> Result<Self, String> {
        let channel = BroadcastChannel::new(&format!("meshwork link {name}"))
            .map_err(|thrown| format!("this browser connects no tabs: {}", words(&thrown)))?;
        let (at_message, host, local) = (channel.clone(), host.clone(), own.clone());
        let received = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            let Some(host) = host.upgrade() else { return };
            let Some((told, taken)) = read(&event, &local, offered.as_deref()) else { return };
            let acknowledge = |(channel, bytes): (u32, u32)| -> Box<dyn FnOnce()> {
                let at_message = at_message.clone();
                // The other end counts it as lost when this one is.
                Box::new(move || drop(post(&at_message, TAKEN + channel, &bytes.into())))
            };
            host.hear(Arrival { link: id, event: told, heard: taken.map(acknowledge) });
        });
        channel.set_onmessage(Some(received.as_ref().unchecked_ref()));
        Ok(Self { channel, own, _received: received })
    }
}

/// What was said is still heard.
impl Drop for TabLink {
    fn drop(&mut self) {
        self.channel.set_onmessage(None);
        // Whoever does not hear it notices the silence.
        let _ = self.post(BYE, &JsValue::NULL);
        self.channel.close();
    }
}

fn post(channel: &BroadcastChannel, kind: u32, content: &JsValue) -> Result<(), String> {
    let message = js_sys::Array::of2(&kind.into(), content);
    channel.post_message(&message).map_err(|thrown| words(&thrown))
}

/// What a message says, and what to acknowledge.
fn read(
    event: &MessageEvent,
    local: &str,
    offered: Option<&str>,
) -> Option<(ConnectionEvent, Option<(u32, u32)>)> {
    let message: js_sys::Array = event.data().dyn_into().ok()?;
    let kind = message.get(0).as_f64()? as u32;
    let lane = |kind: u32| Channel::ALL.into_iter().find(|channel| channel.index() as u32 == kind);
    match kind {
        OPEN => {
            let fingerprints = Fingerprints { local: local.to_owned(), remote: offered?.to_owned() };
            Some((ConnectionEvent::Opened(fingerprints), None))
        }
        BYE => Some((ConnectionEvent::Closed { reason: "the other tab closed the connection".into() }, None)),
        TAKEN.. => {
            let (channel, bytes) = (lane(kind - TAKEN)?, message.get(1).as_f64()? as usize);
            Some((ConnectionEvent::Sent { channel, bytes }, None))
        }
        _ => {
            let frame: js_sys::Uint8Array = message.get(1).dyn_into().ok()?;
            let bytes = frame.length();
            let frame = (bytes as usize <= FRAME_BYTES_MAX).then(|| Bytes::from(frame.to_vec()))?;
            Some((ConnectionEvent::Received { channel: lane(kind)?, frame }, Some((kind, bytes))))
        }
    }
}

/// A name that nobody else has.
fn invent() -> String {
    browser::seed().random().bytes::<16>().map(|byte| format!("{byte:02x}")).concat()
}

fn token(description: &str) -> Result<&str, String> {
    let token = description.strip_prefix(SCHEME).filter(|token| token.len() == 32);
    token.ok_or_else(|| "the other tab's description is not one of a tab".into())
}
