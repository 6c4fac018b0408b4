//! Who gets in: room codes, passwords and invitations, right and wrong.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Api, NodeProcess, Process, eventually, hub, run};
use serde_json::Value;

/// Both are linked, and what one writes arrives at the other.
fn replicate(a: Api, b: Api) {
    let linked = |status: &Value| status["connected_peers"].as_array().is_some_and(|peers| peers.len() == 1);
    eventually("a link", || a.status(), linked);
    eventually("a link", || b.status(), linked);
    assert_eq!(a.status()["space_id"], b.status()["space_id"]);
    a.set("from/a", "a", "visible");
    b.set("from/b", "b", "visible");
    for api in [a, b] {
        let shown = || api.value("from").to_string();
        eventually("both edits", shown, |shown| shown == r#"{"a":"a","b":"b"}"#);
    }
}

/// It is in the room of its only hub.
fn in_room(api: Api) {
    eventually(
        "the room",
        || api.status()["hubs"].clone(),
        |hubs| hubs.as_object().is_some_and(|hubs| hubs.values().all(|joined| *joined == true)),
    );
}

#[test]
fn an_invitation_leads_two_nodes_to_each_other() {
    let (_hub, url) = hub();
    let link = run(format!("invite --hub {url} --room a3b7k9")).succeeded();
    assert!(link.starts_with(&format!("{url}/join/A3B7K9#")), "{link}");
    let [a, b] = ["a", "b"].map(|name| NodeProcess::start(&format!("--name {name} --join {link}")));
    replicate(a.api, b.api);
}

#[test]
fn a_member_invites_from_its_data_directory() {
    let (_hub, url) = hub();
    let data = tempfile::tempdir().unwrap();
    let data = data.path().display();
    run(format!("invite --data {data}")).refused("profile.json: No such file or directory");
    let member =
        NodeProcess::start(&format!("--data {data} --hub {url} --room A3B7K9 --password correct-horse"));
    let link = run(format!("invite --data {data} --hub {url} --room A3B7K9")).succeeded();
    let guest = NodeProcess::start(&format!("--join {link}"));
    replicate(member.api, guest.api);
}

#[test]
fn an_invitation_sets_a_password_of_the_environment_aside() {
    let (_hub, url) = hub();
    let link = run(format!("invite --hub {url} --room A3B7K9")).succeeded();
    let member = NodeProcess::start(&format!("--join {link}"));
    let environment = [("MESHWORK_PASSWORD", "of another mesh")];
    let mut guest = Process::start_with(format!("node --api 127.0.0.1:0 --join {link}"), &environment);
    guest.line("the password of the environment or the file is not used");
    let url = guest.word_after("API at http://");
    let address = url.strip_suffix("/api/status").unwrap().parse().unwrap();
    replicate(member.api, common::Api { address });
    run(["node", "--join", &link, "--password", "correct-horse"]).refused("cannot be used with");
}

#[test]
fn an_empty_password_in_the_environment_is_none() {
    let (_hub, url) = hub();
    let open = NodeProcess::start(&format!("--hub {url} --room A3B7K9"));
    let empty = [("MESHWORK_PASSWORD", "")];
    let also = NodeProcess::start_with(&format!("--hub {url} --room A3B7K9"), &empty);
    replicate(open.api, also.api);
    let secret = [("MESHWORK_PASSWORD", "correct-horse")];
    let a = NodeProcess::start_with(&format!("--hub {url} --room B5C2D8"), &secret);
    let b = NodeProcess::start(&format!("--hub {url} --room B5C2D8 --password correct-horse"));
    replicate(a.api, b.api);
}

#[test]
fn a_room_code_is_enough_in_any_case_of_letters() {
    let (_hub, url) = hub();
    let [a, b] = ["A3B7K9", "a3b7k9"].map(|room| NodeProcess::start(&format!("--hub {url} --room {room}")));
    replicate(a.api, b.api);
}

#[test]
fn a_password_lets_in_and_a_wrong_one_does_not() {
    let (_hub, url) = hub();
    let data = tempfile::tempdir().unwrap();
    let data = data.path().display();
    let room = format!("--hub {url} --room A3B7K9");
    let a = NodeProcess::start(&format!("{room} --password correct-horse"));
    let b = NodeProcess::start(&format!("{room} --password correct-horse --data {data}"));
    replicate(a.api, b.api);
    run(format!("node {room} --password battery-staple")).refused("wrong password for this room");
    run(format!("node {room}")).refused("wrong password for this room");
    b.process.terminate().succeeded();
    // A member is told without asking anybody.
    run(format!("node {room} --password battery-staple --data {data}"))
        .refused("wrong password: the space of this data directory was joined with another one");
    run(format!("node {room} --password x")).refused("password");
    NodeProcess::start(&format!("{room} --data {data}")).process.line("up in");
}

#[test]
fn a_secret_of_the_right_form_that_is_wrong_gets_nowhere() {
    let (_hub, url) = hub();
    let link = run(format!("invite --hub {url}")).succeeded();
    let inside = NodeProcess::start(&format!("--join {link}"));
    in_room(inside.api);
    let mut outside = NodeProcess::start(&format!("--join {}", damaged(&link)));
    outside.process.line("the hub refuses: wrong password for this room");
    outside.api.set("x", "outside", "stored");
    assert_eq!(inside.api.status()["total_peers"], 0);
}

/// The link with another, well-formed secret.
fn damaged(link: &str) -> String {
    let (rest, secret) = link.rsplit_once('.').unwrap();
    let other = if secret.starts_with('A') { "B" } else { "A" };
    format!("{rest}.{other}{}", &secret[1..])
}

#[test]
fn a_damaged_link_does_not_cost_a_member_its_access() {
    let (_hub, url) = hub();
    let data = tempfile::tempdir().unwrap();
    let data = data.path().display();
    let link = run(format!("invite --hub {url}")).succeeded();
    let inside = NodeProcess::start(&format!("--join {link}"));
    let (hub, room) = link.split_once("/join/").unwrap();
    let no_link = format!("--hub {hub} --room {}", &room[..6]);
    in_room(inside.api);
    let refused = || {
        let mut node = NodeProcess::start(&format!("--data {data} --join {}", damaged(&link)));
        node.process.line("the hub refuses: wrong password for this room");
        node.process.terminate().succeeded();
    };
    // A newcomer may begin with the damaged one: the good one corrects it.
    refused();
    let mut node = NodeProcess::start(&format!("--data {data} --join {link}"));
    node.process.line("the new secret of the space is kept");
    node.process.terminate().succeeded();
    refused();
    let node = NodeProcess::start(&format!("--data {data} {no_link}"));
    replicate(inside.api, node.api);
}

#[test]
fn an_invitation_to_another_space_does_not_change_a_member() {
    let (_hub, url) = hub();
    let data = tempfile::tempdir().unwrap();
    let data = data.path().display();
    let first = run(format!("invite --hub {url}")).succeeded();
    let second = run(format!("invite --hub {url}")).succeeded();
    let space = |api: Api| api.status()["space_id"].as_str().unwrap().to_owned();
    let node = NodeProcess::start(&format!("--data {data} --join {first}"));
    let member_of = space(node.api);
    node.process.terminate().succeeded();
    let refused = run(format!("node --data {data} --join {second}"));
    refused
        .refused(&format!("the data directory belongs to space {member_of}, the invitation leads to space"));
    // Following the first again, or none, is fine.
    for arguments in [format!("--join {first}"), String::new()] {
        let node = NodeProcess::start(&format!("--data {data} {arguments}"));
        assert_eq!(space(node.api), member_of);
        node.process.terminate().succeeded();
    }
}

#[test]
fn nodes_with_fixed_addresses_are_hubs_to_each_other() {
    let [first, second] = [0; 2].map(|_| common::free_port());
    let hub = |port: u16| format!("http://127.0.0.1:{port}");
    let link = run(format!("invite --hub {}", hub(first))).succeeded();
    // All have the same list, with themselves in it.
    let embeds = |own: u16| {
        let hubs = format!("--hub {} --hub {}", hub(first), hub(second));
        let arguments = format!("--embed-hub 127.0.0.1:{own} {hubs} --join {link}");
        NodeProcess::start_with(&arguments, &[("MESHWORK_DISCOVERY__BACKOFF_MAX_MS", "300")])
    };
    // The one whose address the invitation names comes last.
    let b = embeds(second);
    let a = embeds(first);
    replicate(a.api, b.api);
    in_room(a.api);
    in_room(b.api);
    // Either hub is enough.
    drop(b);
    let c = NodeProcess::start(&format!("--hub {} --join {link}", hub(first)));
    eventually(
        "a link",
        || a.api.status()["connected_peers"][0]["session_id"].clone(),
        |session| *session == c.api.status()["session_id"],
    );
    let output = a.process.terminate().succeeded();
    assert!(!output.contains("this session connected again elsewhere"), "to its own hub: {output}");
}

#[test]
fn codes_and_links_that_are_none_are_refused_at_once() {
    for room in ["A3B", "A3B7K9X", "A3B-K9", "ÄÄÄ"] {
        run(["node", "--room", room]).refused(&format!("`{room}` is not a room code"));
        run(["invite", "--room", room]).refused("6 characters of A-Z and 0-9");
    }
    run("node --hub http://127.0.0.1:7070").refused("setting `discovery.room` is not set");
    let good = run("invite --hub http://127.0.0.1:1").succeeded();
    let table = [
        ("nonsense".to_owned(), "`nonsense` is not a link to a hub"),
        ("http://h/join/A3B#x".into(), "does not end in /join/ROOM"),
        (good.split('#').next().unwrap().into(), "behind `#` is missing or damaged"),
        (good[..good.len() - 1].into(), "behind `#` is missing or damaged"),
        (good.replace('.', ""), "behind `#` is missing or damaged"),
        ("x".repeat(3_000), "at most 2048 bytes, this one has 3000"),
    ];
    for (link, message) in table {
        let output = run(["node", "--join", &link]).refused(message);
        let secret = good.rsplit_once('.').unwrap().1;
        assert!(!output.contains(&secret[..20]), "secrets stay out of messages: {output}");
    }
    run(["node", "--join", &good, "--room", "A3B7K9"]).refused("cannot be used with");
}

#[test]
fn a_newcomer_that_is_refused_ends() {
    let mut hub = Process::start("hub --listen 127.0.0.1:0 --host hub.example");
    let url = hub.word_after("hub at ");
    run(format!("node --hub {url} --room A3B7K9")).refused("the hub refuses");
}
