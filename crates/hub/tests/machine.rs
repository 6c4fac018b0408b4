//! The machine: sessions, rooms, doors, seats.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use common::{Act, OTHER_SPACE, Rig, SPACE, join_message, peer, session, signal, signer};
use meshwork_base::{Machine, Seed};
use meshwork_discovery::{ClientMessage, ErrorCode, ServerMessage};
use meshwork_hub::{Hub, HubConfig};

#[test]
fn sessions_of_one_room_meet_signal_and_part() {
    let mut rig = Rig::new(HubConfig::default());
    assert_eq!(rig.join(1), [ServerMessage::Joined { space: SPACE, peers: vec![] }]);
    assert_eq!(rig.join(2), [ServerMessage::Joined { space: SPACE, peers: vec![peer(1)] }]);
    assert_eq!(rig.heard(1), [ServerMessage::PeerJoined { peer: peer(2) }]);
    rig.enter(3);
    rig.say(3, &join_message("ZZZZZZ", SPACE, false, None));
    rig.heard(3);

    rig.say(2, &ClientMessage::signal(session(1), signal("o")));
    assert_eq!(rig.heard(1), [ServerMessage::signal(session(2), signal("o"))]);
    rig.say(3, &ClientMessage::signal(session(1), signal("o")));
    assert!(matches!(rig.heard(3)[..], [ServerMessage::Error { code: ErrorCode::UnknownPeer, .. }]));
    assert_eq!((rig.heard(1), rig.closed.as_slice()), (vec![], &[][..]));

    rig.say(1, &ClientMessage::Heartbeat);
    assert_eq!(rig.heard(1), [ServerMessage::HeartbeatAck]);
    let stats = rig.hub.stats();
    assert_eq!((stats.rooms, stats.peers, stats.connections), (2, 3, 3));
    assert_eq!((stats.signalling.offers, stats.signalling.refused), (1, 1));
    rig.say(1, &ClientMessage::Leave);
    assert_eq!(rig.heard(2), [ServerMessage::PeerLeft { session: session(1) }]);
    assert_eq!(rig.hub.stats().peers, 2);
}

#[test]
fn rooms_have_one_space_and_one_password() {
    let table = [
        // (the creator's password, the newcomer's space, adopts, password, expected)
        (None, SPACE, false, None, Ok(SPACE)),
        (None, OTHER_SPACE, true, None, Ok(SPACE)),
        (None, OTHER_SPACE, false, None, Err(ErrorCode::SpaceMismatch)),
        (None, SPACE, false, Some(1), Err(ErrorCode::WrongPassword)),
        (Some(1), SPACE, false, Some(1), Ok(SPACE)),
        (Some(1), SPACE, false, Some(2), Err(ErrorCode::WrongPassword)),
        (Some(1), SPACE, false, None, Err(ErrorCode::WrongPassword)),
        (Some(1), OTHER_SPACE, false, Some(2), Err(ErrorCode::WrongPassword)),
    ];
    for (number, (password, space, adopt, access, expected)) in table.into_iter().enumerate() {
        let mut rig = Rig::new(HubConfig::default());
        rig.enter(1);
        rig.say(1, &join_message("A3B7K9", SPACE, true, password));
        rig.enter(2);
        rig.say(2, &join_message("A3B7K9", space, adopt, access));
        match expected {
            Ok(space) => {
                assert_eq!(rig.heard(2), [ServerMessage::Joined { space, peers: vec![peer(1)] }], "{number}")
            }
            Err(code) => assert_eq!(rig.refusal(2), Some(code), "{number}"),
        }
    }
}

