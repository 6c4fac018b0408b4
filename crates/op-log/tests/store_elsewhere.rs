//! An append-only store far away, and one beside a log.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod common;

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use common::{SPACE, World, stores::*};
use meshwork_base::{Bytes, DocumentId, Hash, Version};
use meshwork_op_log::{AppendOnlyStore, Entry, MemoryStore, SyncError};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum Request {
    Append(Bytes),
    Get(Vec<Hash>),
    All,
    AllOf(DocumentId),
    FindNew(Vec<Hash>),
}

#[derive(Serialize, Deserialize)]
enum Answer {
    Appended(bool),
    Entries(Vec<Bytes>),
    Hashes(Vec<Hash>),
    Refused(String),
}

/// A store in another thread: nothing but bytes goes there and comes back.
struct RemoteStore {
    requests: Sender<Vec<u8>>,
    answers: Receiver<Vec<u8>>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum RemoteError {
    #[error("the connection is gone")]
    Gone,
    #[error("it refuses: {0}")]
    Refused(String),
}

fn serve(mut store: MemoryStore) -> (RemoteStore, JoinHandle<MemoryStore>) {
    let (requests, asked) = channel::<Vec<u8>>();
    let (answer, answers) = channel();
    let thread = thread::spawn(move || {
        while let Ok(request) = asked.recv() {
            let bytes = meshwork_wire::encode(&answer_to(&mut store, &request)).unwrap();
            if answer.send(bytes).is_err() {
                break;
            }
        }
        store
    });
    (RemoteStore { requests, answers }, thread)
}

fn answer_to(store: &mut MemoryStore, request: &[u8]) -> Answer {
    let bytes = |entries: Vec<Entry>| entries.iter().map(|entry| entry.bytes().clone()).collect();
    let answer = match meshwork_wire::decode(request).unwrap() {
        Request::Append(block) => {
            Entry::read(SPACE, block).and_then(|entry| store.append(entry)).map(Answer::Appended)
        }
        Request::Get(hashes) => store.get(&hashes).map(bytes).map(Answer::Entries),
        Request::All => store.all_hashes().map(Answer::Hashes),
        Request::AllOf(document) => store.all_hashes_of(&document).map(Answer::Hashes),
        Request::FindNew(have) => store.find_new(&have).map(Answer::Hashes),
    };
    answer.unwrap_or_else(|error| Answer::Refused(error.to_string()))
}

impl RemoteStore {
    fn ask(&self, request: &Request) -> Result<Answer, RemoteError> {
        self.requests.send(meshwork_wire::encode(request).unwrap()).map_err(|_| RemoteError::Gone)?;
        let answer = self.answers.recv().map_err(|_| RemoteError::Gone)?;
        match meshwork_wire::decode(&answer).unwrap() {
            Answer::Refused(reason) => Err(RemoteError::Refused(reason)),
            answer => Ok(answer),
        }
    }

    fn hashes(&self, request: &Request) -> Result<Vec<Hash>, RemoteError> {
        let Answer::Hashes(hashes) = self.ask(request)? else { panic!("another answer") };
        Ok(hashes)
    }
}

impl AppendOnlyStore for RemoteStore {
    type Error = RemoteError;

    fn append(&mut self, entry: Entry) -> Result<bool, RemoteError> {
        let Answer::Appended(new) = self.ask(&Request::Append(entry.bytes().clone()))? else {
            panic!("another answer")
        };
        Ok(new)
    }

    fn get(&self, hashes: &[Hash]) -> Result<Vec<Entry>, RemoteError> {
        let Answer::Entries(blocks) = self.ask(&Request::Get(hashes.to_vec()))? else {
            panic!("another answer")
        };
        let read = |block| Entry::read(SPACE, block).map_err(|error| RemoteError::Refused(error.to_string()));
        blocks.into_iter().map(read).collect()
    }

    fn all_hashes(&self) -> Result<Vec<Hash>, RemoteError> {
        self.hashes(&Request::All)
    }

    fn all_hashes_of(&self, document: &DocumentId) -> Result<Vec<Hash>, RemoteError> {
        self.hashes(&Request::AllOf(document.clone()))
    }

