//! What peers may do to us: nothing. And the bytes that are pinned.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::*;
use meshwork_base::{Hash, NodeId, SessionId};
use meshwork_presence::{Capabilities, Config, Input, Message, News, Presence, Profile, Rumour};
use proptest::prelude::*;

fn crowd(numbers: std::ops::Range<u64>) -> Vec<Rumour> {
    let session = |number: u64| SessionId(Hash::of(&number.to_le_bytes()).0[..16].try_into().unwrap());
    let alive = || News::Alive { age_ms: 0, profile: Some((node(9), profile(1, ""))) };
    numbers.map(|number| Rumour { session: session(number), beat: 1, news: alive() }).collect()
}

fn alone(config: Config) -> Presence {
    let mut machine = presence(1, config);
    run(&mut machine, at(0), up(2));
    machine
}

#[test]
fn what_no_correct_peer_sends_is_named() {
    let heartbeat =
        |id, profile| Message::Heartbeat { session: session(id), beat: 1, profile, rumours: vec![] };
    let long = |status: &str, times| profile(1, &status.repeat(times));
    let named = |name: &str| Profile { name: name.into(), ..profile(1, "") };
    let rumoured = |profile| {
        let news = News::Alive { age_ms: 0, profile: Some((node(9), profile)) };
        Message::Rumours(vec![Rumour { session: session(9), beat: 1, news }])
    };
    let table = [
        (heartbeat(3, Some(profile(1, ""))), "a heartbeat in the name of session 0303"),
        (heartbeat(2, Some(long("x", 257))), "a status takes at most 256 bytes, this one has 257"),
        (heartbeat(2, Some(named(&"x".repeat(65)))), "a name takes at most 64 bytes"),
        (heartbeat(2, Some(named("\u{1b}[2J"))), "a name takes no control characters"),
        (rumoured(long("x", 257)), "a status takes at most 256 bytes"),
        (
            Message::Hears(vec![session(4), session(3)]),
            "a list of heard sessions is out of order, or over 4096",
        ),
        (Message::Hears(vec![session(4); 4_097]), "a list of heard sessions is out of order, or over 4096"),
        (Message::Rumours(crowd(0..1_025)), "a message takes at most 1024 rumours, this one has 1025"),
    ];
    for (message, expected) in table {
        let mut machine = alone(Config::default());
        let events = events(&run(&mut machine, at(0), received(2, message)));
        assert!(events.len() == 1 && events[0].starts_with(&format!("misbehaved: {expected}")), "{events:?}");
        assert_eq!(here(&machine), []);
    }
}

#[test]
fn who_is_not_linked_is_not_heard() {
    let mut machine = alone(Config::default());
    assert_eq!(run(&mut machine, at(0), beat(3, 1, Some(profile(1, "")))), []);
    assert_eq!(run(&mut machine, at(0), told(2, 1, u64::MAX, 0, Some(profile(9, "you")))), []);
    assert_eq!(run(&mut machine, at(0), told_left(2, 1, u64::MAX)), []);
}

#[test]
fn a_crowd_is_bounded_and_linked_members_get_in() {
    let mut machine = alone(Config { members_max: 8, ..Config::default() });
    for part in 0..50 {
        run(&mut machine, at(part), received(2, Message::Rumours(crowd(part * 100..part * 100 + 100))));
        assert_eq!(machine.members().len(), 8);
    }
    let seen = events(&run(&mut machine, at(60), beat(2, 1, Some(profile(1, "")))));
    assert!(seen.len() == 2 && seen[0].starts_with("lost") && seen[1] == "joined 2", "{seen:?}");
    // Come and go: those who went are bounded too, and a newcomer is told of no more than that.
    for part in 0..50 {
        let left = crowd(part * 100..part * 100 + 100);
        let left = left.into_iter().map(|rumour| Rumour { beat: 2, news: News::Left, ..rumour });
        run(&mut machine, at(100 + part), received(2, Message::Rumours(left.collect())));
        run(
            &mut machine,
            at(100 + part),
            received(2, Message::Rumours(crowd(9_000 + part * 100..9_100 + part * 100))),
        );
    }
    let told = rumours_to(&run(&mut machine, at(200), up(3)), 3);
    assert!(told.len() <= 16, "{}", told.len());
    // When all are linked, one more is left out.
    let mut machine = presence(1, Config { members_max: 3, ..Config::default() });
    for id in 2..9 {
        run(&mut machine, at(0), up(id));
        run(&mut machine, at(0), beat(id, 1, Some(profile(1, ""))));
    }
    assert_eq!(here(&machine), [2, 3, 4]);
}

