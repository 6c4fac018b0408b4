//! Links of your own under a whole node: here channels inside one process instead of WebRTC.
//!
//! A connector is asked for what WebRTC would do: describe an end, bring two ends together, carry frames. Who is at the
//! other end is not its business: each link's handshake proves that, over whatever carries it.
//!
//! `cargo run -p meshwork-examples --example own_connector`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use meshwork::{ConnectionEvents, Connector, Edit, Node};
use meshwork_hub::{HubConfig, HubServer};
use meshwork_transport::{ConnectionAction, ConnectionEvent, Fingerprints, LinkId};
use tokio::{sync::mpsc, time::timeout};

/// One end of a connection: where its events go, and the other end, once they are together.
struct End {
    link: LinkId,
    events: mpsc::UnboundedSender<(LinkId, ConnectionEvent)>,
    other: Option<u64>,
}

/// All ends in this process, by number. Its number in decimal is what an end is described by.
#[derive(Default)]
struct Switchboard {
    made: u64,
    ends: BTreeMap<u64, End>,
}

/// The connector of one node.
struct Plugs {
    board: Arc<Mutex<Switchboard>>,
    events: mpsc::UnboundedSender<(LinkId, ConnectionEvent)>,
    ends: BTreeMap<LinkId, u64>,
}

impl Plugs {
    fn new(board: Arc<Mutex<Switchboard>>, events: ConnectionEvents) -> Self {
        let (sender, mut waiting) = mpsc::unbounded_channel();
        // `perform` must not wait, and the node takes events at its own pace; this waits instead. It runs on the node's
        // thread and ends with it. No more than the frames in flight can pile up here.
        tokio::task::spawn_local(async move {
            while let Some(event) = waiting.recv().await {
                if events.send(event).await.is_err() {
                    return;
                }
            }
        });
        Self { board, events: sender, ends: BTreeMap::new() }
    }
}

impl Connector for Plugs {
    fn perform(&mut self, link: LinkId, action: ConnectionAction) {
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let Switchboard { made, ends } = &mut *board;
        let tell = |end: &End, event| drop(end.events.send((end.link, event)));
        let mut plug_in = |other| {
            *made += 1;
            let end = End { link, events: self.events.clone(), other };
            tell(&end, ConnectionEvent::Described(made.to_string()));
            self.ends.insert(link, *made);
            ends.insert(*made, end);
        };
        match action {
            ConnectionAction::Offer => plug_in(None),
            ConnectionAction::Answer { offer } => plug_in(offer.parse().ok()),
            ConnectionAction::Accept { answer } => {
                let (Some(own), Ok(other)) = (self.ends.get(&link), answer.parse()) else { return };
                if let Some(end) = ends.get_mut(own) {
                    end.other = Some(other);
                }
                // DTLS would name the certificates of both ends here. Inside a process, the numbers do.
                for (here, there) in [(*own, other), (other, *own)] {
                    if let Some(end) = ends.get(&here) {
                        let names = Fingerprints { local: here.to_string(), remote: there.to_string() };
                        tell(end, ConnectionEvent::Opened(names));
                    }
                }
            }
            ConnectionAction::Transmit { channel, frame } => {
                let Some(end) = self.ends.get(&link).and_then(|number| ends.get(number)) else { return };
                tell(end, ConnectionEvent::Sent { channel, bytes: frame.len() });
                if let Some(other) = end.other.and_then(|number| ends.get(&number)) {
                    tell(other, ConnectionEvent::Received { channel, frame });
                }
            }
            ConnectionAction::Close => {
                let end = self.ends.remove(&link).and_then(|number| ends.remove(&number));
                if let Some(other) = end.and_then(|end| end.other).and_then(|number| ends.get(&number)) {
                    tell(other, ConnectionEvent::Closed { reason: "unplugged".into() });
                }
            }
            // There is one way to each end, so nobody has candidates to try.
            ConnectionAction::AddCandidate(_) => {}
        }
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let hub = HubServer::bind(HubConfig::default(), "127.0.0.1:0".parse()?)?.run()?;
    let address = format!("http://{}", hub.local_addr());
    let board = Arc::new(Mutex::new(Switchboard::default()));
    let start = |name: &str| {
        let board = board.clone();
        let connector = move |events| Ok(Plugs::new(board.clone(), events));
        Node::builder().name(name).hub(&address, "A3B7K9").connector(connector).start()
    };
    let ada = start("ada").await?;
    let bob = start("bob").await?;

    let mut events = bob.events();
    ada.edit("app", [Edit::set(["greeting"], "by cable")]).await?;
    let arrived = async {
        while bob.json("app").await?.is_none() {
            println!("bob: {:?}", events.recv().await?);
        }
        bob.json("app").await.map_err(Box::<dyn Error>::from)
    };
    let shown = timeout(Duration::from_secs(30), arrived).await??;
    println!("bob sees {}", shown.clone().unwrap_or_default());
    assert_eq!(shown, Some(serde_json::json!({ "greeting": "by cable" })));
    assert_eq!(bob.status().await?.connected_peers.len(), 1, "over the one link there is");

    ada.close().await;
    bob.close().await;
    hub.stop().await;
    Ok(())
}
