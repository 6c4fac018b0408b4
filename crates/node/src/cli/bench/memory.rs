//! What links and clients take in memory.

use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use meshwork::{RoomCode, Seed, SessionId, SpaceId};
use meshwork_discovery::{ClientMessage, ServerMessage, challenge_transcript};
use meshwork_identity::{NodeKey, Purpose, Signer as _};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};
use url::{Position, Url};

use super::{Bench, report::Measure, usage};

const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * 1024.0;
const CLIENTS: usize = 100;
const CLIENTS_PER_ROOM: usize = 10;

/// A node alone, then with many peers, everybody idle.
pub(crate) async fn links(bench: &Bench) -> Result<Vec<Measure>> {
    let count = bench.pick(12, 3);
    let (hub, room) = bench.room().await?;
    let mut alone = bench.launch("alone")?;
    alone.start(&hub.url, room, "a", None, 1).await?;
    bench.settle().await;
    let before = alone.resident_bytes()?;
    let mut crowd = bench.launch("crowd")?;
    crowd.start(&hub.url, room, "b", None, count).await?;
    for _ in 0..count {
        alone.linked().await?;
    }
    bench.settle().await;
    let per_link = (alone.resident_bytes()? - before) / count as f64 / KIB;
    crowd.kill().await?;
    alone.kill().await?;
    let measure = Measure::new("resident memory of an idle link")
        .reach("350 KiB", per_link <= 350.0)
        .measured(format!("{per_link:.0} KiB"))
        .how(format!(
            "a node with {count} links less the same node with none (then {:.1} MiB), shared out",
            before / MIB
        ))
        .figure("per_link_kib", per_link)
        .figure("without_links_mib", before / MIB);
    Ok(vec![measure])
}

/// A hub alone, then with many clients in rooms.
pub(crate) async fn hub(bench: &Bench) -> Result<Vec<Measure>> {
    let (hub, _) = bench.room().await?;
    let resident = || {
        hub.process
            .id()
            .and_then(usage::resident_bytes)
            .context("this system does not tell what processes use")
    };
    let before = resident()?;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let seed = Seed::from_number(number as u64);
        let room = RoomCode::generate(&mut Seed::from_number((number / CLIENTS_PER_ROOM) as u64).random());
        clients.push(client(&hub.url, room, &seed).await?);
    }
    bench.settle().await;
    let grown = (resident()? - before) / MIB;
    drop(clients);
    let measure = Measure::new("resident memory of a hub per 100 clients")
        .reach("3 MiB", grown <= 3.0)
        .measured(format!("{grown:.1} MiB"))
        .how(format!(
            "{CLIENTS} WebSockets, authenticated, {CLIENTS_PER_ROOM} to a room, less the hub alone ({:.1} MiB)",
            before / MIB
        ))
        .figure("per_100_clients_mib", grown)
        .figure("alone_mib", before / MIB);
    Ok(vec![measure])
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A session in a room, without a node behind it.
async fn client(hub: &Url, room: RoomCode, seed: &Seed) -> Result<Socket> {
    let (key, mut random) = (NodeKey::from_seed(seed), seed.fork("session").random());
    let session = SessionId(random.bytes());
    let host = hub[Position::BeforeHost..Position::AfterPort].to_owned();
    let (mut socket, _) = connect_async(format!("ws://{host}/ws")).await?;
    let ServerMessage::Challenge { nonce, .. } = heard(&mut socket).await? else {
        bail!("the hub does not challenge")
    };
    let signature = key.sign(Purpose::HubChallenge, challenge_transcript(&nonce, &host, &session).as_bytes());
    let name = "client".to_owned();
    say(&mut socket, &ClientMessage::Authenticate { node: key.node(), session, name, host, signature })
        .await?;
    let join = ClientMessage::Join { room, space: SpaceId(random.bytes()), adopt: true, access: None };
    loop {
        match heard(&mut socket).await? {
            ServerMessage::Authenticated => say(&mut socket, &join).await?,
            ServerMessage::Joined { .. } => return Ok(socket),
            ServerMessage::Error { message, .. } => bail!("the hub refuses a client: {message}"),
            _ => {}
        }
    }
}

async fn say(socket: &mut Socket, message: &ClientMessage) -> Result<()> {
    Ok(socket.send(Message::text(message.to_json()?)).await?)
}

async fn heard(socket: &mut Socket) -> Result<ServerMessage> {
    loop {
        if let Message::Text(text) = socket.next().await.context("the hub is gone")?? {
            return Ok(ServerMessage::from_json(&text)?);
        }
    }
}
