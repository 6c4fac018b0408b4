//! Several machines and their links.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::*;
use meshwork_base::{Machine, Monotonic, Timestamp};
use meshwork_presence::{Config, Effect, Input, Message, Presence};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Links carry messages at once; a stopped machine neither hears nor speaks.
struct Mesh {
    machines: BTreeMap<u8, Presence>,
    links: BTreeSet<(u8, u8)>,
    now: Timestamp,
    events: Vec<(u8, String)>,
    rumours: usize,
}

impl Mesh {
    fn new(ids: std::ops::Range<u8>) -> Self {
        let machines = ids.map(|id| (id, presence(id, Config::default()))).collect();
        Self { machines, links: BTreeSet::new(), now: at(0), events: vec![], rumours: 0 }
    }

    fn link(&mut self, a: u8, b: u8) {
        self.links.extend([(a, b), (b, a)]);
        // Both ends are up before anything arrives: a link delivers nothing earlier.
        let mut ends = [(a, up(b)), (b, up(a))].map(|(id, input)| {
            let machine = self.machines.get_mut(&id).unwrap();
            (id, run(machine, self.now, input))
        });
        for (id, effects) in &mut ends {
            self.carry(*id, std::mem::take(effects));
        }
    }

    fn cut(&mut self, a: u8, b: u8) {
        if self.links.remove(&(a, b)) && self.links.remove(&(b, a)) {
            self.tell(a, down(b, false));
            self.tell(b, down(a, false));
        }
    }

    /// The machine is gone without a word.
    fn kill(&mut self, id: u8) {
        self.machines.remove(&id);
        let ends: Vec<u8> = self.links.iter().filter(|(a, _)| *a == id).map(|(_, b)| *b).collect();
        ends.into_iter().for_each(|end| self.cut(id, end));
    }

    fn tell(&mut self, id: u8, input: Input) {
        let Some(machine) = self.machines.get_mut(&id) else { return };
        let effects = run(machine, self.now, input);
        self.carry(id, effects);
    }

    fn carry(&mut self, from: u8, effects: Vec<Effect>) {
        self.events.extend(events(&effects).into_iter().map(|event| (from, event)));
        for effect in effects {
            let Effect::Send { to, message } = effect else { continue };
            self.rumours += match &message {
                Message::Heartbeat { rumours, .. } | Message::Rumours(rumours) => rumours.len(),
                _ => 0,
            };
            let bytes = meshwork_wire::encode(&message).unwrap();
            assert!(bytes.len() <= meshwork_wire::FRAME_BYTES_MAX);
            if self.links.contains(&(from, to.0[0])) {
                self.tell(to.0[0], received(from, meshwork_wire::decode(&bytes).unwrap()));
            }
        }
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now.after(Duration::from_millis(ms));
        let next = |mesh: &Self| -> Option<(Monotonic, u8)> {
            mesh.machines.iter().filter_map(|(id, machine)| Some((machine.poll_timeout()?.at, *id))).min()
        };
        while let Some((at, id)) = next(self).filter(|(at, _)| *at <= end.monotonic) {
            self.now.monotonic = at;
            let mut effects = vec![];
            let machine = self.machines.get_mut(&id).unwrap();
            meshwork_base::step(machine, self.now, None, |effect| effects.push(effect));
            self.carry(id, effects);
        }
        self.now = end;
    }

    fn here(&self, id: u8) -> Vec<u8> {
        here(&self.machines[&id])
    }
}

#[test]
fn an_unlinked_member_is_known_through_others_and_mourned_once() {
    let mut mesh = Mesh::new(1..6);
    [(1, 2), (2, 3), (3, 4), (4, 5)].into_iter().for_each(|(a, b)| mesh.link(a, b));
    mesh.pass(20_000);
    assert_eq!((mesh.here(1), mesh.here(5)), (vec![2, 3, 4, 5], vec![1, 2, 3, 4]));
    mesh.pass(200_000);
    assert_eq!(mesh.here(1), [2, 3, 4, 5]);
    assert!(mesh.events.iter().all(|(_, event)| event.starts_with("joined")), "{:?}", mesh.events);
    // A change travels.
    mesh.tell(5, Input::SetStatus("lunch".into()));
    mesh.pass(20_000);
    assert_eq!(mesh.machines[&1].member(&session(5)).unwrap().status, "lunch");
    mesh.events.clear();
    mesh.kill(5);
    mesh.pass(15_000 + 4 * 3_000);
    mesh.pass(600_000);
    let mut mourning = mesh.events.clone();
    mourning.sort();
    assert_eq!(mourning, [1, 2, 3, 4].map(|id| (id, "lost 5".to_string())));
}

#[test]
fn in_a_ring_the_dead_do_not_go_in_circles() {
    let mut mesh = Mesh::new(1..7);
    (1..6).for_each(|id| mesh.link(id, id + 1));
    mesh.link(6, 1);
    mesh.pass(30_000);
    mesh.events.clear();
    mesh.kill(4);
    // Though new sessions come all the time and are told of it.
    for id in 10..20 {
        mesh.machines.insert(id, presence(id, Config::default()));
        mesh.link(id, if id == 10 { 3 } else { id - 1 });
        mesh.pass(3_000);
    }
    for id in [1, 2, 3, 5, 6, 10, 15, 19] {
        assert!(!mesh.here(id).contains(&4), "{id}");
        let tales = mesh.events.iter().filter(|(at, event)| *at == id && event.ends_with(" 4")).count();
        assert!(tales <= if id < 10 { 1 } else { 2 }, "{id}: {tales}");
    }
}

