//! Writes the committed corpus, `fuzz/corpus/TARGET/NAME`: valid inputs, for the fuzzer to start from.
//!
//! Run it when a format has changed: `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.

mod scripts;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use meshwork_base::{Bytes, Hash, HybridTime, ReplicaId, Seed, SpaceId, Table, Tip};
use meshwork_consensus::{RECEIPT_FORMAT, Receipt, SignedReceipt};
use meshwork_fuzz::{
    Gullible, SPACE, STRANGER, join,
    log::{Disk, Log, document},
    read,
};
use meshwork_identity::{Invitation, RoomCode, SpaceSecret};
use meshwork_op_log::{Effect, EntryWriter, Input, Message};
use meshwork_wire::{FrameWriter, Protocol, encode};

fn main() -> io::Result<()> {
    frames()?;
    invitations()?;
    room_codes()?;
    golden_lines("hub_message", "discovery")?;
    golden_bytes("consensus_message", "consensus", |bytes| join(&[bytes]))?;
    golden_bytes("presence_message", "presence", |bytes| join(&[bytes]))?;
    golden_bytes("op_log_message", "op-log", |bytes| join(&[bytes]))?;
    receipts()?;
    logs()?;
    bodies()?;
    settings()?;
    scripts::scripts(write)?;
    // Begins when the link is up, and sends the bytes as a message about the link.
    golden_bytes("transport_message", "transport", |bytes| {
        [&[200][..], &join(&[[&[0x40], bytes].concat()])].concat()
    })
}

/// A log's disk, before and after it was closed, and a stranger's blocks.
fn logs() -> io::Result<()> {
    let mut log = Log::open(Disk::new()).map_err(io::Error::other)?;
    for body in [&b"one"[..], b"two", &[7; 300]] {
        log.write(body);
    }
    write("op_log_rows", "crashed", join(&rows(&log.disk)))?;
    write("op_log_rows", "closed", join(&rows(&log.close())))?;

    let mut writer = EntryWriter::new(SPACE, Gullible::signer(), &Seed::from_number(9));
    let mut strange = Vec::new();
    for body in [&b"one"[..], b"two", &[7; 300]] {
        let entry =
            writer.write(Vec::new(), &document(), HybridTime::default(), body).map_err(io::Error::other)?;
        write("op_log_block", &format!("stranger-{}", strange.len()), entry.bytes())?;
        strange.push(entry.bytes().clone());
    }
    let message = |message: &Message| encode(message).map_err(io::Error::other);
    let blocks: io::Result<Vec<_>> = strange
        .iter()
        .map(|block| message(&Message::Blocks { wanted: false, blocks: vec![block.clone()] }))
        .collect();
    let mut blocks = blocks?;
    let mut log = Log::open(Disk::new()).map_err(io::Error::other)?;
    log.feed(Input::PeerUp { peer: STRANGER.0 });
    for message in blocks.iter().filter_map(|bytes| read(bytes)) {
        let effects = log.feed(Input::Received { from: STRANGER.0, message });
        assert!(
            effects.iter().any(|effect| matches!(effect, Effect::Deliver(_))),
            "a seed is taken: {effects:?}"
        );
    }
    write("op_log_message", "blocks", join(&blocks))?;
    blocks.reverse();
    write("op_log_message", "out-of-order", join(&blocks))
}

fn rows(disk: &Disk) -> Vec<Vec<u8>> {
    let row = |((table, key), value): (&(Table, Bytes), &Bytes)| {
        let table = match table {
            Table::Blocks => 0,
            Table::Meta => 1,
            Table::Proofs => 2,
        };
        [&[table, key.len() as u8][..], key, value].concat()
    };
    disk.iter().map(row).collect()
}

/// A receipt for what the target's machine has stored.
fn receipts() -> io::Result<()> {
    let (_, node) = STRANGER;
    let tip = Tip { sequence: 5, hash: Hash::of(&5u64.to_le_bytes()) };
    let receipt = Receipt {
        format: RECEIPT_FORMAT,
        space: SPACE,
        node,
        epoch: 1,
        replica: ReplicaId([2; 16]),
        counter: 1,
        holds: [(ReplicaId([1; 16]), tip)].into_iter().collect(),
    };
    let signed = SignedReceipt::sign(&receipt, &*Gullible::signer()).map_err(io::Error::other)?;
    let message = encode(&meshwork_consensus::Message::Receipt(signed)).map_err(io::Error::other)?;
    write("consensus_message", "confirms", join(&[message]))
}

