//! An address that cannot be listened on is named, with what to do.
#![cfg(feature = "native")]

mod common;

use std::net::TcpListener;

use common::{NodeProcess, Process, run};

#[test]
fn a_port_in_use_is_named_by_whoever_wanted_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let output = run(format!("hub --listen {address}")).refused(&format!("{address} is in use"));
    assert!(output.contains("is free, or use port 0"), "{output}");
    run(format!("node --room A3B7K9 --embed-hub {address}")).refused(&format!("{address} is in use"));
    let output = run(format!("node --api {address}")).refused(&format!("cannot listen on {address}"));
    assert!(output.contains("Choose another --api"), "{output}");
}

#[test]
fn a_node_whose_api_cannot_listen_leaves_its_data_directory_in_order() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().display();
    let replica = || {
        let node = NodeProcess::start(&format!("--data {data}"));
        let replica = node.api.status()["replica_id"].clone();
        node.process.terminate().succeeded();
        replica
    };
    let before = replica();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    run(format!("node --data {data} --api {address}")).refused("cannot listen on");
    assert!(before.is_string());
    assert_eq!(replica(), before, "one that was not closed cleanly would be retired");
}

#[test]
fn an_api_is_for_this_machine_only() {
    run("node --api 0.0.0.0:0").refused("0.0.0.0:0 is not a loopback address; use 127.0.0.1 or [::1]");
}

#[test]
fn addresses_that_are_none_are_refused() {
    run("hub --listen nonsense").refused("invalid value 'nonsense' for '--listen <ADDR>'");
    // TEST-NET-1 (RFC 5737) belongs to nobody.
    run("hub --listen 192.0.2.1:7070").refused("cannot listen on 192.0.2.1:7070");
    for hub in ["nonsense", "127.0.0.1:7070", "localhost:7070", "ftp://host"] {
        run(["node", "--room", "A3B7K9", "--hub", hub]).refused("starts with http:// or https://");
        run(["invite", "--hub", hub]).refused("starts with http:// or https://");
    }
}

#[test]
fn a_hub_goes_by_the_names_that_it_is_given() {
    let mut hub = Process::start("hub --listen 127.0.0.1:0 --host hub.example --host 10.0.0.5:7070");
    let url = hub.word_after("hub at ");
    let refused = run(format!("node --room A3B7K9 --hub {url}"));
    refused.refused("this hub goes by other names: use hub.example or 10.0.0.5:7070");
    run("hub --listen 127.0.0.1:0 --host http://hub.example")
        .refused("setting `hosts` is http://hub.example");

    let port = common::free_port();
    let mut hub = Process::start(format!("hub --listen 127.0.0.1:{port} --host 127.0.0.1:{port}"));
    hub.line("hub at ");
    Process::start(format!("node --room A3B7K9 --hub http://127.0.0.1:{port}")).line("in the hub's room");
}
