//! Whatever a lossy network does to datagrams: nothing older than what was shown comes back, and once it is quiet
//! everybody sees exactly what lives.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;

use common::*;
use meshwork_presence::{Config, Datagram, Effect, Event, Input, Presence};
use proptest::prelude::*;

/// All times are multiples of this.
const TICK_MS: u64 = 10;
const SESSIONS: u8 = 3;
const REFRESH_MS: u64 = 500;
/// How late a datagram may be, in ticks. As much longer an observer may show what has had its time.
const LATE: u64 = 45;

/// What becomes of a datagram: the delays of its copies, in ticks.
type Fate = Vec<u64>;

#[derive(Clone, Debug)]
enum Act {
    Set { who: u8, key: u8, ttl_ms: u64 },
    Clear { who: u8, key: u8 },
    Wait { ticks: u64 },
}

struct World {
    machines: Vec<Presence>,
    ms: u64,
    /// By moment and order of cause: to whom, what.
    agenda: BTreeMap<(u64, usize), (u8, Input)>,
    caused: usize,
    fates: Vec<Fate>,
    /// The number of the next value: later ones are higher.
    number: u64,
    /// Per observer, session and key, the highest number that was shown.
    shown: BTreeMap<(u8, u8, String), u64>,
}

impl World {
    fn new(fates: Vec<Fate>) -> Self {
        let config = Config { values_refresh_ms: REFRESH_MS, ..Config::default() };
        let machines = (1..=SESSIONS).map(|id| presence(id, config.clone())).collect();
        let shown = BTreeMap::new();
        let mut world = Self { machines, ms: 0, agenda: BTreeMap::new(), caused: 0, fates, number: 0, shown };
        for id in 1..=SESSIONS {
            for other in (1..=SESSIONS).filter(|other| *other != id) {
                world.input(id, up(other));
            }
        }
        world
    }

    fn input(&mut self, id: u8, input: Input) {
        let effects = run(&mut self.machines[usize::from(id) - 1], at(self.ms), input);
        self.perform(id, effects);
    }

    fn perform(&mut self, id: u8, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.schedule(1, to.0[0], received(id, message)),
                Effect::Show { to, datagram } => self.carry(id, to.0[0], datagram),
                Effect::Event(Event::ValueSet { session, key, value }) => {
                    let number: u64 = String::from_utf8(value.to_vec()).unwrap().parse().unwrap();
                    let before = self.shown.insert((id, session.0[0], key), number);
                    assert!(before.is_none_or(|before| before < number), "{before:?} before {number}");
                }
                Effect::Misbehaved { reason, .. } => panic!("{reason}"),
                Effect::Event(_) => {}
            }
        }
    }

    fn carry(&mut self, from: u8, to: u8, datagram: Datagram) {
        let fate =
            if self.fates.is_empty() { vec![0] } else { self.fates[self.caused % self.fates.len()].clone() };
        // What is lost has been caused, too.
        self.caused += 1;
        for delay in fate {
            self.schedule(delay, to, seen(from, datagram.clone()));
        }
    }

    fn schedule(&mut self, delay: u64, to: u8, input: Input) {
        self.caused += 1;
        self.agenda.insert((self.ms + delay * TICK_MS, self.caused), (to, input));
    }

    fn wait(&mut self, ticks: u64) {
        for _ in 0..ticks {
            while let Some(next) = self.agenda.first_entry().filter(|next| next.key().0 <= self.ms) {
                let (to, input) = next.remove();
                self.input(to, input);
            }
            self.ms += TICK_MS;
            for id in 1..=SESSIONS {
                let effects = pass(&mut self.machines[usize::from(id) - 1], self.ms);
                self.perform(id, effects);
            }
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Set { who, key, ttl_ms } => {
                self.number += 1;
                let number = self.number.to_string();
                self.input(who, set(&format!("k{key}"), &number, ttl_ms));
            }
            Act::Clear { who, key } => self.input(who, clear(&format!("k{key}"))),
            Act::Wait { ticks } => self.wait(ticks),
        }
    }
}

fn act() -> impl Strategy<Value = Act> {
    let who = 1..=SESSIONS;
    prop_oneof![
        4 => (who.clone(), 0u8..3, 50u64..400)
            .prop_map(|(who, key, ttl)| Act::Set { who, key, ttl_ms: ttl * TICK_MS }),
        1 => (who, 0u8..3).prop_map(|(who, key)| Act::Clear { who, key }),
        4 => (0u64..20).prop_map(|ticks| Act::Wait { ticks }),
        1 => (20u64..200).prop_map(|ticks| Act::Wait { ticks }),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => Just(vec![]),
        3 => (0u64..3).prop_map(|delay| vec![delay]),
        2 => (0..LATE).prop_map(|delay| vec![delay]),
        1 => prop::collection::vec(0..LATE, 2..4),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_seen_only_goes_forward_and_ends_with_what_lives(
        acts in prop::collection::vec(act(), 1..60),
        fates in prop::collection::vec(fate(), 1..40),
    ) {
        let mut world = World::new(fates);
        world.wait(3);
        acts.into_iter().for_each(|act| world.act(act));
        // Quiet: what is late still comes, nothing new is lost, and everything is shown again.
        world.fates.clear();
        world.wait(2 * LATE + REFRESH_MS / TICK_MS);
        for id in 1..=SESSIONS {
            for of in 1..=SESSIONS {
                let lives = values(&world.machines[usize::from(of) - 1], of);
                prop_assert_eq!(values(&world.machines[usize::from(id) - 1], of), lives, "{} sees {}", id, of);
            }
        }
        // And in the end nothing is kept, and nothing sent.
        world.wait(1_500);
        for id in 1..=SESSIONS {
            for of in 1..=SESSIONS {
                prop_assert_eq!(values(&world.machines[usize::from(id) - 1], of), Vec::<String>::new());
            }
            let rest = pass(&mut world.machines[usize::from(id) - 1], world.ms + 10_000);
            let shown = rest.iter().any(|effect| matches!(effect, Effect::Show { .. }));
            prop_assert!(!shown);
        }
    }
}
