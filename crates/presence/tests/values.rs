//! Ephemeral values of two or three sessions: when they are shown, and when no longer.

mod common;

use common::*;
use meshwork_base::Machine;
use meshwork_presence::{Config, Datagram, Input, Message, Presence, VALUES_MAX};

/// Sessions 1 and 2, linked, each of which has heard the other.
fn pair() -> (Presence, Presence) {
    let mut machines = [presence(1, Config::default()), presence(2, Config::default())];
    for (machine, other) in machines.iter_mut().zip([2, 1]) {
        run(machine, at(0), up(other));
        run(machine, at(0), beat(other, 1, Some(profile(1, ""))));
    }
    let [one, two] = machines;
    (one, two)
}

/// Keys and values in a datagram.
fn content(datagram: &Datagram) -> Vec<String> {
    let Datagram::Values { shown, .. } = datagram;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    shown.iter().map(|shown| format!("{}={}", shown.key, text(&shown.value))).collect()
}

fn only(mut datagrams: Vec<Datagram>) -> Datagram {
    assert_eq!(datagrams.len(), 1, "{datagrams:?}");
    datagrams.remove(0)
}

/// What session 1 sends session 2 when it is told `input`.
fn told(one: &mut Presence, ms: u64, input: Input) -> Datagram {
    only(shown_to(&run(one, at(ms), input), 2))
}

#[test]
fn a_value_is_shown_at_once_changes_and_is_cleared() {
    let (mut one, mut two) = pair();
    let mut tell = |ms, input: Input| events(&run(&mut two, at(ms), seen(1, told(&mut one, ms, input))));
    assert_eq!(tell(100, set("cursor", "7", 5_000)), ["set 1 cursor 7"]);
    assert_eq!(tell(200, set("cursor", "8", 5_000)), ["set 1 cursor 8"]);
    assert_eq!(tell(300, set("cursor", "8", 5_000)), Vec::<String>::new(), "it only lives longer");
    assert_eq!(tell(400, clear("cursor")), ["gone 1 cursor"]);
    assert_eq!(events(&run(&mut one, at(500), clear("nothing"))), Vec::<String>::new());
}

#[test]
fn what_is_set_in_a_hurry_waits_and_the_newest_replaces_what_waits() {
    let (mut one, _) = pair();
    assert_eq!(content(&told(&mut one, 100, set("a", "0", 5_000))), ["a=0"]);
    for number in 1..100_000 {
        assert_eq!(run(&mut one, at(101), set("a", &number.to_string(), 5_000)), []);
    }
    assert_eq!(run(&mut one, at(110), set("b", "1", 5_000)), []);
    assert_eq!(shown_to(&pass(&mut one, 149), 2), []);
    let datagram = only(shown_to(&pass(&mut one, 150), 2));
    assert_eq!(content(&datagram), ["b=1", "a=99999"]);
    let Datagram::Values { living, .. } = datagram;
    assert_eq!(living, [0, 1]);
    assert_eq!(shown_to(&pass(&mut one, 2_000), 2), [], "nothing more until the refresh");
}

#[test]
fn many_large_values_leave_in_bounded_batches() {
    let (mut one, mut two) = pair();
    let large = "x".repeat(400);
    let mut times = Vec::new();
    for number in 0..VALUES_MAX {
        let effects = run(&mut one, at(100), set(&format!("{number:02}"), &large, 60_000));
        times.extend(shown_to(&effects, 2).into_iter().map(|datagram| (100, datagram)));
    }
    for ms in 101..1_000 {
        times.extend(shown_to(&pass(&mut one, ms), 2).into_iter().map(|datagram| (ms, datagram)));
    }
    let mut batches = std::collections::BTreeMap::<u64, usize>::new();
    for (ms, datagram) in times {
        assert!(meshwork_wire::encode(&datagram).unwrap().len() <= meshwork_wire::DATAGRAM_MESSAGE_BYTES_MAX);
        *batches.entry(ms).or_default() += 1;
        run(&mut two, at(ms), seen(1, datagram));
    }
    assert!(batches.values().all(|batch| *batch <= 4), "{batches:?}");
    assert!(batches.keys().all(|ms| ms % 50 == 0), "{batches:?}");
    assert_eq!(two.values(&session(1)), one.values(&session(1)));
    assert_eq!(two.values(&session(1)).len(), VALUES_MAX);
}