#[test]
fn goodbyes_that_are_told_at_once_are_passed_on_at_once() {
    let mut machine = presence(1, Config::default());
    (2..5).for_each(|id| drop(run(&mut machine, at(0), up(id))));
    run(&mut machine, at(1), received(2, Message::Rumours(crowd(0..1_000))));
    let left = crowd(0..1_000).into_iter().map(|rumour| Rumour { beat: 2, news: News::Left, ..rumour });
    let effects = run(&mut machine, at(2), received(2, Message::Rumours(left.collect())));
    assert_eq!(sent_to(&effects, 2), []);
    for peer in [3, 4] {
        assert_eq!(rumours_to(&effects, peer).len(), 1_000);
        assert_eq!(sent_to(&effects, peer).len(), 2, "of 32 KiB at most");
    }
}

#[test]
fn a_linked_session_that_found_no_place_gets_in_when_there_is_one() {
    let mut machine = presence(1, Config { members_max: 2, ..Config::default() });
    for id in 2..5 {
        run(&mut machine, at(0), up(id));
        run(&mut machine, at(0), beat(id, 1, Some(profile(1, ""))));
    }
    assert_eq!(here(&machine), [2, 3]);
    run(&mut machine, at(1), beat(4, 2, None));
    run(&mut machine, at(2), received(2, Message::Leave { beat: 9 }));
    // It has told its profile, and does not tell it again.
    assert_eq!(events(&run(&mut machine, at(3), beat(4, 3, None))), ["joined 4"]);
}

#[test]
fn a_large_crowd_is_told_in_messages_that_fit_a_frame() {
    let mut machine = alone(Config::default());
    let fat = |rumour: Rumour| {
        let mut capabilities = Capabilities::default();
        for n in 0..16 {
            capabilities = capabilities.with(&format!("{n:032}"), &"v".repeat(64)).unwrap();
        }
        let profile =
            Profile { name: "n".repeat(64), status: "s".repeat(256), capabilities, ..profile(1, "") };
        Rumour { news: News::Alive { age_ms: 0, profile: Some((node(9), profile)) }, ..rumour }
    };
    run(&mut machine, at(0), received(2, Message::Rumours(crowd(0..1_024).into_iter().map(fat).collect())));
    let effects = run(&mut machine, at(1), up(3));
    let messages = sent_to(&effects, 3);
    assert_eq!(rumours_to(&effects, 3).len(), 1_024);
    assert!(messages.iter().all(|message| meshwork_wire::encode(message).unwrap().len() <= 40 * 1024));
    assert!(messages[1..].iter().all(|message| matches!(message, Message::Rumours(_))));
}

proptest! {
    #[test]
    fn any_message_gives_a_value_or_a_complaint(bytes: Vec<u8>, beats in prop::collection::vec(
        (0u8..5, any::<u64>(), any::<u64>(), prop::option::of(any::<u64>()), any::<bool>()), 0..40,
    )) {
        let _ = meshwork_wire::decode::<Message>(&bytes);
        let mut machine = alone(Config { members_max: 3, ..Config::default() });
        for (id, number, age_ms, revision, left) in beats {
            let profile = revision.map(|revision| profile(revision, ""));
            let input = match (id, left) {
                (2, true) => Input::Received { from: session(2), message: Message::Leave { beat: number } },
                (2, false) => beat(2, number, profile),
                (id, true) => told_left(2, id, number),
                (id, false) => told(2, id, number, age_ms, profile),
            };
            run(&mut machine, at(0), input);
            pass(&mut machine, 9);
            prop_assert!(machine.members().len() <= 3);
        }
        pass(&mut machine, 30_000);
        prop_assert_eq!(here(&machine), []);
    }
}

/// The bytes of every message are pinned: whoever changes them adds a variant.
#[test]
fn golden_messages() {
    let capabilities =
        Capabilities::default().with("kind", "browser").unwrap().with("durable", "yes").unwrap();
    let ada = Profile { revision: 2, name: "Ada".into(), status: "grüßt".into(), capabilities, away: true };
    let alive = |profile| News::Alive { age_ms: 1_500, profile };
    let rumours = vec![
        Rumour { session: session(3), beat: 7, news: alive(None) },
        Rumour { session: session(4), beat: 300, news: alive(Some((NodeId([4; 32]), ada.clone()))) },
        Rumour { session: session(5), beat: 8, news: News::Left },
    ];
    let beat = 1_700_000_000_001;
    let golden = [
        (
            Message::Heartbeat {
                session: session(2),
                beat,
                profile: Some(ada),
                rumours: rumours[..1].to_vec(),
            },
            include_str!("golden/heartbeat.hex"),
        ),
        (Message::Rumours(rumours), include_str!("golden/rumours.hex")),
        (Message::Leave { beat }, include_str!("golden/leave.hex")),
        (Message::Hears(vec![session(3), session(4)]), include_str!("golden/hears.hex")),
    ];
    for (message, expected) in golden {
        let bytes = meshwork_wire::encode(&message).unwrap();
        assert_eq!(base16ct::lower::encode_string(&bytes), expected.trim());
        assert_eq!(meshwork_wire::decode::<Message>(&bytes).unwrap(), message);
    }
}