/// The bodies that the golden test pins, one after the other by one author, and by two in turn.
fn bodies() -> io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/crdt-state/tests/golden/bodies.hex");
    let text = fs::read_to_string(path)?;
    let bodies: Result<Vec<_>, _> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next_back())
        .map(|hex| base16ct::mixed::decode_vec(hex))
        .collect();
    let bodies = bodies.map_err(io::Error::other)?;
    let by = |how: fn(usize) -> u8| -> Vec<Vec<u8>> {
        bodies.iter().enumerate().map(|(number, body)| [&[how(number)], &body[..]].concat()).collect()
    };
    write("crdt_body", "one-author", join(&by(|_| 0)))?;
    write("crdt_body", "concurrent", join(&[by(|_| 0), by(|_| 1)].concat()))?;
    write("crdt_body", "in-turn", join(&by(|number| 2 | (number % 2) as u8)))
}

/// All settings as they are, and mistakes.
fn settings() -> io::Result<()> {
    let table = [
        (
            "values",
            "[transport]\nlinks_max = 3\n[consensus]\npolicy = { count = 3 }\n[hub]\nhosts = [\"h:1\"]\n",
        ),
        ("hubs", "[discovery]\nhubs = [\"http://h\"]\nroom = \"A3B7K9\"\nbackoff_min_ms = 20\n"),
        ("unknown", "[op_log]\nflush = 3\n"),
        ("kind", "[presence]\nheartbeat_ms = \"often\"\n"),
        ("range", "[documents]\ndepth_max = 0\n[storage]\nx = 1\n"),
    ];
    table.into_iter().try_for_each(|(name, text)| write("settings", name, text))
}

fn write(target: &str, name: &str, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&directory)?;
    fs::write(directory.join(name), bytes)
}

fn frames() -> io::Result<()> {
    let noise: Vec<u8> =
        (0..70).flat_map(|number| Seed::from_number(number).random().bytes::<1024>()).collect();
    type Messages<'a> = &'a [(Protocol, &'a [u8])];
    let table: [(&str, Messages); 4] = [
        (
            "small",
            &[(Protocol::Presence, b"here"), (Protocol::OpLog, b"o"), (Protocol::Consensus, b"stored")],
        ),
        ("compressed", &[(Protocol::OpLog, &[b'x'; 600])]),
        ("long", &[(Protocol::OpLog, &noise[..66_000]), (Protocol::Link, b"ping")]),
        ("full", &[(Protocol::OpLog, &[7; 40_000]), (Protocol::OpLog, &[8; 40_000])]),
    ];
    for (name, messages) in table {
        let mut writer = FrameWriter::default();
        for (protocol, payload) in messages {
            writer.push(*protocol, payload.to_vec().into()).map_err(io::Error::other)?;
        }
        let frames: Vec<_> = std::iter::from_fn(|| writer.finish()).collect();
        write("frame", name, join(&frames))?;
    }
    Ok(())
}

fn invitations() -> io::Result<()> {
    let table = [
        ("plain", "http://127.0.0.1:7070"),
        ("path", "https://hub.example/meshwork"),
        ("address", "http://[::1]:80/"),
    ];
    for (name, hub) in table {
        let invitation = Invitation {
            hub: hub.parse().map_err(io::Error::other)?,
            room: RoomCode::generate(&mut Seed::from_number(1).random()),
            space: SpaceId([7; 16]),
            secret: SpaceSecret::from_bytes([9; 32]),
        };
        write("invitation", name, invitation.to_string())?;
    }
    Ok(())
}

fn room_codes() -> io::Result<()> {
    for (name, code) in
        [("capitals", "A3B7K9"), ("small", "a3b7k9"), ("digits", "000000"), ("short", "A3B7K")]
    {
        write("room_code", name, code)?;
    }
    Ok(())
}

/// Every file of bytes that a crate's golden tests pin, made an input.
fn golden_bytes(target: &str, name: &str, input: impl Fn(&[u8]) -> Vec<u8>) -> io::Result<()> {
    // A crate may pin stored rows beside its messages.
    let messages = golden(name, "hex")?.into_iter().filter(|path| !stem(path).starts_with("rows_"));
    for path in messages {
        let text = fs::read_to_string(&path)?;
        let bytes = base16ct::mixed::decode_vec(text.trim()).map_err(io::Error::other)?;
        write(target, &stem(&path), input(&bytes))?;
    }
    Ok(())
}

/// Every line of text that a crate's golden tests pin.
fn golden_lines(target: &str, name: &str) -> io::Result<()> {
    for path in golden(name, "jsonl")? {
        for (number, line) in fs::read_to_string(&path)?.lines().enumerate() {
            write(target, &format!("{}-{number:02}", stem(&path)), line)?;
        }
    }
    Ok(())
}

fn golden(name: &str, extension: &str) -> io::Result<Vec<PathBuf>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates").join(name).join("tests/golden");
    let paths: io::Result<Vec<_>> = fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect();
    Ok(paths?.into_iter().filter(|path| path.extension().is_some_and(|own| own == extension)).collect())
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
