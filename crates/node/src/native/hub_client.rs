//! Performs discovery's WebSockets.

mod tls;

use std::{cell::Cell, collections::BTreeMap, rc::Rc};

use actix::Recipient;
use futures_util::{SinkExt as _, StreamExt as _};
use meshwork_discovery::{ClientMessage, HubId, Input, ServerMessage};
use meshwork_shell::Tell;
use tokio::net::TcpStream;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
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
    stage: Rc<Cell<Stage>>,
}

/// How far a conversation is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Open,
    /// Discovery has closed it: it hears no more of it, but what waits is still sent.
    Closing,
}

impl Client {
    fn close(self) {
        // What is open ends by itself once what waits has been sent, because the sender is dropped here.
        if self.stage.replace(Stage::Closing) == Stage::Connecting {
            self.task.abort();
        }
    }
}

impl HubClients {
    pub(crate) fn new(discovery: Recipient<Tell<Input>>) -> Self {
        Self { discovery, open: BTreeMap::new() }
    }

    pub(crate) fn perform(&mut self, hub: HubId, action: HubAction) {
        match action {
            HubAction::Open { url } => {
                let (outgoing, waiting) = mpsc::channel(WAITING_MESSAGES_MAX);
                let stage = Rc::new(Cell::new(Stage::Connecting));
                let ear = Ear { hub, discovery: self.discovery.clone(), stage: stage.clone() };
                let task = tokio::task::spawn_local(converse(ear, url, waiting));
                if let Some(old) = self.open.insert(hub, Client { outgoing, task, stage }) {
                    old.close();
                }
            }
            HubAction::Send(message) => {
                let Some(client) = self.open.get(&hub) else { return };
                if let Err(mpsc::error::TrySendError::Full(_)) = client.outgoing.try_send(message) {
                    client.task.abort();
                    self.open.remove(&hub);
                    let reason = "the hub does not take our messages".to_owned();
                    self.discovery.do_send(Tell::new(Input::Closed { hub, reason }));
                }
            }
            HubAction::Close => {
                if let Some(client) = self.open.remove(&hub) {
                    client.close();
                }
            }
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

/// Where a conversation is heard, until it is closed.
struct Ear {
    hub: HubId,
    discovery: Recipient<Tell<Input>>,
    stage: Rc<Cell<Stage>>,
}

impl Ear {
    fn tell(&self, input: Input) {
        if self.stage.get() != Stage::Closing {
            self.discovery.do_send(Tell::new(input));
        }
    }
}

/// Connects directly: proxies that the environment names are not used.
async fn connect(url: &Url) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, String> {
    let connector = match url.scheme() {
        "wss" => Connector::Rustls(tls::trusting_the_system().await?),
        _ => Connector::Plain,
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let connected = connect_async_tls_with_config(url.as_str(), Some(config), true, Some(connector)).await;
    connected.map(|(socket, _)| socket).map_err(|error| error.to_string())
}

/// One WebSocket from opening to end; tells discovery what happens.
async fn converse(ear: Ear, url: Url, mut outgoing: mpsc::Receiver<ClientMessage>) {
    let hub = ear.hub;
    let mut socket = match connect(&url).await {
        Ok(socket) => socket,
        Err(reason) => {
            return ear.tell(Input::Closed { hub, reason: format!("cannot reach {url}: {reason}") });
        }
    };
    ear.stage.set(Stage::Open);
    ear.tell(Input::Opened { hub });
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
                    Ok(message) => ear.tell(Input::Received { hub, message }),
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
    ear.tell(Input::Closed { hub, reason });
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, time::Duration};

    use actix::Actor as _;
    use meshwork_base::{Deadline, Machine, Timestamp};
    use meshwork_shell::{Clock, Host, Read};
    use tokio::{io::AsyncReadExt as _, net::TcpListener};

    use super::*;

    const HUB: HubId = HubId(0);

    /// Remembers what it is told.
    #[derive(Default)]
    struct Memory(VecDeque<Input>);

    impl Machine for Memory {
        type Input = Input;
        type Effect = ();

        fn handle(&mut self, _: Timestamp, input: Input) {
            self.0.push_back(input);
        }

        fn handle_timeout(&mut self, _: Timestamp) {}

        fn poll_effect(&mut self) -> Option<()> {
            None
        }

        fn poll_timeout(&self) -> Option<Deadline> {
            None
        }
    }

    #[test]
    fn one_that_is_closed_while_it_connects_is_never_heard_of() {
        actix::System::new().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("ws://{}/ws", listener.local_addr().unwrap()).parse().unwrap();
            let memory = Host::new("memory", Memory::default(), Clock::system(), |()| {}).start();
            let mut hubs = HubClients::new(memory.clone().recipient());
            hubs.perform(HUB, HubAction::Open { url });
            let (mut stream, _) = listener.accept().await.unwrap();
            hubs.perform(HUB, HubAction::Close);
            // Until the end of the stream: the attempt is given up, not left to itself.
            let mut rest = Vec::new();
            let end = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest));
            end.await.expect("the attempt ends").unwrap();
            assert_eq!(memory.send(Read::new(|memory: &Memory| memory.0.len())).await.unwrap(), 0);
        });
    }
}