#[test]
fn in_a_young_hub_those_without_a_space_wait_for_one_that_has_one() {
    let young = || {
        let mut rig = Rig::new(HubConfig::default());
        rig.hub = Hub::new(HubConfig::default(), Arc::new(signer(0)), Seed::from_number(1));
        rig
    };
    let adopt = |rig: &mut Rig, connection: u64, room: &str, access: Option<u8>| {
        rig.enter(connection);
        rig.say(connection, &join_message(room, OTHER_SPACE, true, access));
    };
    let space = |heard: &[ServerMessage]| match heard {
        [ServerMessage::Joined { space, .. }, ..] => Some(*space),
        _ => None,
    };
    let mut rig = young();
    adopt(&mut rig, 1, "A3B7K9", None);
    adopt(&mut rig, 2, "ZZZZZZ", None);
    adopt(&mut rig, 3, "A3B7K9", Some(1));
    adopt(&mut rig, 4, "A3B7K9", None);
    assert_eq!((rig.heard(1), rig.hub.stats().rooms), (vec![], 0));
    // What is said meanwhile: a sign of life, or that one does not want to any more.
    rig.say(1, &ClientMessage::Heartbeat);
    assert_eq!(rig.heard(1), [ServerMessage::HeartbeatAck]);
    rig.say(4, &ClientMessage::Leave);
    assert_eq!(rig.join(5)[0], ServerMessage::Joined { space: SPACE, peers: vec![] });
    assert_eq!((space(&rig.heard(1)), rig.refusal(3)), (Some(SPACE), Some(ErrorCode::WrongPassword)));
    assert_eq!((rig.heard(2), rig.heard(4)), (vec![], vec![]), "another room; gone");
    adopt(&mut rig, 6, "A3B7K9", None);
    assert_eq!(space(&rig.heard(6)), Some(SPACE), "the room is known now");

    rig.pass(1_999);
    assert_eq!(rig.heard(2), []);
    rig.pass(1);
    assert_eq!(space(&rig.heard(2)), Some(OTHER_SPACE), "nobody had one");

    // One at a time, and none for a connection that is gone.
    let mut rig = young();
    adopt(&mut rig, 1, "A3B7K9", None);
    rig.say(1, &join_message("ZZZZZZ", OTHER_SPACE, true, None));
    assert_eq!(rig.refusal(1), Some(ErrorCode::Unexpected));
    rig.pass(60_000);
    assert_eq!(rig.hub.stats().rooms, 0);
}

#[test]
fn guessing_a_password_is_limited_by_address() {
    let config = HubConfig { password_failures_max: 3, ..HubConfig::default() };
    let mut rig = Rig::new(config);
    let mut attempt = |connection: u64, address: &str, access: u8, wait: u64| {
        rig.pass(wait);
        rig.connect_from(connection, address);
        rig.authenticate_as(connection, connection as u8, connection as u8, "h");
        rig.say(connection, &join_message("A3B7K9", SPACE, false, Some(access)));
        rig.refusal(connection)
    };
    let (wrong, many) = (Some(ErrorCode::WrongPassword), Some(ErrorCode::TooManyFailures));
    let table = [
        ("10.0.0.9", 1, 0, None),
        ("10.0.0.1", 2, 0, wrong),
        ("10.0.0.1", 3, 0, wrong),
        ("10.0.0.1", 1, 0, None),
        ("10.0.0.1", 4, 0, wrong),
        ("10.0.0.1", 5, 0, many),
        ("10.0.0.1", 1, 0, many),
        ("10.0.0.2", 1, 0, None),
        ("10.0.0.1", 1, 60_000, None),
    ];
    for (number, (address, access, wait, expected)) in table.into_iter().enumerate() {
        assert_eq!(attempt(number as u64 + 1, address, access, wait), expected, "{number}");
    }
}

#[test]
fn only_the_holder_of_the_key_speaks_for_a_session() {
    let hosts = vec!["h".to_owned()];
    let table: [(Act, _); 6] = [
        (|rig| rig.authenticate_as(2, 2, 2, "h"), None),
        (|rig| rig.authenticate_as(2, 2, 2, "elsewhere"), Some(ErrorCode::WrongHost)),
        (|rig| rig.authenticate_as(2, 2, 1, "h"), Some(ErrorCode::SessionTaken)),
        (|rig| rig.say(2, &ClientMessage::Heartbeat), Some(ErrorCode::Unexpected)),
        (|rig| rig.say(2, &join_message("A3B7K9", SPACE, true, None)), Some(ErrorCode::Unexpected)),
        (
            |rig| {
                // Signed over another challenge.
                rig.heard(2);
                rig.authenticate_as(2, 2, 2, "h");
            },
            Some(ErrorCode::BadSignature),
        ),
    ];
    for (number, (act, expected)) in table.into_iter().enumerate() {
        let mut rig = Rig::new(HubConfig { hosts: hosts.clone(), ..HubConfig::default() });
        rig.join(1);
        rig.connect_from(2, "10.0.0.1");
        act(&mut rig);
        assert_eq!(rig.refusal(2), expected, "{number}");
        assert_eq!(rig.hub.stats().connections, if expected.is_none() { 2 } else { 1 });
    }
    // Without `hosts`, the signature still binds the host that is named.
    let mut rig = Rig::new(HubConfig::default());
    rig.connect_from(2, "10.0.0.1");
    rig.authenticate_as(2, 2, 2, "elsewhere");
    assert_eq!(rig.refusal(2), Some(ErrorCode::BadSignature));
}

