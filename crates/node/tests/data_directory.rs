//! A data directory that cannot be used is refused with a reason, and left as it is.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{fs, path::Path, process::Command};

use common::{NodeProcess, Process, run, shown};
use serde_json::Value;

/// A directory that a node has written to.
fn used(directory: &Path) -> String {
    let node = NodeProcess::start(&format!("--data {}", directory.display()));
    node.api.set("key", "kept", "stored");
    let id = node.api.status()["node_id"].as_str().unwrap().to_owned();
    node.process.terminate().succeeded();
    id
}

fn still_good(directory: &Path) {
    let node = NodeProcess::start(&format!("--data {}", directory.display()));
    assert_eq!(node.api.value("key"), "kept");
    node.process.terminate().succeeded();
}

fn refused(directory: &Path, message: &str) -> String {
    let ended = run(["node", "--data", &shown(directory)]);
    let output = ended.refused(message);
    assert!(output.contains(&shown(directory)), "{output}");
    output
}

#[test]
fn a_directory_serves_one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let node = NodeProcess::start(&format!("--data {}", folder.path().display()));
    node.api.set("key", "kept", "stored");
    refused(folder.path(), "another node has this store open; stop it, or start this one in another folder");
    node.api.set("other", "the first goes on", "stored");
    node.process.kill();
    still_good(folder.path());
}

#[test]
fn a_node_that_is_told_to_stop_closes_its_directory() {
    let folder = tempfile::tempdir().unwrap();
    let data = format!("--data {}", folder.path().display());
    let mut replicas = Vec::new();
    for stop in [Process::interrupt, Process::terminate, Process::interrupt] {
        let node = NodeProcess::start(&data);
        node.api.set("key", "kept", "visible");
        replicas.push(node.api.status()["replica_id"].clone());
        let output = stop(node.process).succeeded();
        assert!(output.contains("storing what is open and saying goodbye"), "{output}");
    }
    replicas.dedup();
    assert_eq!(replicas.len(), 1, "an incarnation that was closed goes on");
    still_good(folder.path());
}

#[test]
fn the_log_of_another_node_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["ours", "theirs"].map(|name| folder.path().join(name));
    let [our_id, their_id] = [used(&ours), used(&theirs)];
    let kept = folder.path().join("kept");
    fs::copy(theirs.join("profile.json"), &kept).unwrap();
    fs::copy(ours.join("profile.json"), theirs.join("profile.json")).unwrap();
    let output = refused(&theirs, &format!("this store belongs to node {their_id}"));
    assert!(output.contains(&format!("the key given is that of {our_id}")), "{output}");
    // A profile that was lost is not replaced in silence by a new one either.
    fs::remove_file(theirs.join("profile.json")).unwrap();
    refused(&theirs, "profile.json is missing, but there is a log");
    assert!(!theirs.join("profile.json").exists());
    fs::copy(&kept, theirs.join("profile.json")).unwrap();
    still_good(&theirs);
}

/// Marks a store as one of another format. Returns the one before.
fn set_store_format(store: &Path, version: u32) -> u32 {
    let format = redb::TableDefinition::<&str, u32>::new("meshwork format");
    let database = redb::Database::open(store).unwrap();
    let transaction = database.begin_write().unwrap();
    let before = {
        let mut table = transaction.open_table(format).unwrap();
        table.insert("version", version).unwrap().unwrap().value()
    };
    transaction.commit().unwrap();
    before
}

#[test]
fn other_versions_and_foreign_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    used(folder.path());
    let profile = folder.path().join("profile.json");
    let good = fs::read_to_string(&profile).unwrap();
    let table = [
        (good.replace("\"format\": 1", "\"format\": 7"), "has format 7, this build reads format 1"),
        ("nonsense".into(), "is not a meshwork profile"),
        (String::new(), "is not a meshwork profile"),
    ];
    for (content, message) in table {
        fs::write(&profile, &content).unwrap();
        refused(folder.path(), message);
        assert_eq!(fs::read_to_string(&profile).unwrap(), content);
    }
    fs::write(&profile, good).unwrap();
    still_good(folder.path());

    let store = folder.path().join("meshwork.redb");
    let known = set_store_format(&store, 7);
    refused(folder.path(), "the store has format 7, and this program knows format 2");
    assert_eq!(set_store_format(&store, known), 7);
    still_good(folder.path());

    fs::write(&store, "somebody's diary").unwrap();
    refused(folder.path(), "this is not a meshwork store; it was left as it is");
    assert_eq!(fs::read_to_string(&store).unwrap(), "somebody's diary");
}

#[test]
fn a_path_that_cannot_be_a_directory_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    refused(&file.path().join("below"), "check that the directory exists, is writable and has room");
}

/// A file system of its own, gone when dropped.
struct Mount(tempfile::TempDir);

