//! The real server on a loopback port, with real sockets and real keys.

#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use meshwork_base::{NodeId, Seed, SessionId, SpaceId};
use meshwork_discovery::{
    ClientMessage, ErrorCode, Nonce, RoomPeer, ServerMessage, Signal, SignalKind, challenge_transcript,
};
use meshwork_hub::{HubConfig, HubError, HubServer, Page, RunningHub, Stats};
use meshwork_identity::{NodeKey, Purpose, RoomAccess, Signer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Message,
        protocol::frame::{
            Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

const SPACE: SpaceId = SpaceId([7; 16]);

fn start(config: HubConfig) -> RunningHub {
    HubServer::bind(config, "127.0.0.1:0".parse().unwrap()).unwrap().run().unwrap()
}

struct Client {
    socket: WebSocketStream<TcpStream>,
    key: NodeKey,
    session: SessionId,
    address: SocketAddr,
}

impl Client {
    async fn connect(hub: &RunningHub, id: u8) -> Self {
        let address = hub.local_addr();
        let stream = TcpStream::connect(address).await.unwrap();
        let (socket, _) = client_async(format!("ws://{address}/ws"), stream).await.unwrap();
        let key = NodeKey::from_seed(&Seed::from_number(id.into()));
        Self { socket, key, session: SessionId([id; 16]), address }
    }

    async fn enter(hub: &RunningHub, id: u8) -> Self {
        let mut client = Self::connect(hub, id).await;
        let ServerMessage::Challenge { nonce, .. } = client.hear().await else { panic!() };
        client.say(&client.claim(nonce)).await;
        assert_eq!(client.hear().await, ServerMessage::Authenticated);
        client
    }

    async fn join(hub: &RunningHub, id: u8, access: Option<u8>) -> (Self, ServerMessage) {
        let mut client = Self::enter(hub, id).await;
        let room = "A3B7K9".parse().unwrap();
        let access = access.map(|byte| RoomAccess([byte; 32]));
        client.say(&ClientMessage::Join { room, space: SPACE, adopt: false, access }).await;
        let answer = client.hear().await;
        (client, answer)
    }

    fn claim(&self, nonce: Nonce) -> ClientMessage {
        let host = self.address.to_string();
        let transcript = challenge_transcript(&nonce, &host, &self.session);
        let signature = self.key.sign(Purpose::HubChallenge, transcript.as_bytes());
        ClientMessage::Authenticate {
            node: self.key.node(),
            session: self.session,
            name: "n".into(),
            host,
            signature,
        }
    }

    async fn say(&mut self, message: &ClientMessage) {
        self.send(Message::text(message.to_json().unwrap())).await;
    }

    async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    async fn hear(&mut self) -> ServerMessage {
        let message = self.socket.next().await.unwrap().unwrap();
        ServerMessage::from_json(message.to_text().unwrap()).unwrap()
    }

    /// The error, which has to be followed by a close.
    async fn refusal(&mut self) -> ErrorCode {
        let mut code = None;
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => match ServerMessage::from_json(&text).unwrap() {
                    ServerMessage::Error { code: named, .. } => code = Some(named),
                    other => assert_eq!(code, None, "after the error: {other:?}"),
                },
                Some(Ok(Message::Close(frame))) => {
                    assert_eq!(frame.unwrap().code, CloseCode::Policy);
                    return code.unwrap();
                }
                Some(Ok(Message::Pong(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn peer(&self) -> RoomPeer {
        RoomPeer { session: self.session, node: self.key.node(), name: "n".into() }
    }
}

async fn get(hub: &RunningHub, path: &str) -> String {
    let mut stream = TcpStream::connect(hub.local_addr()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[actix_web::test]
async fn two_sessions_meet_and_exchange_an_offer_and_an_answer() {
    let hub = start(HubConfig::default());
    let (mut ada, answer) = Client::join(&hub, 1, None).await;
    assert_eq!(answer, ServerMessage::Joined { space: SPACE, peers: vec![] });
    let (mut bob, answer) = Client::join(&hub, 2, None).await;
    assert_eq!(answer, ServerMessage::Joined { space: SPACE, peers: vec![ada.peer()] });
    assert_eq!(ada.hear().await, ServerMessage::PeerJoined { peer: bob.peer() });

    let signal = |kind| Signal { attempt: u64::MAX, kind, body: "v=0\r\n".repeat(500) };
    ada.say(&ClientMessage::signal(bob.session, signal(SignalKind::Offer))).await;
    assert_eq!(bob.hear().await, ServerMessage::signal(ada.session, signal(SignalKind::Offer)));
    bob.say(&ClientMessage::signal(ada.session, signal(SignalKind::Answer))).await;
    assert_eq!(ada.hear().await, ServerMessage::signal(bob.session, signal(SignalKind::Answer)));

    let stats = get(&hub, "/api/stats").await;
    let body = stats.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(
        body,
        r#"{"rooms":1,"peers":2,"connections":2,"signalling":{"offers":1,"answers":1,"candidates":0,"expired":0,"refused":0}}"#
    );
    assert_eq!(serde_json::from_str::<Stats>(body).unwrap(), hub.stats());
    bob.say(&ClientMessage::Leave).await;
    assert_eq!(ada.hear().await, ServerMessage::PeerLeft { session: bob.session });
    hub.stop().await;
    assert!(TcpStream::connect(ada.address).await.is_err(), "the port is free");
}

#[actix_web::test]
async fn who_waits_for_a_space_is_let_in_between_two_sweeps() {
    let hub = start(HubConfig { found_after_ms: 200, sweep_ms: 60_000, ..HubConfig::default() });
    let mut ada = Client::enter(&hub, 1).await;
    let room = "A3B7K9".parse().unwrap();
    ada.say(&ClientMessage::Join { room, space: SPACE, adopt: true, access: None }).await;
    let joined = tokio::time::timeout(Duration::from_secs(30), ada.hear()).await;
    assert_eq!(joined.unwrap(), ServerMessage::Joined { space: SPACE, peers: vec![] });
}

#[actix_web::test]
async fn violations_are_named_and_end_the_connection() {
    let hub = start(HubConfig::default());
    let (_ada, _) = Client::join(&hub, 1, Some(1)).await;
    let mut bob = Client::enter(&hub, 2).await;
    let room = "A3B7K9".parse().unwrap();
    bob.say(&ClientMessage::Join { room, space: SPACE, adopt: false, access: Some(RoomAccess([2; 32])) })
        .await;
    assert_eq!(bob.refusal().await, ErrorCode::WrongPassword);

    let table = [
        (Message::text("{\"type\":"), ErrorCode::Malformed),
        (Message::binary(vec![0; 3]), ErrorCode::Malformed),
        (Message::text("x".repeat(64 * 1024 + 1)), ErrorCode::TooLarge),
        (Message::text(ClientMessage::Heartbeat.to_json().unwrap()), ErrorCode::Unexpected),
    ];
    for (message, code) in table {
        let mut client = Client::connect(&hub, 3).await;
        client.send(message).await;
        assert_eq!(client.refusal().await, code);
    }
    // Another key than the one that is named.
    let mut mallory = Client::connect(&hub, 4).await;
    let ServerMessage::Challenge { nonce, .. } = mallory.hear().await else { panic!() };
    let ClientMessage::Authenticate { session, name, host, signature, .. } = mallory.claim(nonce) else {
        panic!()
    };
    mallory.say(&ClientMessage::Authenticate { node: NodeId([9; 32]), session, name, host, signature }).await;
    assert_eq!(mallory.refusal().await, ErrorCode::BadSignature);
    assert_eq!(hub.stats().connections, 1);
}

#[actix_web::test]
async fn a_text_comes_in_few_parts() {
    let part = |code, last| {
        let part: &[u8] = if code == Data::Text { b"{" } else { b"" };
        Message::Frame(Frame::message(part.to_vec(), OpCode::Data(code), last))
    };
    let hub = start(HubConfig::default());
    // In as many as are taken: what they make is not a message.
    let mut bob = Client::connect(&hub, 1).await;
    bob.send(part(Data::Text, false)).await;
    for _ in 0..14 {
        bob.send(part(Data::Continue, false)).await;
    }
    bob.send(part(Data::Continue, true)).await;
    assert_eq!(bob.refusal().await, ErrorCode::Malformed);
    // Empty ones cost a few bytes each, and would never fill the longest message.
    let mut mallory = Client::connect(&hub, 2).await;
    mallory.send(part(Data::Text, false)).await;
    for _ in 0..16 {
        mallory.send(part(Data::Continue, false)).await;
    }
    assert_eq!(mallory.refusal().await, ErrorCode::TooLarge);
    // A part of nothing.
    let mut mallory = Client::connect(&hub, 3).await;
    mallory.send(part(Data::Continue, false)).await;
    assert_eq!(mallory.refusal().await, ErrorCode::Malformed);
}

#[actix_web::test]
async fn pings_count_as_messages() {
    let hub = start(HubConfig { messages_per_second: 1, messages_burst_max: 10, ..HubConfig::default() });
    let mut mallory = Client::connect(&hub, 1).await;
    for _ in 0..20 {
        mallory.send(Message::Ping(Vec::new().into())).await;
    }
    // Unless it is gone already.
    let _ = mallory.socket.send(Message::text("x")).await;
    assert_eq!(mallory.refusal().await, ErrorCode::TooFast);
}

#[actix_web::test]
async fn a_client_for_which_much_waits_is_closed_and_the_others_go_on() {
    do_not_read(HubConfig {
        outgoing_messages_max: 65_536,
        write_timeout_ms: 600_000,
        ..HubConfig::default()
    })
    .await;
}

#[actix_web::test]
async fn a_client_whose_queue_is_full_is_closed_and_the_others_go_on() {
    do_not_read(HubConfig { outgoing_messages_max: 16, write_timeout_ms: 600_000, ..HubConfig::default() })
        .await;
}

#[actix_web::test]
async fn a_client_to_whom_writing_takes_too_long_is_closed_and_the_others_go_on() {
    do_not_read(HubConfig { outgoing_messages_max: 65_536, write_timeout_ms: 100, ..HubConfig::default() })
        .await;
}

async fn do_not_read(config: HubConfig) {
    let config =
        HubConfig { messages_per_second: 100_000, messages_burst_max: 1_000_000, reconnect_ms: 0, ..config };
    let hub = start(config);
    let (mut ada, _) = Client::join(&hub, 1, None).await;
    let (bob, _) = Client::join(&hub, 2, None).await;
    assert_eq!(ada.hear().await, ServerMessage::PeerJoined { peer: bob.peer() });
    let body = "x".repeat(15_000);
    let flood = ClientMessage::signal(bob.session, Signal { attempt: 1, kind: SignalKind::Candidate, body });
    // The sockets hold some megabytes; far before this much, the hub has let go of who does not read.
    for _ in 0..10_000 {
        ada.say(&flood).await;
        if hub.stats().connections == 1 {
            break;
        }
    }
    assert_eq!(hub.stats().connections, 1);
    ada.say(&ClientMessage::Heartbeat).await;
    while ada.hear().await != ServerMessage::HeartbeatAck {}
}

#[actix_web::test]
async fn a_taken_port_is_named_and_another_suggested() {
    let first = HubServer::bind(HubConfig::default(), "127.0.0.1:0".parse().unwrap()).unwrap();
    let address = first.local_addr();
    let error = HubServer::bind(HubConfig::default(), address).err().unwrap();
    let text = error.to_string();
    assert!(matches!(error, HubError::PortInUse { .. }));
    assert!(text.starts_with(&format!("{address} is in use by another program; ")), "{text}");
    assert!(text.contains("port 0 for any free"), "{text}");
    let foreign = HubServer::bind(HubConfig::default(), "192.0.2.1:1".parse().unwrap()).err().unwrap();
    assert!(foreign.to_string().starts_with("cannot listen on 192.0.2.1:1: "), "{foreign}");
    let config = HubConfig { rooms_max: 0, ..HubConfig::default() };
    let error = HubServer::bind(config, address).err().unwrap();
    assert_eq!(error.to_string(), "setting `rooms_max` is 0, but takes 1 to 1000000");
}

#[actix_web::test]
async fn pages_say_what_this_is_and_how_to_join() {
    let hub = HubServer::bind(HubConfig::default(), "127.0.0.1:0".parse().unwrap()).unwrap();
    let hub = hub.with_page(Page::default()).run().unwrap();
    let home = get(&hub, "/").await;
    assert!(home.starts_with("HTTP/1.1 200") && home.contains("cargo xtask web"), "{home}");
    let join = get(&hub, "/join/a3b7k9").await;
    assert!(join.starts_with("HTTP/1.1 200") && join.contains("Room A3B7K9"), "{join}");
    // The command that it shows is pasted into shells.
    assert!(join.contains(r"if (/^[0-9A-Za-z:\/.#_\[\]-]+$/.test(location.href)) "), "{join}");
    let bad = get(&hub, "/join/%3Cscript%3E").await;
    assert!(bad.starts_with("HTTP/1.1 404") && !bad.contains("<script>"), "{bad}");
    assert!(get(&hub, "/ws").await.starts_with("HTTP/1.1 400"));
    assert!(get(&hub, "/page/app.js").await.starts_with("HTTP/1.1 404"));
}

#[actix_web::test]
async fn a_page_is_served_at_the_root_and_to_those_who_are_invited() {
    let directory = std::env::temp_dir().join(format!("meshwork-hub-page-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("index.html"), "the page").unwrap();
    std::fs::write(directory.join("app.js"), "its script").unwrap();
    let page = Page::read(&directory).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let hub = HubServer::bind(HubConfig::default(), "127.0.0.1:0".parse().unwrap()).unwrap();
    let hub = hub.with_page(page).run().unwrap();
    for (path, content) in [
        ("/", "the page"),
        ("/join/A3B7K9", "the page"),
        ("/page/app.js", "its script"),
        ("/page/place.json", "{}"),
    ] {
        let answer = get(&hub, path).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(content), "{path}: {answer}");
    }
    let policy = "content-security-policy: default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
    assert!(get(&hub, "/").await.contains(policy));
}

#[actix_web::test]
async fn behind_a_proxy_the_last_forwarded_address_counts() {
    let config = HubConfig { behind_proxy: true, connections_per_address_max: 1, ..HubConfig::default() };
    let hub = start(config);
    let mut codes = Vec::new();
    let mut sockets = Vec::new();
    for forwarded in ["1.2.3.4, 10.0.0.1", "5.6.7.8, 10.0.0.1", "10.0.0.2"] {
        let stream = TcpStream::connect(hub.local_addr()).await.unwrap();
        let url = format!("ws://{}/ws", hub.local_addr());
        let mut request =
            tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(url).unwrap();
        request.headers_mut().insert("x-forwarded-for", forwarded.parse().unwrap());
        let (mut socket, _) = client_async(request, stream).await.unwrap();
        let message = socket.next().await.unwrap().unwrap();
        codes.push(match ServerMessage::from_json(message.to_text().unwrap()).unwrap() {
            ServerMessage::Error { code, .. } => Some(code),
            _ => None,
        });
        sockets.push(socket);
    }
    assert_eq!(codes, [None, Some(ErrorCode::TooManyConnections), None]);
}