    fn find_new(&self, have: &[Hash]) -> Result<Vec<Hash>, RemoteError> {
        self.hashes(&Request::FindNew(have.to_vec()))
    }
}

#[test]
fn a_remote_store_is_a_store() {
    let theirs = entries(300);
    let mut writer = writer(2);
    let ours: Vec<Entry> = ["a", "b"].map(|name| write(&mut writer, name)).into();
    let (mut remote, thread) = serve(filled(&theirs));
    let mut local = filled(&ours);
    assert_eq!(local.pull_from(&remote), Ok(300));
    assert_eq!(local.push_to(&mut remote), Ok(2));
    assert_eq!(remote.append(ours[0].clone()), Ok(false));
    assert_eq!(remote.all_hashes_of(&document("b")), Ok(vec![ours[1].hash()]));
    assert_eq!(remote.get(&[ours[1].hash(), theirs[4].hash()]), Ok(vec![ours[1].clone(), theirs[4].clone()]));

    // Two remote stores, brought up to date by somebody who has none.
    let (mut second, other_thread) = serve(store());
    assert_eq!(second.pull_from(&remote), Ok(302));
    let more = write(&mut writer, "c");
    assert_eq!(second.append(more), Ok(true));
    assert_eq!(second.push_to(&mut remote), Ok(1));
    assert_eq!(remote.all_hashes(), second.all_hashes());

    let mut forged = ours[0].bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let forged = Entry::read(SPACE, forged.into()).unwrap();
    let (mut empty, third_thread) = serve(store());
    let refused = empty.append(forged).unwrap_err();
    assert!(refused.to_string().starts_with("it refuses: the signature is not that of"), "{refused}");

    drop((remote, second, empty));
    let stores = [thread, other_thread, third_thread].map(|thread| thread.join().unwrap());
    assert_eq!(stores.map(|store| store.len()), [303, 303, 0]);
    // What is left of a connection whose other end is gone.
    let ((requests, _), (_, answers)) = (channel(), channel());
    let mut gone = RemoteStore { requests, answers };
    assert_eq!(local.pull_from(&gone), Err(SyncError::There(RemoteError::Gone)));
    assert_eq!(local.push_to(&mut gone), Err(SyncError::There(RemoteError::Gone)));
}

/// Puts into the store what the log has beyond `version`; returns how many entries were new.
fn put(world: &mut World, host: usize, version: &Version, store: &mut MemoryStore) -> usize {
    let blocks = world.hosts[host].log.blocks_since(version);
    let read = |block| Entry::read(SPACE, block).unwrap();
    blocks.into_iter().filter(|block| store.append(read(block.clone())).unwrap()).count()
}

fn take(world: &mut World, host: usize, store: &MemoryStore) {
    let entries = store.get(&store.all_hashes().unwrap()).unwrap();
    world.merge(host, entries.iter().map(|entry| entry.bytes().clone()).collect()).unwrap();
    world.store(host);
}

#[test]
fn what_two_logs_hold_in_different_blocks_is_kept_once() {
    let mut world = World::new(4);
    (0..4).for_each(|host| world.store(host));
    let verifier = common::context(1).verifier;
    let new_store = || MemoryStore::new(SPACE, verifier.clone());
    let everything = Version::default();
    // One store is fed block by block.
    let mut piecemeal = new_store();
    for _ in 0..5 {
        let before = world.hosts[0].log.version().clone();
        world.write(0, 1, b"x");
        world.store(0);
        assert_eq!(put(&mut world, 0, &before, &mut piecemeal), 1);
        world.now = world.now.after(Duration::from_millis(2));
    }
    // The log gives out the same five as one block, under another hash.
    assert_eq!(world.hosts[0].log.blocks_since(&everything).len(), 1);
    assert_eq!(put(&mut world, 0, &everything, &mut piecemeal), 0);
    let mut whole = new_store();
    assert_eq!(put(&mut world, 0, &everything, &mut whole), 1);
    assert_eq!((piecemeal.pull_from(&whole), whole.pull_from(&piecemeal)), (Ok(0), Ok(0)));
    assert_eq!((piecemeal.len(), whole.len()), (5, 1));

    // Out of either store comes the same log, also a second time, and from there goes nothing new.
    for (host, store) in [(1, &mut piecemeal), (2, &mut whole)] {
        for _ in 0..2 {
            take(&mut world, host, store);
            assert_eq!(put(&mut world, host, &everything, store), 0);
        }
    }
    // A log that was fed by a store writes too, and a block that also holds new operations is kept whole.
    world.write(1, 1, b"y");
    world.store(1);
    world.write(0, 1, b"z");
    world.store(0);
    for store in [&mut piecemeal, &mut whole] {
        for _ in 0..2 {
            let expected = if store.len() == 5 || store.len() == 1 { (1, 1) } else { (0, 0) };
            let new = (put(&mut world, 1, &everything, store), put(&mut world, 0, &everything, store));
            assert_eq!(new, expected);
        }
        let held = store.get(&store.all_hashes().unwrap()).unwrap();
        let last = held.iter().map(|entry| entry.operations().len()).next_back();
        assert_eq!(last, Some(6), "five were here, one was not");
    }
    assert_eq!((piecemeal.len(), whole.len()), (7, 3));
    assert_eq!(piecemeal.pull_from(&whole), Ok(0));
    (0..4).for_each(|host| take(&mut world, host, &piecemeal));
    world.assert_converged();
    assert_eq!(world.hosts[3].log.operations(), 7);
}
