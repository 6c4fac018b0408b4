//! `kill -9` in the middle of edits: what was acknowledged is there afterwards.
#![cfg(feature = "native")]

mod common;

use std::{sync::mpsc::channel, thread};

use common::NodeProcess;

const ROUNDS: usize = 5;
const WRITERS: usize = 4;
/// Acknowledgements before the kill: another number each round, to meet other moments.
const ACKNOWLEDGED: [usize; ROUNDS] = [1, 7, 40, 90, 23];

#[test]
fn acknowledged_edits_survive_any_number_of_kills() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = format!("--data {}", folder.path().display());
    let mut kept = Vec::new();
    let mut replicas = Vec::new();
    for (round, wanted) in ACKNOWLEDGED.into_iter().enumerate() {
        let node = NodeProcess::start(&arguments);
        let api = node.api;
        let document = api.request("GET", "/api/documents/app", "", "").body;
        for key in &kept {
            assert_eq!(document[key], "kept", "round {round}");
        }
        replicas.push(api.status()["replica_id"].as_str().unwrap().to_owned());
        let (tell, acknowledged) = channel();
        for writer in 0..WRITERS {
            let tell = tell.clone();
            thread::spawn(move || {
                for number in 0.. {
                    let key = format!("{round}-{writer}-{number}");
                    match api.try_set(&key, "kept", "stored") {
                        Some(answer) if answer.status == 200 => tell.send(key).unwrap(),
                        _ => return,
                    }
                }
            });
        }
        drop(tell);
        kept.extend(acknowledged.iter().take(wanted));
        node.process.kill();
        kept.extend(acknowledged);
    }
    let node = NodeProcess::start(&arguments);
    let document = node.api.get("/api/documents/app");
    assert!(kept.iter().all(|key| document[key] == "kept"));
    let lost: Vec<_> = document.as_object().unwrap().keys().filter(|key| !kept.contains(key)).collect();
    // An edit that was made but not answered may be there; at most the one that each writer waited for.
    assert!(lost.len() <= ROUNDS * WRITERS, "{lost:?}");
    replicas.sort();
    replicas.dedup();
    assert_eq!(replicas.len(), ROUNDS, "each kill ends an incarnation");
}
