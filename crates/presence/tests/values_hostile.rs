//! What a peer may do to us with its values: nothing. And the bytes that are pinned.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::*;
use meshwork_base::Bytes;
use meshwork_presence::{
    Config, Datagram, Presence, SESSION_VALUES_BYTES_MAX, Shown, VALUE_BYTES_MAX, VALUES_MAX,
};
use proptest::prelude::*;

fn shown(place: u8, key: &str, value: Bytes) -> Shown {
    Shown { place, key: key.into(), ttl_ms: 60_000, value }
}

fn datagram(version: u64, living: Vec<u64>, shown: Vec<Shown>) -> Datagram {
    Datagram::Values { version, living, shown }
}

/// Session 1, linked with session 2, which is a member.
fn alone(config: Config) -> Presence {
    let mut machine = presence(1, config);
    run(&mut machine, at(0), up(2));
    run(&mut machine, at(0), beat(2, 1, Some(profile(1, ""))));
    machine
}

#[test]
fn what_no_correct_peer_sends_is_named() {
    let value = || Bytes::from_static(b"v");
    let one = |shown: Shown| datagram(5, vec![0], vec![shown]);
    let table = [
        (datagram(5, vec![1; VALUES_MAX + 1], vec![]), "a session shows at most 32 values, this would be 33"),
        (datagram(5, vec![0, 0], vec![]), "the counters of its values make no sense"),
        (datagram(5, vec![6], vec![]), "the counters of its values make no sense"),
        (datagram(5, vec![], vec![shown(0, "k", value())]), "the counters of its values make no sense"),
        (one(shown(1, "k", value())), "the counters of its values make no sense"),
        (datagram(5, vec![0, 1], vec![shown(2, "k", value())]), "the counters of its values make no sense"),
        (one(shown(0, "", value())), "a value needs a key"),
        (one(shown(0, &"k".repeat(65), value())), "a value's key takes at most 64 bytes, this one has 65"),
        (one(shown(0, "\u{1b}[2J", value())), "a value's key takes no control characters"),
        (
            one(shown(0, "k", vec![0; VALUE_BYTES_MAX + 1].into())),
            "a value takes at most 768 bytes, this one has 769",
        ),
        (one(Shown { ttl_ms: 0, ..shown(0, "k", value()) }), "a value lives 1 to 3600000 ms, not 0"),
        (
            one(Shown { ttl_ms: 3_600_001, ..shown(0, "k", value()) }),
            "a value lives 1 to 3600000 ms, not 3600001",
        ),
        (
            datagram(5, vec![0, 1], vec![shown(0, "k", value()), shown(1, "k", value())]),
            "two of its values have the key `k`",
        ),
    ];
    for (datagram, expected) in table {
        let mut machine = alone(Config::default());
        let events = events(&run(&mut machine, at(0), seen(2, datagram)));
        let misbehaved: Vec<_> = events.iter().filter(|event| event.starts_with("misbehaved: ")).collect();
        assert!(misbehaved.len() == 1 && misbehaved[0].contains(expected), "{events:?}");
    }
}

#[test]
fn two_stories_under_one_version_are_noticed() {
    let mut machine = alone(Config::default());
    let first = datagram(5, vec![0, 1], vec![shown(0, "k", Bytes::from_static(b"v"))]);
    run(&mut machine, at(0), seen(2, first.clone()));
    assert_eq!(events(&run(&mut machine, at(1), seen(2, first))), Vec::<String>::new());
    let told = events(&run(&mut machine, at(2), seen(2, datagram(5, vec![0], vec![]))));
    assert_eq!(told, ["misbehaved: its values in version 5 are not what they were in the same version"]);
    assert_eq!(values(&machine, 2), ["k=v"]);
}

#[test]
fn too_much_of_one_session_is_charged() {
    let mut machine = alone(Config::default());
    let living: Vec<u64> = std::iter::once(0).chain([1; 31]).collect();
    let large = Bytes::from(vec![7; VALUE_BYTES_MAX]);
    let mut charged = 0;
    for place in 0..32 {
        let shown = shown(place, &format!("{place:02}"), large.clone());
        let told = events(&run(&mut machine, at(0), seen(2, datagram(40, living.clone(), vec![shown]))));
        charged += told.iter().filter(|told| told.contains("take at most 16384 bytes")).count();
    }
    let kept: usize = machine.values(&session(2)).iter().map(|(key, value)| key.len() + value.len()).sum();
    assert!(
        kept <= SESSION_VALUES_BYTES_MAX && charged == 32 - machine.values(&session(2)).len(),
        "{kept} {charged}"
    );
}

