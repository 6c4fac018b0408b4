//! One machine: who joins, changes, leaves and returns.

mod common;

use common::*;
use meshwork_base::Machine;
use meshwork_presence::{Config, Input, Message, Presence};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// One row: when, what happens, and the events that come of it, timers that are due before it included.
type Row<'a> = (u64, Input, &'a [&'a str]);

fn check(rows: &[Row<'_>]) -> Presence {
    let mut machine = presence(1, Config::default());
    for (index, (ms, input, expected)) in rows.iter().enumerate() {
        let mut effects = pass(&mut machine, *ms);
        effects.extend(run(&mut machine, at(*ms), input.clone()));
        assert_eq!(events(&effects), *expected, "row {index}: {input:?}");
    }
    machine
}

#[test]
fn a_member_joins_changes_falls_silent_and_returns() {
    let machine = check(&[
        (0, up(2), &[]),
        (10, beat(2, 1, Some(profile(1, ""))), &["joined 2"]),
        (20, beat(2, 2, None), &[]),
        (30, beat(2, 3, Some(profile(2, "busy"))), &["changed 2 busy"]),
        (40, beat(2, 4, Some(profile(3, "busy"))), &[]),
        (15_039, beat(2, 5, None), &[]),
        (30_039, Input::SetAway(false), &["lost 2"]),
        (31_000, beat(2, 6, None), &["returned 2"]),
        (31_001, down(2, false), &[]),
    ]);
    let member = machine.member(&session(2)).unwrap();
    assert_eq!(
        (member.node, member.status.as_str(), member.linked, member.hearsay),
        (node(2), "busy", false, false)
    );
    assert_eq!(machine.member(&session(9)), None);
    assert_eq!(machine.member(&session(1)), Some(machine.own()));
}

#[test]
fn an_away_member_has_a_longer_allowance() {
    let away = meshwork_presence::Profile { away: true, ..profile(2, "") };
    check(&[
        (0, up(2), &[]),
        (0, beat(2, 1, Some(profile(1, ""))), &["joined 2"]),
        (1_000, beat(2, 2, Some(away)), &["changed 2 "]),
        (600_999, Input::SetAway(false), &[]),
        (601_000, Input::SetAway(false), &["lost 2"]),
    ]);
}

#[test]
fn an_unlinked_member_lives_by_rumours_whose_beat_grows() {
    let machine = check(&[
        (0, up(2), &[]),
        // Without a profile nobody knows who that is.
        (0, told(2, 3, 5, 0, None), &[]),
        (0, told(2, 3, 5, 1_000, Some(profile(1, ""))), &["joined 3"]),
        (10_000, told(2, 3, 6, 2_000, None), &[]),
        // The same beat again, and one that is hardly later than what we know: no sign of life.
        (12_000, told(2, 3, 6, 0, None), &[]),
        (12_000, told(2, 3, 5, 3_000, Some(profile(2, "new"))), &["changed 3 new"]),
        (22_999, Input::SetAway(false), &[]),
        (23_000, Input::SetAway(false), &["lost 3"]),
        (23_001, told(2, 3, 6, 0, Some(profile(2, "new"))), &[]),
        // Too old a beat brings nobody back.
        (23_002, told(2, 3, 7, 15_000, None), &[]),
        (23_003, told(2, 3, 8, 14_000, None), &["returned 3"]),
        (24_003, Input::SetAway(false), &["lost 3"]),
        (24_004, told(2, 4, 8, 15_000, Some(profile(1, ""))), &[]),
        (24_005, told(2, 5, 8, 0, Some(profile(1, ""))), &["joined 5"]),
    ]);
    let member = machine.member(&session(5)).unwrap();
    assert!(member.hearsay && !member.linked);
}

#[test]
fn what_is_made_up_about_an_unlinked_member_does_no_lasting_harm() {
    check(&[
        (0, up(2), &[]),
        (0, up(4), &[]),
        (0, told(2, 3, 5, 0, Some(profile(1, ""))), &["joined 3"]),
        // No beat is higher than this one, but there are later moments.
        (100, told(4, 3, u64::MAX, 0, None), &[]),
        (3_000, told(2, 3, 6, 0, None), &[]),
        (15_101, told(2, 3, 7, 0, None), &[]),
        // A goodbye that is not true, and what was heard before it, and after.
        (16_000, told_left(4, 3, u64::MAX), &["left 3"]),
        (17_000, told(2, 3, 8, 2_000, None), &[]),
        (18_000, told(2, 3, 9, 0, None), &["returned 3"]),
        // A profile that is not true, until it is told again with a sign of life.
        (19_000, told(4, 3, u64::MAX, 0, Some(profile(u64::MAX, "lie"))), &["changed 3 lie"]),
        (19_001, told(2, 3, 10, 0, Some(profile(1, ""))), &[]),
        (22_000, told(2, 3, 11, 0, Some(profile(1, ""))), &["changed 3 "]),
        // A silence that is hidden.
        (36_999, told(4, 3, 12, u64::MAX, None), &[]),
        (37_000, Input::SetAway(false), &["lost 3"]),
    ]);
}

#[test]
fn a_profile_is_told_again_now_and_then() {
    let mut machine = presence(1, Config::default());
    run(&mut machine, at(0), up(2));
    run(&mut machine, at(0), up(3));
    let mut told = 0;
    for number in 0..=42 {
        let now = number * 3_000 + 1;
        run(&mut machine, at(now), beat(2, number + 1, (number == 0).then(|| profile(1, ""))));
        let effects = pass(&mut machine, now + 2_999);
        told += rumours_to(&effects, 3).iter().filter(|rumour| rumour.2 == Some(true)).count();
    }
    assert_eq!(told, 3);
}

#[test]
fn what_a_member_says_itself_stands_over_rumours() {
    let other = meshwork_presence::Rumour {
        session: session(3),
        beat: 9,
        news: meshwork_presence::News::Alive { age_ms: 0, profile: Some((node(8), profile(7, "lie"))) },
    };
    let mut rows: Vec<Row<'_>> = vec![
        (0, up(2), &[]),
        (0, rumour(2, other), &["joined 3"]),
        (1, up(3), &[]),
        (2, beat(3, 1, Some(profile(1, "truth"))), &["changed 3 truth"]),
        (3, told(2, 3, 10, 0, Some(profile(9, "lie"))), &[]),
        (4, told_left(2, 3, 99), &[]),
    ];
    let member = check(&rows).member(&session(3)).unwrap();
    assert_eq!((member.node, member.hearsay, member.linked), (node(3), false, true));
    // Without the link, newer rumours count; but the node stays the one that was proven.
    rows.push((5, down(3, false), &[]));
    rows.push((6, told(2, 3, 11, 0, Some(profile(2, "later"))), &["changed 3 later"]));
    let elsewhere = meshwork_presence::News::Alive { age_ms: 0, profile: Some((node(8), profile(9, "lie"))) };
    rows.push((
        7,
        rumour(2, meshwork_presence::Rumour { session: session(3), beat: 12, news: elsewhere }),
        &[],
    ));
    let member = check(&rows).member(&session(3)).unwrap();
    assert_eq!((member.node, member.hearsay, member.linked), (node(3), true, false));
}

#[test]
fn a_goodbye_is_final_whatever_rumours_come_late() {
    let leave = |id| received(id, Message::Leave { beat: 9 });
    let machine = check(&[
        (0, up(2), &[]),
        (0, up(3), &[]),
        (0, up(4), &[]),
        (0, beat(3, 5, Some(profile(1, ""))), &["joined 3"]),
        (1, leave(3), &["left 3"]),
        (2, beat(3, 10, Some(profile(1, ""))), &[]),
        (3, told(2, 3, 7, 0, Some(profile(1, ""))), &[]),
        (3, told(2, 3, 70, 0, Some(profile(1, ""))), &[]),
        (4, down(3, true), &[]),
        // By the link's goodbye alone.
        (5, beat(4, 5, Some(profile(1, ""))), &["joined 4"]),
        (6, down(4, true), &["left 4"]),
        (7, told(2, 4, 7, 0, Some(profile(1, ""))), &[]),
        // Only a new link brings it back.
        (8, up(4), &[]),
        (9, beat(4, 8, Some(profile(1, ""))), &["returned 4"]),
    ]);
    assert_eq!(here(&machine), [4]);
}

#[test]
fn a_goodbye_heard_of_is_refuted_by_a_higher_beat() {
    check(&[
        (0, up(2), &[]),
        (0, told(2, 3, 5, 0, Some(profile(1, ""))), &["joined 3"]),
        // A goodbye older than what we heard since.
        (1, told_left(2, 3, 4), &[]),
        (2, told_left(2, 3, 6), &["left 3"]),
        (3, told_left(2, 3, 6), &[]),
        (4, told(2, 3, 6, 0, Some(profile(1, ""))), &[]),
        (5, told(2, 3, 7, 0, None), &["returned 3"]),
        // Of somebody unknown.
        (6, told_left(2, 9, 6), &[]),
    ]);
}

#[test]
fn after_a_pause_of_our_own_everybody_gets_one_heartbeat_more() {
    let silent = || {
        let mut machine = presence(1, Config::default());
        for id in [2, 3] {
            run(&mut machine, at(0), up(id));
            run(&mut machine, at(0), beat(id, 1, Some(profile(1, ""))));
        }
        machine
    };
    let wake = |machine: &mut Presence| {
        let mut effects = Vec::new();
        meshwork_base::step(machine, at(100_000), None, |effect| effects.push(effect));
        effects
    };
    // The timer wakes us, or a message does.
    let mut by_timer = silent();
    assert_eq!(events(&wake(&mut by_timer)), Vec::<String>::new());
    let mut by_message = silent();
    assert_eq!(
        events(&run(&mut by_message, at(100_000), Input::SetStatus("hm".into()))),
        Vec::<String>::new()
    );
    for machine in [&mut by_timer, &mut by_message] {
        assert_eq!(events(&pass(machine, 103_000)), Vec::<String>::new());
        run(machine, at(103_100), beat(2, 2, None));
        assert_eq!(events(&pass(machine, 110_000)), ["lost 3"]);
        assert_eq!(here(machine), [2]);
    }
    // On time, there is no such mercy.
    let mut machine = silent();
    assert_eq!(events(&pass(&mut machine, 15_000)), ["lost 2", "lost 3"]);
}

#[test]
fn the_gone_are_forgotten_in_the_end() {
    let machine = check(&[
        (0, up(2), &[]),
        (0, told(2, 3, 5, 0, Some(profile(1, ""))), &["joined 3"]),
        (920_000, told(2, 3, 5, 0, Some(profile(1, ""))), &["lost 3", "joined 3"]),
    ]);
    assert_eq!(here(&machine), [3]);
}

#[test]
fn own_changes_are_sent_at_once_and_fit_their_bounds() {
    let mut machine = presence(1, Config::default());
    let first = sent_to(&run(&mut machine, at(0), up(2)), 2);
    let Message::Heartbeat { profile: Some(first), beat: 1_000_000, .. } = &first[0] else {
        panic!("{first:?}")
    };
    assert_eq!((first.name.as_str(), first.revision), ("n1", 1));
    let effects = run(&mut machine, at(1), Input::SetStatus(format!("\u{7}{}", "ü".repeat(200))));
    let Message::Heartbeat { profile: Some(second), beat: 1_000_001, .. } = &sent_to(&effects, 2)[0] else {
        panic!("{effects:?}")
    };
    assert_eq!((second.status.len(), second.revision), (256, 2));
    assert_eq!(machine.own().status, second.status);
    assert_eq!(run(&mut machine, at(2), Input::SetAway(false)), [], "nothing changed");
    let effects = run(&mut machine, at(3), Input::SetAway(true));
    assert!(
        matches!(&sent_to(&effects, 2)[0], Message::Heartbeat { profile: Some(third), .. } if third.away)
    );
    // Unchanged, it is left out; a new link gets it again.
    let due = machine.poll_timeout().unwrap();
    assert_eq!((due.at, due.why), (at(3_003).monotonic, "heartbeat"));
    let effects = pass(&mut machine, 3_003);
    assert!(matches!(&sent_to(&effects, 2)[0], Message::Heartbeat { profile: None, beat: 1_000_003, .. }));
    run(&mut machine, at(3_004), down(2, false));
    let effects = run(&mut machine, at(3_005), up(2));
    assert!(matches!(&sent_to(&effects, 2)[0], Message::Heartbeat { profile: Some(_), .. }));
    // Goodbye, and silence.
    let effects = run(&mut machine, at(3_006), Input::Leave);
    assert_eq!(sent_to(&effects, 2), [Message::Leave { beat: 1_000_004 }]);
    assert_eq!(run(&mut machine, at(3_007), Input::Leave), []);
    assert_eq!(run(&mut machine, at(3_008), Input::SetAway(false)), []);
    assert_eq!(run(&mut machine, at(3_009), up(3)), []);
    assert_eq!(machine.poll_timeout(), None);
}

#[test]
fn rumours_are_passed_on_once_to_those_who_lack_them() {
    let mut machine = presence(1, Config::default());
    for id in [2, 3] {
        run(&mut machine, at(0), up(id));
    }
    run(&mut machine, at(0), beat(2, 1, Some(profile(1, ""))));
    run(&mut machine, at(0), told(2, 9, 5, 0, Some(profile(1, ""))));
    let effects = pass(&mut machine, 3_000);
    assert_eq!(rumours_to(&effects, 2), [], "it told us itself");
    assert_eq!(rumours_to(&effects, 3), [(2, 1, Some(true)), (9, 5, Some(true))]);
    run(&mut machine, at(3_001), beat(2, 2, None));
    let effects = pass(&mut machine, 6_000);
    assert_eq!(rumours_to(&effects, 3), [(2, 2, Some(false))]);
    // A goodbye at once, and again to those who come later.
    let effects = run(&mut machine, at(6_001), received(2, Message::Leave { beat: 3 }));
    assert_eq!((rumours_to(&effects, 3), rumours_to(&effects, 2)), (vec![(2, 3, None)], vec![]));
    let effects = run(&mut machine, at(6_002), up(4));
    assert_eq!(rumours_to(&effects, 4), [(2, 3, None), (9, 5, Some(true))]);
    // Of one that was lost and returns, the profile too: the others may have forgotten it.
    pass(&mut machine, 20_000);
    run(&mut machine, at(20_001), told(4, 9, 6, 0, None));
    let effects = pass(&mut machine, 22_000);
    assert_eq!(rumours_to(&effects, 3), [(9, 6, Some(true))]);
}

/// What may happen to a machine.
#[derive(Clone, Debug)]
enum Happening {
    Up(u8),
    Down(u8),
    Beat(u8),
    Told { from: u8, of: u8, ahead: bool, age_ms: u64 },
    Pass(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => (2u8..7).prop_map(Happening::Up),
        1 => (2u8..7).prop_map(Happening::Down),
        4 => (2u8..7).prop_map(Happening::Beat),
        4 => (2u8..7, 2u8..7, any::<bool>(), 0u64..20_000)
            .prop_map(|(from, of, ahead, age_ms)| Happening::Told { from, of, ahead, age_ms }),
        4 => (0u64..9_000).prop_map(Happening::Pass),
    ]
}

proptest! {
    #[test]
    fn the_members_are_those_heard_within_the_allowance(
        happenings in prop::collection::vec(happening(), 0..80),
    ) {
        let mut machine = presence(1, Config::default());
        let mut now = 0u64;
        let mut linked = std::collections::BTreeSet::new();
        // Per session: the highest beat known, and the moment (shifted by a day) at which it was made.
        const DAY: u64 = 86_400_000;
        let mut heard: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
        let (mut present, mut seen) = (std::collections::BTreeSet::new(), vec![]);
        for happening in happenings {
            let input = match happening {
                Happening::Up(id) if linked.insert(id) => up(id),
                Happening::Down(id) if linked.remove(&id) => down(id, false),
                Happening::Beat(id) if linked.contains(&id) => {
                    let number = heard.get(&id).map_or(1, |known| known.0 + 1);
                    heard.insert(id, (number, now + DAY));
                    beat(id, number, Some(profile(1, "")))
                }
                Happening::Told { from, of, ahead, age_ms } if linked.contains(&from) && from != of => {
                    let known = heard.get(&of).copied();
                    let number = known.map_or(1, |known| known.0 + u64::from(ahead));
                    let moment = now + DAY - age_ms;
                    match known {
                        Some((beat, before)) if number > beat && moment > before => {
                            // Of one that is gone, a beat that is too old teaches nothing.
                            let alive = now + DAY - before < 15_000;
                            if alive || age_ms < 15_000 {
                                heard.insert(of, (number, moment));
                            }
                        }
                        None if age_ms < 15_000 => drop(heard.insert(of, (number, moment))),
                        _ => {}
                    }
                    told(from, of, number, age_ms, Some(profile(1, "")))
                }
                Happening::Pass(ms) => {
                    now += ms;
                    seen.extend(events(&pass(&mut machine, now)));
                    continue;
                }
                _ => continue,
            };
            seen.extend(events(&run(&mut machine, at(now), input)));
            let expected: Vec<u8> =
                heard.iter().filter(|(_, (_, moment))| now + DAY - moment < 15_000).map(|(id, _)| *id).collect();
            prop_assert_eq!(here(&machine), expected);
            // Events tell the same story.
            for event in seen.drain(..) {
                let (what, id) = event.split_once(' ').unwrap();
                let changed = match what {
                    "joined" | "returned" => present.insert(id.to_owned()),
                    _ => present.remove(id),
                };
                prop_assert!(changed, "{event}");
            }
            prop_assert_eq!(present.len(), here(&machine).len());
        }
    }
}
