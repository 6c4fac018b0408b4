//! Performs discovery's WebSockets.

use std::{collections::BTreeMap, rc::Weak};

use meshwork::{HubAction, HubEvent, Input};
use meshwork_discovery::{ClientMessage, HubId, SERVER_MESSAGE_BYTES_MAX, ServerMessage};
use url::Url;
use wasm_bindgen::prelude::*;
use web_sys::{CloseEvent, MessageEvent, WebSocket};

use crate::{browser::words, host::Host};

/// What may wait in the browser for a hub to take it, in bytes.
const WAITING_BYTES_MAX: u32 = 1024 * 1024;

/// The WebSockets to hubs.
pub(crate) struct Hubs {
    host: Weak<Host>,
    sockets: BTreeMap<HubId, Socket>,
}

/// One of them, with what the browser calls.
struct Socket {
    socket: WebSocket,
    _opened: Closure<dyn Fn()>,
    _received: Closure<dyn Fn(MessageEvent)>,
    _closed: Closure<dyn Fn(CloseEvent)>,
}

impl Hubs {
    pub(crate) fn new(host: Weak<Host>) -> Self {
        Self { host, sockets: BTreeMap::new() }
    }

    /// Does what is asked for; an event that comes of it at once is returned.
    pub(crate) fn perform(&mut self, hub: HubId, action: HubAction) -> Option<HubEvent> {
        match action {
            HubAction::Open { url } => match Socket::open(&self.host, hub, &url) {
                Ok(socket) => {
                    self.sockets.insert(hub, socket);
                    None
                }
                Err(thrown) => {
                    self.sockets.remove(&hub);
                    Some(HubEvent::Closed { reason: format!("cannot reach {url}: {}", words(&thrown)) })
                }
            },
            HubAction::Send(message) => {
                let reason = self.sockets.get(&hub)?.send(&message).err()?;
                self.sockets.remove(&hub);
                Some(HubEvent::Closed { reason })
            }
            HubAction::Close => {
                self.sockets.remove(&hub);
                None
            }
        }
    }

    /// Closes all of them, and names them.
    pub(crate) fn close_all(&mut self) -> Vec<HubId> {
        std::mem::take(&mut self.sockets).into_keys().collect()
    }
}

impl Socket {
    fn open(host: &Weak<Host>, hub: HubId, url: &Url) -> Result<Self, JsValue> {
        let socket = WebSocket::new(url.as_str())?;
        let tell = move |host: &Weak<Host>, event| {
            if let Some(host) = host.upgrade() {
                host.feed(Input::Hub { hub, event });
            }
        };
        let opened = {
            let host = host.clone();
            Closure::<dyn Fn()>::new(move || tell(&host, HubEvent::Opened))
        };
        let received = {
            let (host, url) = (host.clone(), url.clone());
            Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| tell(&host, read(&url, &event)))
        };
        let closed = {
            let (host, url) = (host.clone(), url.clone());
            Closure::<dyn Fn(CloseEvent)>::new(move |event: CloseEvent| {
                let reason = match event.reason() {
                    // The browser does not tell scripts why.
                    reason if reason.is_empty() => format!("no connection to {url}"),
                    reason => reason,
                };
                tell(&host, HubEvent::Closed { reason });
            })
        };
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(received.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        Ok(Self { socket, _opened: opened, _received: received, _closed: closed })
    }

    fn send(&self, message: &ClientMessage) -> Result<(), String> {
        if self.socket.buffered_amount() > WAITING_BYTES_MAX {
            return Err("the hub does not take our messages".into());
        }
        let text = message.to_json().map_err(|error| error.to_string())?;
        self.socket.send_with_str(&text).map_err(|thrown| words(&thrown))
    }
}

/// What waits is still sent; nothing more is heard.
impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        // It fails only with a code or reason that is not allowed, and there is none.
        let _ = self.socket.close();
    }
}

fn read(url: &Url, event: &MessageEvent) -> HubEvent {
    let text = event.data().as_string().filter(|text| text.len() <= SERVER_MESSAGE_BYTES_MAX);
    let message = text.map(|text| ServerMessage::from_json(&text).map_err(|error| error.to_string()));
    match message.unwrap_or_else(|| Err("a message that is no text, or too long".into())) {
        Ok(message) => HubEvent::Received(message),
        Err(error) => HubEvent::Closed { reason: format!("{url} does not speak our protocol: {error}") },
    }
}