#[test]
fn all_sessions_together_are_bounded_and_there_is_room_again_afterwards() {
    let config = Config { seen_values_bytes_max: 16_384, ..Config::default() };
    let mut machine = presence(1, config);
    let large = || vec![shown(0, "k", vec![7; VALUE_BYTES_MAX].into())];
    for id in 2..=200 {
        run(&mut machine, at(0), up(id));
        run(&mut machine, at(0), beat(id, 1, Some(profile(1, ""))));
        let told = events(&run(&mut machine, at(0), seen(id, datagram(5, vec![0], large()))));
        assert!(told.iter().all(|told| !told.starts_with("misbehaved")), "{told:?}");
    }
    let kept = (2..=200).filter(|id| !values(&machine, *id).is_empty()).count();
    assert_eq!(kept, 16_384 / (VALUE_BYTES_MAX + 1 + 128));
    run(&mut machine, at(1), down(2, true));
    let told = events(&run(&mut machine, at(2), seen(200, datagram(5, vec![0], large()))));
    assert!(told[0].starts_with("set 200 k"), "{told:?}");
}

#[test]
fn a_flood_is_read_no_faster_than_allowed_and_fills_no_memory() {
    let mut machine = alone(Config::default());
    let mut told = 0;
    for version in 1..=100_000u64 {
        let value = Bytes::from(version.to_string());
        let shown = vec![shown(0, &format!("key {version}"), value)];
        // Ten a millisecond.
        told += run(&mut machine, at(version / 10), seen(2, datagram(version, vec![0], shown))).len();
    }
    assert!(values(&machine, 2).len() <= 1);
    // Ten seconds and a bit, each value with the end of the one before.
    assert!(told <= 11 * 200 * 2, "{told}");
}

#[test]
fn who_is_not_linked_is_not_seen() {
    let mut machine = alone(Config::default());
    run(&mut machine, at(0), told(2, 3, 5, 0, Some(profile(1, ""))));
    let stranger = datagram(5, vec![0], vec![shown(0, "k", Bytes::from_static(b"v"))]);
    assert_eq!(run(&mut machine, at(0), seen(3, stranger.clone())), []);
    assert_eq!(run(&mut machine, at(0), seen(1, stranger)), []);
    assert_eq!((values(&machine, 3), values(&machine, 1)), (vec![], vec![]));
}

fn any_datagram() -> impl Strategy<Value = Datagram> {
    let shown = (0u8..5, "[a-c]?", 0u32..3_000, 0usize..800).prop_map(|(place, key, ttl_ms, size)| Shown {
        place,
        key,
        ttl_ms,
        value: vec![7; size].into(),
    });
    let living = prop::collection::vec(prop_oneof![9 => 0u64..3, 1 => any::<u64>()], 0..6);
    (prop_oneof![9 => 0u64..30, 1 => any::<u64>()], living, prop::collection::vec(shown, 0..4))
        .prop_map(|(version, living, shown)| datagram(version, living, shown))
}

proptest! {
    #[test]
    fn any_datagrams_give_values_or_complaints(
        bytes: Vec<u8>,
        datagrams in prop::collection::vec((2u8..4, any_datagram(), 0u64..800), 0..60),
    ) {
        let _ = meshwork_wire::decode::<Datagram>(&bytes);
        let mut machine = alone(Config { seen_values_bytes_max: 16_384, ..Config::default() });
        run(&mut machine, at(0), up(3));
        run(&mut machine, at(0), beat(3, 1, Some(profile(1, ""))));
        let mut ms = 0;
        for (from, datagram, pause) in datagrams {
            run(&mut machine, at(ms), seen(from, datagram));
            ms += pause;
            pass(&mut machine, ms);
        }
        let kept: usize = [2, 3].iter().map(|id| machine.values(&session(*id)).values().map(Bytes::len).sum::<usize>()).sum();
        prop_assert!(kept <= 16_384);
        for id in [2, 3] {
            run(&mut machine, at(ms), down(id, true));
        }
        pass(&mut machine, ms + 60_000);
        prop_assert_eq!((values(&machine, 2), values(&machine, 3)), (vec![], vec![]));
    }
}

/// The bytes of a datagram are pinned: whoever changes them adds a variant.
#[test]
fn golden_datagram() {
    let golden = datagram(
        1_700_000_000_300,
        vec![0, 1, 290],
        vec![
            shown(0, "cursor", Bytes::from_static(br#"{"line":7,"column":12}"#)),
            Shown { ttl_ms: 4_321, ..shown(2, "grüßt", Bytes::new()) },
        ],
    );
    let bytes = meshwork_wire::encode(&golden).unwrap();
    assert_eq!(base16ct::lower::encode_string(&bytes), include_str!("golden/values.hex").trim());
    assert_eq!(meshwork_wire::decode::<Datagram>(&bytes).unwrap(), golden);
}
