//! Every bound of the machine, and what clients are told who reach it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Act, OTHER_SPACE, Rig, SPACE, join_message, session, signal};
use meshwork_discovery::{ClientMessage, ErrorCode, ServerMessage};
use meshwork_hub::{ConnectionId, HubConfig, Input};

fn code(number: u32) -> String {
    format!("R{number:05}")
}

/// Makes a room and leaves it again.
fn make_room(rig: &mut Rig, connection: u64, number: u32) {
    rig.say(connection, &join_message(&code(number), SPACE, false, None));
    rig.say(connection, &ClientMessage::Leave);
}

#[test]
fn empty_rooms_keep_nobody_out() {
    let mut rig = Rig::new(HubConfig { rooms_max: 4, ..HubConfig::default() });
    rig.join(1);
    rig.enter(2);
    for number in 0..8 {
        rig.pass(1);
        make_room(&mut rig, 2, number);
    }
    assert_eq!(rig.refusal(2), None);
    assert_eq!(rig.hub.stats().rooms, 4);
    // Those that were left last are still remembered, with their space.
    rig.enter(3);
    rig.say(3, &join_message(&code(7), OTHER_SPACE, false, None));
    assert_eq!(rig.refusal(3), Some(ErrorCode::SpaceMismatch));
    rig.enter(4);
    rig.say(4, &join_message(&code(4), OTHER_SPACE, false, None));
    assert_eq!(rig.heard(4), [ServerMessage::Joined { space: OTHER_SPACE, peers: vec![] }]);
}

#[test]
fn an_address_makes_so_many_rooms() {
    let mut rig = Rig::new(HubConfig::default());
    rig.enter(1);
    for number in 0..256 {
        make_room(&mut rig, 1, number);
    }
    assert_eq!(rig.refusal(1), None);
    // Rooms that are there take anybody; making one more is for others.
    make_room(&mut rig, 1, 255);
    assert_eq!(rig.refusal(1), None);
    make_room(&mut rig, 1, 256);
    assert_eq!(rig.refusal(1), Some(ErrorCode::RoomsFull));
    rig.connect_from(2, "10.0.0.2");
    rig.authenticate_as(2, 2, 2, "h");
    make_room(&mut rig, 2, 256);
    assert_eq!(rig.refusal(2), None);
    // With time, it may make another one.
    rig.pass(10_000);
    rig.enter(3);
    make_room(&mut rig, 3, 257);
    assert_eq!(rig.refusal(3), None);
    make_room(&mut rig, 3, 258);
    assert_eq!(rig.refusal(3), Some(ErrorCode::RoomsFull));
}

#[test]
fn what_waits_in_a_seat_is_bounded_in_bytes() {
    let mut rig = Rig::new(HubConfig::default());
    rig.join(1);
    rig.join(2);
    rig.disconnect(2);
    let body = signal(&"x".repeat(10_000));
    for _ in 0..64 {
        rig.say(1, &ClientMessage::signal(session(2), body.clone()));
    }
    let counts = rig.hub.stats().signalling;
    assert_eq!((counts.offers, counts.refused), (26, 38), "256 KiB");
}

#[test]
fn a_silent_connection_ends() {
    let mut rig = Rig::new(HubConfig::default());
    rig.join(1);
    rig.join(2);
    for _ in 0..3 {
        rig.pass(14_000);
        rig.say(1, &ClientMessage::Heartbeat);
    }
    assert_eq!(rig.refusal(2), Some(ErrorCode::HeartbeatTimeout));
    assert_eq!((rig.closed.as_slice(), rig.hub.stats().connections), (&[2][..], 1));
}

#[test]
fn every_bound_has_a_name() {
    let small = HubConfig {
        rooms_max: 1,
        peers_per_room_max: 2,
        connections_max: 4,
        connections_per_address_max: 3,
        messages_per_second: 10,
        messages_burst_max: 10,
        ..HubConfig::default()
    };
    let table: [(Act, ErrorCode); 9] = [
        (|rig| rig.say_text(9, "{".into()), ErrorCode::Malformed),
        (|rig| rig.say_text(9, " ".repeat(65 * 1024)), ErrorCode::TooLarge),
        (|rig| (0..20).for_each(|_| rig.say(9, &ClientMessage::Heartbeat)), ErrorCode::TooFast),
        (|rig| rig.say(9, &ClientMessage::signal(session(1), signal("o"))), ErrorCode::Unexpected),
        (|rig| rig.say(9, &join_message("ZZZZZZ", SPACE, true, None)), ErrorCode::RoomsFull),
        (|rig| rig.say(9, &join_message("A3B7K9", SPACE, true, None)), ErrorCode::RoomFull),
        (|rig| rig.authenticate_as(9, 9, 9, "h"), ErrorCode::Unexpected),
        (
            |rig| {
                let connection = ConnectionId(9);
                rig.feed(Some(Input::Violated { connection, code: ErrorCode::TooLarge }));
            },
            ErrorCode::TooLarge,
        ),
        (
            |rig| {
                rig.say(9, &ClientMessage::Leave);
                assert_eq!(rig.heard(9), [], "leaving without being there is nothing");
                rig.say_text(9, r#"{"type":"shout"}"#.into());
            },
            ErrorCode::Malformed,
        ),
    ];
    for (number, (act, code)) in table.into_iter().enumerate() {
        let mut rig = Rig::new(small.clone());
        rig.join(1);
        rig.join(2);
        rig.enter(9);
        act(&mut rig);
        assert_eq!(rig.refusal(9), Some(code), "{number}");
        assert_eq!(rig.hub.stats().connections, 2, "{number}");
    }
    let mut rig = Rig::new(small);
    (1..=3).for_each(|connection| rig.connect_from(connection, "10.0.0.1"));
    rig.connect_from(4, "10.0.0.1");
    assert_eq!(rig.refusal(4), Some(ErrorCode::TooManyConnections));
    rig.connect_from(5, "10.0.0.2");
    rig.connect_from(6, "10.0.0.3");
    assert_eq!((rig.refusal(5), rig.refusal(6)), (None, Some(ErrorCode::HubFull)));
    rig.disconnect(1);
    rig.connect_from(7, "10.0.0.1");
    assert_eq!(rig.refusal(7), None);
}
