//! `meshwork demo`: the summary's fields, and documents that come out as they went in.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{collections::BTreeMap, fs, path::Path};

use common::{Ended, Process, eventually, run, shown};
use serde_json::Value;

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_small_mesh_survives_a_kill_and_says_so_in_json() {
    // What the environment says about nodes is not about these.
    let environment = [("MESHWORK_NOBODY_KNOWS", "60"), ("MESHWORK_PASSWORD", "x")];
    let demo = Process::start_with("demo --nodes 2 --edits 300 --rate 0 --json", &environment);
    let output = demo.ended().succeeded();
    let summary: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"));
    let fields = ["converged", "elapsed_s", "lost_confirmed", "nodes", "ops_per_s", "wire_bytes_per_op"];
    assert_eq!(keys(&summary), fields);
    assert_eq!((&summary["converged"], &summary["lost_confirmed"]), (&Value::Bool(true), &0.into()));
    for rate in ["elapsed_s", "ops_per_s", "wire_bytes_per_op"] {
        assert!(summary[rate].as_f64().unwrap() > 0.0, "{summary}");
    }
    let nodes = summary["nodes"].as_array().unwrap();
    let number = |node: &Value, field: &str| node[field].as_u64().unwrap();
    let total: u64 = nodes.iter().map(|node| number(node, "authored")).sum();
    assert!(nodes.len() == 2 && total >= 300, "{summary}");
    for (node, name) in nodes.iter().zip(["node-1", "node-2"]) {
        let fields =
            ["authored", "confirmed", "connect_ms", "id", "name", "propagation_ms", "received", "state_hash"];
        assert_eq!(keys(node), fields);
        assert_eq!(node["name"], name);
        assert_eq!(number(node, "authored") + number(node, "received"), total);
        assert_eq!(number(node, "confirmed"), total);
        assert_eq!((node["id"].as_str().unwrap().len(), &node["state_hash"]), (64, &nodes[0]["state_hash"]));
        assert!(node["connect_ms"].as_f64().unwrap() > 0.0);
        assert_eq!(keys(&node["propagation_ms"]), ["p50", "p99"]);
    }
    assert_ne!(nodes[0]["id"], nodes[1]["id"]);
}

/// Numbers compare by their digits: the test knows nothing of `f64`.
const NASTY: &str = r#"{
    "": { "": { "": "empty keys" } },
    "empty": {}, "also empty": { "in": { "here": {} } },
    "null": null, "true": true, "text": "",
    "unicode ✓ 日本語 \u0000 \u001f \" \\ / ~ ~0 ~1": "\ud83d\ude00 e\u0301 \u00e9 \u2028",
    "numbers": {
        "big": 12345678901234567890123, "negative": -9223372036854775809, "u64": 18446744073709551615,
        "negative zero": -0.0, "minus zero": -0, "huge": 1e400, "tiny": 1e-400, "exponent": 1E+2,
        "digits": 0.1000000000000000055511151231257827, "trailing": 1.50, "one": 1.0, "int": 42
    },
    "arrays": [[], [[]], {}, { "": [null, -0.0, 1e400, { "deep": [12345678901234567890123] }] }, "x"],
    "$bytes": "not bytes", "bytes": { "$bytes": "AAAA" }, "in a list": [{ "$bytes": "AAAA" }],
    "__proto__": { "constructor": 1 }, "a/b": { "c~d": 1 },
    "deep": DEEP
}"#;

fn nasty() -> String {
    let deep = (0..40).fold("\"bottom\"".to_owned(), |inner, level| match level % 2 {
        0 => format!("{{\"level {level}\":{inner}}}"),
        _ => format!("{{\"\":{inner}}}"),
    });
    NASTY.replace("DEEP", &deep)
}

fn demo_with_input(file: &Path, output: &Path) -> Ended {
    run(["demo", "--nodes", "2", "--json", "--input", &shown(file), "--output", &shown(output)])
}

#[test]
fn any_json_object_comes_out_as_it_went_in() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.json", "out.json"].map(|name| folder.path().join(name));
    fs::write(&input, nasty()).unwrap();
    demo_with_input(&input, &output).succeeded();
    let [before, after]: [Value; 2] =
        [&input, &output].map(|file| serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap());
    assert_eq!(before, after);
    // Equality of numbers is that of their digits.
    let digits = |value: &Value, name: &str| value["numbers"][name].to_string();
    for (name, text) in [("big", "12345678901234567890123"), ("negative zero", "-0.0"), ("huge", "1e+400")] {
        assert_eq!(digits(&after, name), digits(&before, name));
        assert!(digits(&after, name).eq_ignore_ascii_case(text) || name == "huge", "{after}");
    }
}

/// So much that a node is killed in the middle of its share, and goes on with the rest of it.
#[test]
fn a_large_object_comes_out_as_it_went_in() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.json", "out.json"].map(|name| folder.path().join(name));
    let chat = |chat: usize| {
        let message =
            |number: usize| (format!("message {number}"), format!("{chat} {number} {}", "x".repeat(100)));
        (format!("chat {chat}"), (0..50).map(message).collect::<BTreeMap<_, _>>())
    };
    let chats: BTreeMap<_, _> = (0..350).map(chat).collect();
    let text = serde_json::to_string(&chats).unwrap();
    assert!(text.len() > 2_000_000);
    fs::write(&input, &text).unwrap();
    demo_with_input(&input, &output).succeeded();
    let after: BTreeMap<String, BTreeMap<String, String>> =
        serde_json::from_str(&fs::read_to_string(&output).unwrap()).unwrap();
    assert!(after == chats);
}