#[test]
fn a_newcomer_learns_everything_at_once() {
    let (mut one, _) = pair();
    for key in ["a", "b", "c"] {
        run(&mut one, at(100), set(key, "x", 60_000));
    }
    pass(&mut one, 1_000);
    let effects = run(&mut one, at(1_000), up(3));
    assert_eq!(content(&only(shown_to(&effects, 3))), ["c=x", "b=x", "a=x"]);
    assert_eq!(shown_to(&effects, 2), []);
    // What it shows before its first heartbeat is heard comes into view with it.
    let mut three = presence(3, Config::default());
    run(&mut three, at(1_000), up(1));
    assert_eq!(run(&mut three, at(1_001), seen(1, only(shown_to(&effects, 3)))), []);
    assert_eq!(values(&three, 1), Vec::<String>::new());
    let joined = events(&run(&mut three, at(1_002), beat(1, 1, Some(profile(1, "")))));
    assert_eq!(joined, ["joined 1", "set 1 a x", "set 1 b x", "set 1 c x"]);
    assert_eq!(values(&three, 1), ["a=x", "b=x", "c=x"]);
}

#[test]
fn late_and_repeated_datagrams_bring_nothing_back() {
    let (mut one, mut two) = pair();
    let first = told(&mut one, 100, set("a", "1", 60_000));
    let second = told(&mut one, 200, set("a", "2", 60_000));
    let cleared = told(&mut one, 300, clear("a"));
    let third = told(&mut one, 400, set("a", "3", 1_000));
    let mut hear = |ms, datagram: &Datagram| {
        let mut told = events(&pass(&mut two, ms));
        told.extend(events(&run(&mut two, at(ms), seen(1, datagram.clone()))));
        told
    };
    let none = Vec::<String>::new();
    assert_eq!(hear(500, &second), ["set 1 a 2"]);
    assert_eq!(hear(501, &first), none);
    assert_eq!(hear(502, &cleared), ["gone 1 a"]);
    assert_eq!(hear(503, &second), none);
    assert_eq!(hear(504, &first), none);
    assert_eq!(hear(505, &third), ["set 1 a 3"]);
    assert_eq!(hear(506, &cleared), none);
    assert_eq!(hear(1_400, &third), none, "a repetition lets it live no longer");
    assert_eq!(hear(1_505, &second), ["gone 1 a"]);
    assert_eq!(hear(1_506, &third), none, "what has had its time here is over");
}

#[test]
fn a_value_ends_with_its_time_on_both_sides() {
    let (mut one, mut two) = pair();
    let datagram = told(&mut one, 0, set("typing", "", 1_000));
    run(&mut two, at(5), seen(1, datagram));
    assert_eq!(events(&pass(&mut two, 1_004)), Vec::<String>::new());
    assert_eq!(events(&pass(&mut two, 1_005)), ["gone 1 typing"]);
    pass(&mut one, 999);
    assert_eq!(values(&one, 1), ["typing="]);
    pass(&mut one, 1_000);
    assert_eq!(values(&one, 1), Vec::<String>::new());
}

#[test]
fn values_go_with_their_member_but_not_with_a_link() {
    let showing = || {
        let (mut one, mut two) = pair();
        let datagram = told(&mut one, 0, set("a", "1", 60_000));
        run(&mut two, at(0), seen(1, datagram.clone()));
        (two, datagram)
    };
    // A goodbye, in words or by the link.
    let (mut two, datagram) = showing();
    let said = events(&run(&mut two, at(1), received(1, Message::Leave { beat: 9 })));
    assert_eq!(said, ["gone 1 a", "left 1"]);
    assert_eq!(run(&mut two, at(2), seen(1, datagram)), []);
    let (mut two, _) = showing();
    assert_eq!(events(&run(&mut two, at(1), down(1, true))), ["gone 1 a", "left 1"]);
    // The link alone.
    let (mut two, _) = showing();
    assert_eq!(events(&run(&mut two, at(1), down(1, false))), Vec::<String>::new());
    assert_eq!(values(&two, 1), ["a=1"]);
    assert_eq!(events(&pass(&mut two, 15_000)), ["gone 1 a", "lost 1"]);
    // Silence on a link that lives: when the member is back, it has to show them again.
    let (mut two, datagram) = showing();
    assert_eq!(events(&pass(&mut two, 15_000)), ["gone 1 a", "lost 1"]);
    assert_eq!(events(&run(&mut two, at(15_001), beat(1, 2, None))), ["returned 1"]);
    assert_eq!(events(&run(&mut two, at(15_002), seen(1, datagram))), ["set 1 a 1"]);
}

