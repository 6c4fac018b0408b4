//! A node without consensus: it stores and exchanges operations, and signs no receipts.
//!
//! `cargo run -p meshwork-examples --example without_consensus`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use meshwork::{Edit, Node, NodeError};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let disk = tempfile::tempdir()?;
    let node = Node::builder().name("ada").data(disk.path()).without_consensus().start().await?;

    let written = node.edit("app", [Edit::set(["theme"], "dark")]).await?;
    node.stored(written).await?;
    println!("on disk: {}", node.json("app").await?.unwrap_or_default());

    // What was left out is not silently true: asking for it is an error.
    let asked = node.confirmed(written).await;
    assert_eq!(asked, Err(NodeError::Absent("consensus")));
    println!("confirmed? {}", asked.err().map(|error| error.to_string()).unwrap_or_default());

    node.close().await;
    Ok(())
}