impl Mount {
    /// `None` where mounting is not permitted: there is nothing to test on then, but for CI, which has to permit it.
    fn new(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "mounting a file system is not permitted");
            eprintln!("skipped: mounting a file system is not permitted here");
        }
        mounted.then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let done = Command::new("mount").args(["-o", &options]).arg(self.path()).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a process that was killed may hold it for a moment. The folder goes with its last user.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn a_read_only_file_system_is_named() {
    let Some(mount) = Mount::new("size=16m") else { return };
    used(mount.path());
    mount.remount("ro");
    refused(mount.path(), "cannot be written");
    refused(&mount.path().join("new"), "Read-only file system");
    mount.remount("rw");
    still_good(mount.path());
}

#[test]
fn a_disk_without_room_is_named() {
    let Some(mount) = Mount::new("size=16k") else { return };
    let output = refused(mount.path(), "the disk is full");
    assert!(output.contains("make room, then start again"), "{output}");
}

#[test]
fn a_disk_that_fills_up_stalls_edits_and_loses_none_that_was_acknowledged() {
    let Some(mount) = Mount::new("size=6m") else { return };
    let settings = [("MESHWORK_STORAGE__RETRY_MAX_MS", "200"), ("MESHWORK_UNSAVED_EDITS_MAX", "8")];
    let mut node = NodeProcess::start_with(&format!("--data {}", mount.path().display()), &settings);
    let api = node.api;
    let mut events = api.events();
    let large = "x".repeat(100_000);
    let (tell, acknowledged) = std::sync::mpsc::channel();
    // More writers than edits may be unsaved, each of which goes on until the disk takes no more.
    let writers: Vec<_> = (0..12)
        .map(|writer| {
            let (tell, large) = (tell.clone(), large.clone());
            std::thread::spawn(move || {
                for number in 0..10 {
                    let key = format!("{writer}-{number}");
                    let answer = api.try_set(&key, &large, "stored");
                    assert_eq!(answer.map(|answer| answer.status), Some(200));
                    tell.send(key).unwrap();
                }
            })
        })
        .collect();
    drop(tell);
    let reason = events.next("storage_stalled")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("the disk is full") && reason.contains("make room"), "{reason}");
    node.process.line("storage takes no writes: ");
    assert_eq!(api.status()["storage_stalled"], Value::String(reason));
    // Those on their way fill up the allowance; the others wait outside, and questions are answered.
    let visible = || api.get("/api/documents/app").as_object().unwrap().len();
    let before: Vec<String> = acknowledged.try_iter().collect();
    assert!(before.len() < 120);
    common::eventually("the allowance to be used up", visible, |visible| *visible >= before.len() + 8);
    assert!(visible() <= before.len() + 8 + acknowledged.try_iter().count());

    mount.remount("size=64m");
    events.next("storage_recovered");
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(api.status()["storage_stalled"], Value::Null);
    node.process.kill();
    let node = NodeProcess::start(&format!("--data {}", mount.path().display()));
    let document = node.api.get("/api/documents/app");
    assert_eq!(document.as_object().unwrap().len(), 120);
    assert!(before.iter().all(|key| document[key] == large.as_str()));
}

#[test]
fn a_node_that_cannot_store_what_is_open_ends_at_the_second_word() {
    let Some(mount) = Mount::new("size=6m") else { return };
    let mut node = NodeProcess::start(&format!("--data {}", mount.path().display()));
    let api = node.api;
    let large = "x".repeat(1_000_000);
    for number in 0..10 {
        assert_eq!(api.try_set(&number.to_string(), &large, "visible").unwrap().status, 200);
    }
    node.process.line("storage takes no writes: ");
    node.process.tell("-INT");
    node.process.line("storing what is open");
    node.process.interrupt().refused("ended before everything was stored");
}

#[test]
fn a_store_that_is_gone_is_asked_for_and_not_replaced_by_an_empty_one() {
    let Some(mount) = Mount::new("size=6m") else { return };
    let settings = [("MESHWORK_STORAGE__RETRY_MAX_MS", "100")];
    let node = NodeProcess::start_with(&format!("--data {}", mount.path().display()), &settings);
    let api = node.api;
    let mut events = api.events();
    let writer = std::thread::spawn(move || {
        for number in 0..100 {
            let answer = api.try_set(&format!("{number}"), &"x".repeat(100_000), "stored");
            assert_eq!(answer.map(|answer| answer.status), Some(200));
        }
    });
    let reason = events.next("storage_stalled")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("the disk is full"), "{reason}");
    let [store, away] = ["meshwork.redb", "away"].map(|name| mount.path().join(name));
    fs::rename(&store, &away).unwrap();
    let reason = events.next("storage_stalled")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("the store has gone") && reason.contains("put it back"), "{reason}");
    assert_eq!(api.status()["storage_stalled"], Value::String(reason));
    assert!(!store.exists());

    mount.remount("size=64m");
    fs::rename(&away, &store).unwrap();
    events.next("storage_recovered");
    writer.join().unwrap();
    node.process.kill();
    let node = NodeProcess::start(&format!("--data {}", mount.path().display()));
    assert_eq!(node.api.get("/api/documents/app").as_object().unwrap().len(), 100);
}
