//! Three nodes in one process: they meet through a hub, link over WebRTC, and edit one document at the same time.
//!
//! `cargo run -p meshwork-examples --example three_nodes`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{collections::BTreeSet, error::Error, time::Duration};

use meshwork::{Edit, Node, Policy};
use meshwork_hub::{HubConfig, HubServer};
use tokio::time::timeout;

const NAMES: [&str; 3] = ["ada", "bob", "cleo"];
const PATIENCE: Duration = Duration::from_secs(60);

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Usually somebody else's: `meshwork hub`. It only leads the nodes to each other.
    let hub = HubServer::bind(HubConfig::default(), "127.0.0.1:0".parse()?)?.run()?;
    let address = format!("http://{}", hub.local_addr());
    println!("hub at {address}");

    // An operation shall count as confirmed once three nodes have it on disk.
    let disks = tempfile::tempdir()?;
    let mut nodes = Vec::new();
    for name in NAMES {
        let node = Node::builder().name(name).hub(&address, "A3B7K9").data(disks.path().join(name));
        nodes.push(node.policy(Policy::Count(3)).start().await?);
    }

    // Nobody waits for a link: edits are visible at once, wherever they are made.
    let mut written = Vec::new();
    for (node, name) in nodes.iter().zip(NAMES) {
        let edits =
            [Edit::set([name, "says"], format!("hello from {name}")), Edit::increment(["greetings"], 1)];
        let dot = node.edit("trip", edits).await?;
        println!("{name} sees {}", node.json("trip").await?.unwrap_or_default());
        written.push((node, name, dot));
    }

    for (node, name, dot) in written {
        timeout(PATIENCE, node.confirmed(dot)).await??;
        println!("{name}'s edit is on the disks of {} nodes", node.holders(dot).await?.len());
    }

    let mut hashes = BTreeSet::new();
    for node in &nodes {
        let (hash, shown) = node
            .read(|documents| {
                let trip = documents.documents().next().and_then(|trip| documents.document(trip));
                (documents.state_hash(), trip.map(|trip| trip.to_json()))
            })
            .await?;
        println!("{}: {hash} {}", node.name(), shown.clone().unwrap_or_default());
        assert_eq!(shown.map(|trip| trip["greetings"].clone()), Some(3.into()), "no increment is lost");
        hashes.insert(hash);
    }
    assert_eq!(hashes.len(), 1, "nodes that hold the same operations show the same");

    for node in nodes {
        node.close().await;
    }
    hub.stop().await;
    println!("all three hold the same");
    Ok(())
}
