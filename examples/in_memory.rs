//! A node that keeps everything in memory: leave out `data`. For tests, and for programs that hold nothing of their own.
//!
//! `cargo run -p meshwork-examples --example in_memory`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use meshwork::{Edit, Node};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::builder().name("ada").start().await?;
    let edits = [Edit::add(["tags"], "urgent"), Edit::add(["tags"], "blue"), Edit::increment(["opened"], 2)];
    node.edit("ticket", edits).await?;
    println!("in memory: {}", node.json("ticket").await?.unwrap_or_default());
    let key = node.identity()?.node;
    node.close().await;

    // The next one is another node: its key was in memory too.
    let next = Node::builder().name("ada").start().await?;
    assert_eq!(next.json("ticket").await?, None);
    assert_ne!(next.identity()?.node, key);
    println!("gone with the process, and so is the key");
    next.close().await;
    Ok(())
}