#[test]
fn an_input_may_be_smaller_than_the_mesh() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.json", "out.json"].map(|name| folder.path().join(name));
    for text in ["{}", r#"{"a":1}"#] {
        fs::write(&input, text).unwrap();
        demo_with_input(&input, &output).succeeded();
        assert_eq!(fs::read_to_string(&output).unwrap().split_whitespace().collect::<String>(), text);
    }
}

#[test]
fn a_directory_with_data_of_an_earlier_run_is_not_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let [data, input] = ["data", "in.json"].map(|name| folder.path().join(name));
    for text in [r#"{"a":1}"#, r#"{"b":2}"#] {
        fs::write(&input, text).unwrap();
        let demo = run(["demo", "--nodes", "2", "--input", &shown(&input), "--data", &shown(&data)]);
        match text {
            r#"{"a":1}"# => {
                // For people this time.
                let output = demo.succeeded();
                let says = |name: &str, value: &str| {
                    output.lines().any(|line| line.contains(name) && line.contains(value))
                };
                assert!(says("everybody holds the same", "yes"), "{output}");
                assert!(says("confirmed operations lost", " 0 "), "{output}");
            }
            _ => drop(demo.refused("data is not empty; each run begins with nothing: use a new --data")),
        }
    }
    let exported = fs::read_to_string(data.join("output.json")).unwrap();
    assert_eq!(exported.split_whitespace().collect::<String>(), r#"{"a":1}"#, "and it is left as it was");
}

#[test]
fn what_cannot_be_replicated_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.json", "out.json"].map(|name| folder.path().join(name));
    let large = format!("{{\"small\":1,\"large\":\"{}\"}}", "x".repeat(1024 * 1024));
    let long_key = format!("{{\"{}\":1}}", "k".repeat(70_000));
    let list = format!("{{\"list\":[{}1]}}", "1,".repeat(1_000_000));
    let table = [
        ("[1, 2]", "in.json holds an array; the demo takes a JSON object"),
        ("7", "in.json holds a number; the demo takes a JSON object"),
        ("null", "in.json holds null; the demo takes a JSON object"),
        ("", "in.json is not JSON: EOF while parsing a value at line 1 column 0"),
        ("{\"a\": 1,}", "in.json is not JSON: trailing comma at line 1 column 9"),
        ("{\"a\": NaN}", "in.json is not JSON: expected value at line 1 column 7"),
        ("{\"a\": 1} {}", "in.json is not JSON: trailing characters"),
        (
            &large,
            "the input cannot be written, at or after `/large`: the transaction takes over 1048576 bytes",
        ),
        (&long_key, "has 70000 bytes: at most 1024 are allowed"),
        (&list, "the input cannot be written, at or after `/list`: the transaction takes over 1048576 bytes"),
    ];
    for (content, message) in table {
        fs::write(&input, content).unwrap();
        let said = demo_with_input(&input, &output).refused(message);
        assert!(said.len() < 1_000, "{} characters", said.len());
    }
    let missing = folder.path().join("missing.json");
    demo_with_input(&missing, &output).refused("missing.json: No such file or directory");
    fs::write(&input, b"{\"\xff\": 1}").unwrap();
    demo_with_input(&input, &output).refused("in.json is not JSON");
    assert!(!output.exists());
    fs::write(&input, "{}").unwrap();
    demo_with_input(&input, &folder.path().join("no/such/folder.json")).refused("folder.json");
    run("demo --nodes 1").refused("1 is not in 2..=32");
    run("demo --nodes 33").refused("33 is not in 2..=32");
    run("demo --edits 0").refused("0 is not in 1..=");
    run("demo --input x.json --edits 5").refused("cannot be used with");
}

/// A demo that goes on for long, with its temporary directory in `folder`; all its processes run.
#[cfg(target_os = "linux")]
fn long_demo(folder: &Path, arguments: &str) -> Process {
    let command = format!("demo --nodes 2 --edits 1000000 --rate 10 --json {arguments}");
    let demo = Process::start_with(command, &[("TMPDIR", &shown(folder))]);
    eventually("all processes", || processes_of(folder), |processes| processes.len() == 4);
    demo
}

/// The processes that have this temporary directory.
#[cfg(target_os = "linux")]
fn processes_of(folder: &Path) -> Vec<u32> {
    let marker = format!("TMPDIR={}", folder.display());
    let environment = |process: &u32| fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
    let numbers =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers
        .filter(|process| {
            environment(process).split(|byte| *byte == 0).any(|entry| entry == marker.as_bytes())
        })
        .collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_demo_that_is_stopped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for signal in ["-TERM", "-INT"] {
        let demo = long_demo(folder.path(), "");
        demo.tell(signal);
        demo.ended().refused("stopped before the end");
        assert_eq!(processes_of(folder.path()), [0; 0]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_processes_of_a_demo_that_is_killed_end_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let demo = long_demo(folder.path(), "");
    demo.kill();
    eventually("no process", || processes_of(folder.path()), Vec::is_empty);
}

#[cfg(target_os = "linux")]
#[test]
fn a_mesh_that_stands_still_is_given_up_and_its_logs_stay() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let demo = long_demo(folder.path(), "--patience-s 1");
    let arguments =
        |process: &u32| fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let node = || {
        let processes = processes_of(folder.path());
        processes.into_iter().find(|process| arguments(process).contains("node-2"))
    };
    // Between its fork and its exec, a process has the arguments of its parent.
    let node = eventually("the second node", node, Option::is_some).unwrap();
    common::signal_to_id(node, "-STOP");
    let output = demo.ended().refused("for 1 s");
    let left = output.split_once("the nodes' data and logs are left in ").unwrap().1;
    assert!(Path::new(left).join("hub.log").is_file() && left.starts_with(&shown(folder.path())), "{output}");
    let mode = fs::metadata(left).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "others look into it");
    assert_eq!(processes_of(folder.path()), [0; 0]);
}
