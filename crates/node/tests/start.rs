//! A start that is given up leaves nothing running; of two in one directory, one is refused before it writes.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{fs, path::Path, thread};

use common::{PATIENCE, free_port};
use meshwork::{Node, NodeBuilder, Profile, StartError};
use meshwork_storage::{RedbStore, StorageError};
use tokio::time::{Instant, timeout};

fn in_use(error: &StartError) -> bool {
    matches!(error, StartError::Storage(StorageError::InUse { .. }))
}

async fn once_free(directory: &Path) -> Node {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Node::builder().data(directory).start().await {
            Ok(node) => return node,
            Err(error) => assert!(in_use(&error) && Instant::now() < deadline, "{error}"),
        }
    }
}

#[tokio::test]
async fn a_start_that_is_dropped_frees_the_directory() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("profile.json");
    let hub = format!("http://127.0.0.1:{}", free_port());
    let waits_for_hub = Node::builder().data(folder.path()).hub(&hub, "A3B7K9").start();
    let holds_directory = async {
        while !profile.exists() {
            tokio::task::yield_now().await;
        }
        let error = Node::builder().data(folder.path()).start().await.err().unwrap();
        assert!(in_use(&error), "{error}");
    };
    tokio::select! {
        started = waits_for_hub => panic!("there is no hub: {:?}", started.err()),
        held = timeout(PATIENCE, holds_directory) => held.unwrap(),
    }
    once_free(folder.path()).await.close().await;
}

#[tokio::test]
async fn whoever_comes_second_writes_no_profile() {
    let folder = tempfile::tempdir().unwrap();
    let first = RedbStore::open(folder.path()).unwrap();
    let error = Node::builder().data(folder.path()).start().await.err().unwrap();
    assert!(in_use(&error), "{error}");
    assert!(!folder.path().join("profile.json").exists());
    drop(first);
    Node::builder().data(folder.path()).start().await.unwrap().close().await;
}

fn start(builder: NodeBuilder) -> thread::JoinHandle<Result<Node, StartError>> {
    thread::spawn(move || actix_web::rt::System::new().block_on(builder.start()))
}

#[test]
fn of_two_that_start_at_once_one_owns_the_directory() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let starts = [(); 2].map(|()| start(Node::builder().data(folder.path())));
        let [a, b] = starts.map(|start| start.join().unwrap());
        let (node, error) = match (a, b) {
            (Ok(node), Err(error)) | (Err(error), Ok(node)) => (node, error),
            (a, b) => panic!("{:?}, {:?}", a.err(), b.err()),
        };
        assert!(in_use(&error), "{error}");
        let profile = Profile::read(folder.path()).unwrap();
        let membership = profile.membership.unwrap();
        let identity = node.identity().unwrap();
        assert_eq!(meshwork_identity::Signer::node(&profile.key), identity.node);
        assert_eq!(membership.space, identity.space);
        actix_web::rt::System::new().block_on(node.close());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
