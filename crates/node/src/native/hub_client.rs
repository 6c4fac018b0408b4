//! Performs discovery's WebSockets.

use std::collections::BTreeMap;

use actix::Recipient;
use futures_util::{SinkExt as _, StreamExt as _};
use meshwork_discovery::{ClientMessage, HubId, Input, ServerMessage};
use meshwork_shell::Tell;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_tungstenite::{
    connect_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};
use url::Url;

use crate::HubAction;

/// Messages that may wait for a hub to take them.
const WAITING_MESSAGES_MAX: usize = 256;
/// The longest message that a hub may send.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// The open WebSockets, each with a task of its own.
pub(crate) struct HubClients {
    discovery: Recipient<Tell<Input>>,
    open: BTreeMap<HubId, Client>,
}

struct Client {
    outgoing: mpsc::Sender<ClientMessage>,
    task: JoinHandle<()>,
}

impl HubClients {
    pub(crate) fn new(discovery: Recipient<Tell<Input>>) -> Self {
        Self { discovery, open: BTreeMap::new() }
    }

    pub(crate) fn perform(&mut self, hub: HubId, action: HubAction) {
        match action {
            HubAction::Open { url } => {
                let (outgoing, waiting) = mpsc::channel(WAITING_MESSAGES_MAX);
                let task = tokio::task::spawn_local(converse(hub, url, waiting, self.discovery.clone()));
                if let Some(old) = self.open.insert(hub, Client { outgoing, task }) {
                    old.task.abort();
                }
            }
            HubAction::Send(message) => {
                if let Some(client) = self.open.get(&hub)
                    && let Err(mpsc::error::TrySendError::Full(_)) = client.outgoing.try_send(message)
                {
                    client.task.abort();
                    let reason = "the hub does not take our messages".to_owned();
                    self.discovery.do_send(Tell::new(Input::Closed { hub, reason }));
                }
            }
            // Dropping the sender ends the conversation after what waits has been sent.
            HubAction::Close => drop(self.open.remove(&hub)),
        }
    }
}

impl Drop for HubClients {
    fn drop(&mut self) {
        for client in self.open.values() {
            client.task.abort();
        }
    }
}

/// One WebSocket from opening to end; tells discovery what happens.
async fn converse(
    hub: HubId,
    url: Url,
    mut outgoing: mpsc::Receiver<ClientMessage>,
    discovery: Recipient<Tell<Input>>,
) {
    let tell = |input| discovery.do_send(Tell::new(input));
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let mut socket = match connect_async_with_config(url.as_str(), Some(config), true).await {
        Ok((socket, _)) => socket,
        Err(error) => return tell(Input::Closed { hub, reason: format!("cannot reach {url}: {error}") }),
    };
    tell(Input::Opened { hub });
    let reason = loop {
        tokio::select! {
            message = outgoing.recv() => {
                let Some(message) = message else {
                    let _ = socket.close(None).await;
                    return;
                };
                let text = match message.to_json() {
                    Ok(text) => text,
                    Err(error) => {
                        // The machines keep signals within the limits; a link that lacks one is tried again.
                        tracing::error!(%error, "a message of ours does not encode");
                        continue;
                    }
                };
                if let Err(error) = socket.send(Message::text(text)).await {
                    break error.to_string();
                }
            }
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => match ServerMessage::from_json(&text) {
                    Ok(message) => tell(Input::Received { hub, message }),
                    Err(error) => break format!("{url} does not speak our protocol: {error}"),
                },
                Some(Ok(Message::Close(frame))) => {
                    break frame.map_or("closed by the hub".into(), |frame| frame.reason.to_string());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => break error.to_string(),
                None => break "the connection to the hub ended".into(),
            }
        }
    };
    tell(Input::Closed { hub, reason });
}