#[test]
fn everything_is_shown_again_and_an_end_too_until_nobody_can_have_missed_it() {
    let (mut one, _) = pair();
    told(&mut one, 0, set("a", "1", 10_000));
    for refresh in [2_000, 4_000] {
        assert_eq!(shown_to(&pass(&mut one, refresh - 1), 2), []);
        assert_eq!(content(&only(shown_to(&pass(&mut one, refresh), 2))), ["a=1"]);
    }
    told(&mut one, 5_000, clear("a"));
    for refresh in [6_000, 8_000] {
        let Datagram::Values { living, shown, .. } = only(shown_to(&pass(&mut one, refresh), 2));
        assert_eq!((living.len(), shown.len()), (0, 0));
    }
    assert_eq!(shown_to(&pass(&mut one, 100_000), 2), []);
    assert_eq!(one.poll_timeout().unwrap().why, "heartbeat");
}

#[test]
fn what_breaks_a_bound_is_refused_and_the_value_before_it_stays() {
    let (mut one, _) = pair();
    run(&mut one, at(0), set("k", "before", 60_000));
    let table = [
        (set("", "", 1_000), "refused : a value needs a key"),
        (set("a\u{7}", "", 1_000), "refused a\u{7}: a value's key takes no control characters: remove them"),
        (
            set(&"k".repeat(65), "", 1_000),
            "a value's key takes at most 64 bytes, this one has 65: shorten it",
        ),
        (set("k", &"v".repeat(769), 1_000), "a value takes at most 768 bytes, this one has 769: shorten it"),
        (set("k", "", 499), "refused k: a value lives 500 to 600000 ms, not 499"),
        (set("k", "", 600_001), "refused k: a value lives 500 to 600000 ms, not 600001"),
    ];
    for (input, expected) in table {
        let events = events(&run(&mut one, at(0), input));
        assert!(events.len() == 1 && events[0].ends_with(expected), "{events:?}");
    }
    for number in 0..21 {
        assert_eq!(
            events(&run(&mut one, at(0), set(&format!("{number:04}"), &"v".repeat(764), 1_000))),
            Vec::<String>::new()
        );
    }
    let full = events(&run(&mut one, at(0), set("0021", &"v".repeat(764), 1_000)));
    let full = full.concat();
    assert!(full.contains("the values of a session take at most 16384 bytes, these would take "), "{full}");
    for number in 21..31 {
        run(&mut one, at(0), set(&format!("{number:04}"), "", 1_000));
    }
    let many = events(&run(&mut one, at(0), set("more", "", 1_000))).concat();
    assert!(many.contains("a session shows at most 32 values, this would be 33"), "{many}");
    assert_eq!(one.values(&session(1))["k"], "before");
    // In place of one that is there, there is room.
    assert_eq!(events(&run(&mut one, at(0), set("k", "after", 1_000))), Vec::<String>::new());
    assert_eq!(one.values(&session(1))["k"], "after");
}

#[test]
fn after_the_goodbye_nothing_is_shown() {
    let (mut one, _) = pair();
    told(&mut one, 0, set("a", "1", 60_000));
    run(&mut one, at(1), Input::Leave);
    assert_eq!(run(&mut one, at(100), set("a", "2", 60_000)), []);
    assert_eq!(run(&mut one, at(100), up(3)), []);
    assert_eq!(pass(&mut one, 14_000), []);
    assert_eq!(values(&one, 1), Vec::<String>::new());
}
