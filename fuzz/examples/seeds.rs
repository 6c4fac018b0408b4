//! Writes the committed corpus, `fuzz/corpus/TARGET/NAME`: valid inputs, for the fuzzer to start from.
//!
//! Run it when a format has changed: `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER_PERMISSIVE;
use meshwork_base::{Seed, SpaceId};
use meshwork_fuzz::join;
use meshwork_identity::{Invitation, RoomCode, SpaceSecret};
use meshwork_wire::{FrameWriter, Protocol};

fn main() -> io::Result<()> {
    frames()?;
    invitations()?;
    room_codes()?;
    golden_lines("hub_message", "discovery")?;
    golden_bytes("consensus_message", "consensus", |bytes| join(&[bytes]))?;
    // Begins when the link is up, and sends the bytes as a message about the link.
    golden_bytes("transport_message", "transport", |bytes| {
        [&[200][..], &join(&[[&[0x40], bytes].concat()])].concat()
    })
}

fn write(target: &str, name: &str, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&directory)?;
    fs::write(directory.join(name), bytes)
}

fn frames() -> io::Result<()> {
    let noise: Vec<u8> =
        (0..70).flat_map(|number| Seed::from_number(number).random().bytes::<1024>()).collect();
    let table: [(&str, &[(Protocol, &[u8])]); 4] = [
        ("small", &[(Protocol::Presence, b"here"), (Protocol::OpLog, b""), (Protocol::Consensus, b"stored")]),
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
    for path in golden(name, "hex")? {
        let text = fs::read_to_string(&path)?;
        let bytes = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).map_err(io::Error::other)?;
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