#[test]
fn a_goodbye_crosses_the_mesh_at_once() {
    let mut mesh = Mesh::new(1..5);
    (1..4).for_each(|id| mesh.link(id, id + 1));
    mesh.pass(30_000);
    mesh.events.clear();
    mesh.tell(4, Input::Leave);
    mesh.kill(4);
    assert_eq!(mesh.events, [3, 2, 1].map(|id| (id, "left 4".to_string())));
    mesh.pass(60_000);
    assert_eq!(mesh.events.len(), 3);
}

/// Machines 1 to 7, all linked with each other for a while.
fn full_mesh() -> Mesh {
    let mut mesh = Mesh::new(1..8);
    for (a, b) in (1..8).flat_map(|a| (a + 1..8).map(move |b| (a, b))) {
        mesh.link(a, b);
        mesh.pass(100);
    }
    mesh.pass(30_000);
    (mesh.rumours, mesh.events) = (0, vec![]);
    mesh
}

#[test]
fn nobody_is_told_of_those_that_it_hears_itself() {
    let mut mesh = full_mesh();
    mesh.pass(30_000);
    assert_eq!((mesh.rumours, &mesh.events), (0, &vec![]));
    // Of one that it does not hear any more, it is.
    mesh.cut(1, 7);
    mesh.pass(10_000);
    mesh.rumours = 0;
    mesh.pass(30_000);
    // Five others hear the beats of each, ten in half a minute; three of them tell.
    assert!((54..=66).contains(&mesh.rumours), "{}", mesh.rumours);
    assert_eq!(mesh.events, []);
    mesh.link(1, 7);
    mesh.pass(10_000);
    mesh.rumours = 0;
    mesh.pass(30_000);
    assert_eq!((mesh.rumours, &mesh.events), (0, &vec![]));
}

#[test]
fn whoever_stops_hearing_a_member_over_its_link_is_told_of_it_in_time() {
    let mut mesh = full_mesh();
    mesh.links.remove(&(7, 1));
    mesh.pass(60_000);
    assert_eq!(mesh.events, []);
    assert!(mesh.rumours > 0);
}

#[test]
fn a_cut_link_alone_makes_nobody_leave() {
    let mut mesh = Mesh::new(1..4);
    [(1, 2), (2, 3), (1, 3)].into_iter().for_each(|(a, b)| mesh.link(a, b));
    mesh.pass(10_000);
    mesh.events.clear();
    mesh.cut(1, 3);
    mesh.pass(100_000);
    assert_eq!((mesh.here(1), mesh.here(3), mesh.events.len()), (vec![2, 3], vec![1, 2], 0));
    // A partition does, and its end brings them back.
    mesh.cut(1, 2);
    mesh.pass(20_000);
    assert_eq!((mesh.here(1), mesh.here(3)), (vec![], vec![2]));
    mesh.link(1, 2);
    mesh.pass(10_000);
    assert_eq!((mesh.here(1), mesh.here(3)), (vec![2, 3], vec![1, 2]));
    assert!(mesh.events.iter().all(|(_, event)| event.starts_with("lost") || event.starts_with("returned")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn after_any_schedule_everybody_sees_whom_they_can_reach(
        schedule in prop::collection::vec((0u8..4, 1u8..7, 1u8..7, 0u64..8_000), 0..40),
    ) {
        let mut mesh = Mesh::new(1..7);
        for (what, a, b, ms) in schedule {
            let alive = mesh.machines.contains_key(&a) && mesh.machines.contains_key(&b);
            match what {
                0 | 1 if a != b && alive && !mesh.links.contains(&(a, b)) => mesh.link(a, b),
                2 => mesh.cut(a, b),
                3 if ms < 1_000 => mesh.kill(a),
                _ => {}
            }
            mesh.pass(ms);
        }
        mesh.pass(60_000);
        for id in mesh.machines.keys() {
            let mut reached = BTreeSet::from([*id]);
            while let Some(next) =
                mesh.links.iter().find(|(a, b)| reached.contains(a) && !reached.contains(b)).map(|(_, b)| *b)
            {
                reached.insert(next);
            }
            reached.remove(id);
            prop_assert_eq!(mesh.here(*id), reached.into_iter().collect::<Vec<_>>());
        }
    }
}

#[test]
fn the_same_inputs_give_the_same_effects() {
    let trace = || {
        let mut machine = presence(1, Config::default());
        let mut effects = vec![];
        for id in [5, 3, 4] {
            effects.extend(run(&mut machine, at(0), up(id)));
            effects.extend(run(&mut machine, at(1), beat(id, 1, Some(profile(1, "")))));
        }
        effects.extend(pass(&mut machine, 60_000));
        effects
    };
    assert_eq!(trace(), trace());
}
