//! Signed operations without any machine: stores that bring each other up to date, one of them far away.
//!
//! `cargo run -p meshwork-examples --example append_only_store`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    error::Error,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use meshwork_base::{Bytes, DocumentId, Hash, HybridTime, Seed, SpaceId};
use meshwork_identity::{Ed25519, NodeKey};
use meshwork_op_log::{AppendOnlyStore, Entry, EntryWriter, MemoryStore};
use meshwork_wire::{Assembler, FRAME_BYTES_MAX, FrameWriter, Protocol, decode, encode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

type Failure = Box<dyn Error + Send + Sync>;

/// What a store is asked. The answer is a list: of hashes, of entries, or of one `true` or `false`.
#[derive(Serialize, Deserialize)]
enum Request {
    Append(Bytes),
    Get(Vec<Hash>),
    AllHashes,
    AllHashesOf(DocumentId),
}

/// Sends a list and its end, in as many frames as it takes.
fn send<T: Serialize>(mut stream: &TcpStream, list: &[T]) -> io::Result<()> {
    let mut writer = FrameWriter::default();
    for part in list.iter().map(Some).chain([None]) {
        let pushed = encode(&part).and_then(|part| writer.push(Protocol::OpLog, part.into()));
        pushed.map_err(io::Error::other)?;
    }
    while let Some(frame) = writer.finish() {
        stream.write_all(&[&(frame.len() as u32).to_le_bytes(), &frame[..]].concat())?;
    }
    Ok(())
}

/// Receives a list up to its end.
fn receive<T: DeserializeOwned>(mut stream: &TcpStream) -> io::Result<Vec<T>> {
    let (mut assembler, mut list) = (Assembler::default(), Vec::new());
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut frame = vec![0; FRAME_BYTES_MAX.min(u32::from_le_bytes(length) as usize)];
        stream.read_exact(&mut frame)?;
        for envelope in assembler.open(frame.into()).map_err(io::Error::other)? {
            match decode(&envelope.payload).map_err(io::Error::other)? {
                Some(part) => list.push(part),
                None => return Ok(list),
            }
        }
    }
}

/// Answers for a store until the other end hangs up, and hands it back.
fn serve(mut store: MemoryStore, space: SpaceId, stream: &TcpStream) -> Result<MemoryStore, Failure> {
    while let Ok(requests) = receive(stream) {
        for request in requests {
            match request {
                Request::Append(block) => send(stream, &[store.append(Entry::read(space, block)?)?])?,
                Request::Get(hashes) => {
                    let entries = store.get(&hashes)?;
                    send(stream, &entries.iter().map(Entry::bytes).collect::<Vec<_>>())?;
                }
                Request::AllHashes => send(stream, &store.all_hashes()?)?,
                Request::AllHashesOf(document) => send(stream, &store.all_hashes_of(&document)?)?,
            }
        }
    }
    Ok(store)
}

/// A store at the other end of a connection: it implements the same interface by asking.
struct RemoteStore {
    space: SpaceId,
    stream: TcpStream,
}

impl RemoteStore {
    fn ask<T: DeserializeOwned>(&self, request: Request) -> io::Result<Vec<T>> {
        send(&self.stream, &[request])?;
        receive(&self.stream)
    }
}

impl AppendOnlyStore for RemoteStore {
    type Error = io::Error;

    fn append(&mut self, entry: Entry) -> io::Result<bool> {
        Ok(self.ask(Request::Append(entry.bytes().clone()))?.contains(&true))
    }

    fn get(&self, hashes: &[Hash]) -> io::Result<Vec<Entry>> {
        let blocks = self.ask(Request::Get(hashes.to_vec()))?;
        blocks.into_iter().map(|block| Entry::read(self.space, block).map_err(io::Error::other)).collect()
    }

    fn all_hashes(&self) -> io::Result<Vec<Hash>> {
        self.ask(Request::AllHashes)
    }

    fn all_hashes_of(&self, document: &DocumentId) -> io::Result<Vec<Hash>> {
        self.ask(Request::AllHashesOf(document.clone()))
    }
}

fn main() -> Result<(), Failure> {
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy)?;
    let seed = Seed::new(entropy);
    let space = SpaceId(seed.fork("space").random().bytes());
    let diary = DocumentId::new("diary")?;

    // Two devices write while they are apart. An entry is signed, and names the one before it by its hash.
    let write = |device: &str| -> Result<MemoryStore, Failure> {
        let key = Arc::new(NodeKey::from_seed(&seed.fork(device)));
        let mut writer = EntryWriter::new(space, key, &seed.fork("writer").fork(device));
        let mut store = MemoryStore::new(space, Arc::new(Ed25519));
        for day in ["monday", "tuesday"] {
            let text = format!("{day}, on the {device}");
            store.append(writer.write(vec![], &diary, HybridTime::default(), text.as_bytes())?)?;
        }
        Ok(store)
    };
    let (mut laptop, phone) = (write("laptop")?, write("phone")?);

    // The phone answers in a thread of its own; nothing but bytes goes there and comes back.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut remote = RemoteStore { space, stream: TcpStream::connect(listener.local_addr()?)? };
    let (stream, _) = listener.accept()?;
    let phone = thread::spawn(move || serve(phone, space, &stream));
    println!("the laptop lacked {} entries", laptop.pull_from(&remote)?);
    println!("the phone lacked {} entries", laptop.push_to(&mut remote)?);
    assert_eq!(laptop.pull_from(&remote)?, 0, "nothing is left to bring");
    drop(remote);
    let phone = phone.join().map_err(|_| "the phone's thread panicked")??;
    for entry in phone.get(&phone.all_hashes_of(&diary)?)? {
        entry.operations().iter().for_each(|operation| println!("{} {:?}", operation.dot, operation.body));
    }
    assert_eq!((phone.len(), laptop.len()), (4, 4));
    Ok(())
}
