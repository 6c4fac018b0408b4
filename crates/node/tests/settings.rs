//! Settings that cannot be meant are refused by name, with the value and what it takes.
#![cfg(feature = "native")]

mod common;

use common::{NodeProcess, Process, run};

/// A mistake, and what has to be said about it.
const MISTAKES: [(&str, &str, &[&str]); 8] = [
    (
        "TRANSPORT__LINKS_MAX",
        "transport.links_max = 0",
        &["setting `transport.links_max` is 0, but takes 1 to 4096"],
    ),
    (
        "TRANSPORT__LINKS_MAX",
        "transport.links_max = \"many\"",
        &["\"many\"", "integer", "transport.links_max"],
    ),
    (
        "TRANSPORT__LINK_MAX",
        "transport.link_max = 3",
        &["unknown field `link_max`, expected one of `links_max`"],
    ),
    ("NMAE", "nmae = \"ada\"", &["unknown field `nmae`, expected one of `name`"]),
    ("DISCOVERY__ROOM", "discovery.room = \"A3B\"", &["`A3B` is not a room code", "discovery.room"]),
    ("DISCOVERY__HUBS", "discovery.hubs = [\"ftp://h\"]", &["setting `discovery.hubs` is ftp://h"]),
    (
        "STORAGE__CACHE_BYTES",
        "storage.cache_bytes = 1",
        &["setting `storage.cache_bytes` is 1, but takes 1048576 to"],
    ),
    ("NAME", NAME_TOO_LONG, &["setting `name (bytes)` is 65, but takes 1 to 64"]),
];
const NAME_TOO_LONG: &str = "name = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"";

#[test]
fn a_file_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("node.toml");
    let file = common::shown(&file);
    for (_, text, messages) in MISTAKES {
        std::fs::write(&file, text).unwrap();
        for message in messages {
            run(["node", "--config", &file]).refused(message);
        }
    }
    std::fs::write(&file, "name = ").unwrap();
    run(["node", "--config", &file]).refused("TOML parse error at line 1");
    run(["node", "--config", "no/such/file.toml"]).refused("\"no/such/file.toml\" not found");
}

#[test]
fn the_environment_is_checked() {
    for (name, text, messages) in MISTAKES {
        let value = text.split_once(" = ").unwrap().1.trim_matches(['[', ']', '"']);
        let name = format!("MESHWORK_{name}");
        for message in messages {
            Process::start_with("node", &[(&name, value)]).ended().refused(message);
        }
    }
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("node.toml");
    std::fs::write(&file, "name = \"file\"").unwrap();
    let file = common::shown(&file);
    let name = |arguments: &str, environment: &[(&str, &str)]| {
        let node = NodeProcess::start_with(arguments, environment);
        node.api.status()["name"].as_str().unwrap().to_owned()
    };
    let environment = [("MESHWORK_NAME", "007")];
    assert_eq!(name(&format!("--config {file}"), &[]), "file");
    assert_eq!(name(&format!("--config {file}"), &environment), "007", "digits stay as they are written");
    assert_eq!(name(&format!("--config {file} --name flag"), &environment), "flag");
}

#[test]
fn hubs_and_room_can_come_from_the_environment() {
    let (_first, first) = common::hub();
    let (_second, second) = common::hub();
    let hubs = format!("{first}, {second}");
    let environment = [("MESHWORK_DISCOVERY__HUBS", hubs.as_str()), ("MESHWORK_DISCOVERY__ROOM", "012e45")];
    let node = NodeProcess::start_with("", &environment);
    let status = node.api.status();
    assert_eq!(status["room"], "012E45");
    assert_eq!(status["hubs"].as_object().unwrap().len(), 2, "{status}");
}