#[test]
fn a_session_that_reconnects_replaces_itself_and_keeps_its_seat() {
    let mut rig = Rig::new(HubConfig::default());
    rig.join(1);
    rig.join(2);
    rig.heard(1);
    rig.connect_from(3, "10.0.0.1");
    rig.authenticate_as(3, 2, 2, "h");
    assert_eq!(
        (rig.refusal(2), rig.heard(3)),
        (Some(ErrorCode::Replaced), vec![ServerMessage::Authenticated])
    );
    rig.disconnect(2);
    // Not in the room yet: what comes waits.
    rig.say(1, &ClientMessage::signal(session(2), signal("o")));
    assert_eq!(rig.heard(3), []);
    rig.say(3, &join_message("A3B7K9", SPACE, false, None));
    let joined = ServerMessage::Joined { space: SPACE, peers: vec![peer(1)] };
    assert_eq!(rig.heard(3), [joined, ServerMessage::signal(session(1), signal("o"))]);
    assert_eq!(rig.heard(1), [], "for the others nothing happened");
    rig.pass(20_000);
    assert_eq!((rig.heard(1), rig.hub.stats().peers), (vec![], 2));
}

#[test]
fn a_seat_and_what_waits_for_it_lapse() {
    let mut rig = Rig::new(HubConfig { waiting_signals_max: 2, ..HubConfig::default() });
    rig.join(1);
    rig.join(2);
    rig.disconnect(2);
    rig.heard(1);
    for _ in 0..3 {
        rig.say(1, &ClientMessage::signal(session(2), signal("o")));
    }
    assert_eq!(rig.heard(1).len(), 1, "the third is refused");
    rig.pass(6_000);
    assert_eq!(rig.heard(1), [ServerMessage::PeerLeft { session: session(2) }]);
    let stats = rig.hub.stats();
    assert_eq!((stats.peers, stats.signalling.offers), (1, 2));
    assert_eq!((stats.signalling.expired, stats.signalling.refused), (2, 1));
}

#[test]
fn a_signal_older_than_its_time_is_not_delivered() {
    // A sweep too rare to be what expires it.
    let config = HubConfig {
        reconnect_ms: 60_000,
        sweep_ms: 50_000,
        heartbeat_timeout_ms: 90_000,
        ..HubConfig::default()
    };
    let mut rig = Rig::new(config);
    rig.join(1);
    rig.join(2);
    rig.disconnect(2);
    rig.say(1, &ClientMessage::signal(session(2), signal("early")));
    rig.pass(20_000);
    rig.say(1, &ClientMessage::signal(session(2), signal("late")));
    rig.pass(10_000);
    rig.connect_from(3, "10.0.0.1");
    rig.authenticate_as(3, 2, 2, "h");
    rig.heard(3);
    rig.say(3, &join_message("A3B7K9", SPACE, false, None));
    assert_eq!(rig.heard(3)[1..], [ServerMessage::signal(session(1), signal("late"))]);
    assert_eq!(rig.hub.stats().signalling.expired, 1);
}

#[test]
fn an_empty_room_is_remembered_for_its_time() {
    for (ms, space) in [(3_598_000, SPACE), (3_602_000, OTHER_SPACE)] {
        let mut rig = Rig::new(HubConfig::default());
        rig.join(1);
        rig.say(1, &ClientMessage::Leave);
        rig.disconnect(1);
        rig.pass(ms);
        rig.enter(2);
        rig.say(2, &join_message("A3B7K9", OTHER_SPACE, true, None));
        assert_eq!(rig.heard(2), [ServerMessage::Joined { space, peers: vec![] }], "after {ms} ms");
    }
    let mut rig = Rig::new(HubConfig::default());
    rig.join(1);
    rig.say(1, &ClientMessage::Leave);
    rig.disconnect(1);
    rig.pass(4_000_000);
    assert_eq!((rig.hub.stats().rooms, rig.hub.poll_timeout()), (0, None), "an empty hub sleeps");
}
