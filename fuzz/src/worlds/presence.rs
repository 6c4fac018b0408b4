//! Presence: links that come and go, heartbeats and rumours of anybody about anybody.

use std::collections::BTreeMap;

use meshwork_base::{Bytes, SessionId, Timestamp};
use meshwork_presence::{
    Capabilities, Config, Context, Datagram, Effect, Event, Input, Member, Message, News, Presence, Profile,
    Rumour, Shown,
};
use meshwork_wire::{DATAGRAM_MESSAGE_BYTES_MAX, encode};
use serde::{Deserialize, Serialize};

use super::{node, session};
use crate::{Driven, driven, read, script};

/// What may happen.
#[derive(Debug, Serialize, Deserialize)]
pub enum Step {
    /// A link is up.
    Up { peer: u8 },
    /// A link is gone, with a goodbye or without.
    Down { peer: u8, left: u8 },
    /// A peer's heartbeat; with `revision` 0 without a profile.
    Beat { peer: u8, beat: u8, revision: u8, away: u8 },
    /// A peer speaks of another; with `revision` 0 without a profile.
    Rumour { peer: u8, about: u8, beat: u8, age_s: u8, revision: u8 },
    /// A peer says that another said goodbye.
    RumouredLeft { peer: u8, about: u8, beat: u8 },
    /// A peer's goodbye.
    Leave { peer: u8, beat: u8 },
    /// A peer sends bytes.
    Raw { peer: u8 },
    /// The application shows another status.
    Status,
    /// The process falls behind, or is back.
    Away { away: u8 },
    /// We say goodbye.
    Goodbye,
    /// A peer's datagram: this version, the living ones at these distances, all with this time to live. A distance
    /// of 0 ends them.
    Show { peer: u8, version: u8, distances: [u8; 3], ttl: u8 },
    /// A peer sends bytes as a datagram.
    RawDatagram { peer: u8 },
    /// The application shows a value.
    Value { key: u8, ttl: u8 },
    /// The application shows it no longer.
    Clear { key: u8 },
    /// Time passes.
    Pass { how: u8 },
}

impl script::Step for Step {
    const KINDS: u8 = 15;
}

/// Runs a fuzz input.
pub fn run(data: &[u8]) {
    let mut world = World::new();
    for (step, bytes) in script::steps(data) {
        world.happen(step, bytes);
    }
}

struct World {
    presence: Driven<Presence>,
    config: Config,
    /// Who is here, by what was told.
    here: BTreeMap<SessionId, Member>,
    /// What they show, by what was told.
    shown: BTreeMap<SessionId, BTreeMap<String, Bytes>>,
}

fn key(chosen: u8) -> String {
    ["cursor", "a", "b"][usize::from(chosen % 3)].into()
}

fn datagram(version: u8, distances: [u8; 3], ttl: u8, bytes: &[u8]) -> Datagram {
    let living: Vec<u64> =
        distances.into_iter().take_while(|distance| *distance > 0).map(u64::from).collect();
    let shown = (0..living.len() as u8).map(|place| Shown {
        place,
        key: key(version.wrapping_add(place)),
        ttl_ms: 250 * u32::from(ttl),
        value: Bytes::copy_from_slice(bytes),
    });
    Datagram::Values { version: version.into(), shown: shown.collect(), living }
}

fn profile(revision: u8, away: u8) -> Option<Profile> {
    (revision > 0).then(|| Profile {
        revision: revision.into(),
        name: "bob".into(),
        status: format!("status {revision}"),
        capabilities: Capabilities::default(),
        away: away % 2 == 1,
    })
}

impl World {
    fn new() -> Self {
        let config = Config { members_max: 3, ..Config::default() };
        assert_eq!(config.validate(), Ok(()));
        let capabilities = Capabilities::default();
        let context = Context { session: session(0), node: node(0), name: "ada".into(), capabilities };
        let now: Timestamp = driven::start();
        let presence = Driven::new(|| Presence::new(config.clone(), context.clone(), now));
        Self { presence, config, here: BTreeMap::new(), shown: BTreeMap::new() }
    }

    fn happen(&mut self, step: Step, bytes: &[u8]) {
        // Only others have links with us.
        let other = |chosen: u8| session(1 + chosen % 5);
        match step {
            Step::Up { peer } => {
                self.feed(Input::PeerUp { peer: other(peer), node: node(1 + peer % 5) });
            }
            Step::Down { peer, left } => {
                self.feed(Input::PeerDown { peer: other(peer), left: left % 2 == 1 })
            }
            Step::Beat { peer, beat, revision, away } => {
                let session = other(peer);
                let profile = profile(revision, away);
                let beat = beat.into();
                self.hear(session, Message::Heartbeat { session, beat, profile, rumours: Vec::new() });
            }
            Step::Rumour { peer, about, beat, age_s, revision } => {
                let profile = profile(revision, 0).map(|profile| (node(about), profile));
                let news = News::Alive { age_ms: 1_000 * u64::from(age_s), profile };
                let rumour = Rumour { session: session(about), beat: beat.into(), news };
                self.hear(other(peer), Message::Rumours(vec![rumour]));
            }
            Step::RumouredLeft { peer, about, beat } => {
                let rumour = Rumour { session: session(about), beat: beat.into(), news: News::Left };
                self.hear(other(peer), Message::Rumours(vec![rumour]));
            }
            Step::Leave { peer, beat } => self.hear(other(peer), Message::Leave { beat: beat.into() }),
            Step::Raw { peer } => {
                read(bytes).into_iter().for_each(|message| self.hear(other(peer), message));
            }
            Step::Status => self.feed(Input::SetStatus(String::from_utf8_lossy(bytes).into())),
            Step::Away { away } => self.feed(Input::SetAway(away % 2 == 1)),
            Step::Goodbye => self.feed(Input::Leave),
            Step::Show { peer, version, distances, ttl } => {
                self.feed(Input::Seen {
                    from: other(peer),
                    datagram: datagram(version, distances, ttl, bytes),
                });
            }
            Step::RawDatagram { peer } => {
                if let Some(datagram) = read(bytes) {
                    self.feed(Input::Seen { from: other(peer), datagram });
                }
            }
            Step::Value { key: chosen, ttl } => {
                let (key, value) = (key(chosen), Bytes::copy_from_slice(bytes));
                self.feed(Input::SetValue { key, value, ttl_ms: 250 * u64::from(ttl) });
            }
            Step::Clear { key: chosen } => self.feed(Input::ClearValue { key: key(chosen) }),
            Step::Pass { how } => {
                let effects = self.presence.pass(how);
                self.check(effects);
            }
        }
    }

    fn hear(&mut self, from: SessionId, message: Message) {
        self.feed(Input::Received { from, message });
    }

    fn feed(&mut self, input: Input) {
        let effects = self.presence.feed(input);
        self.check(effects);
    }

    /// Members come, change and go in this order, and what was told of them is what can be asked.
    fn check(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Event(event) => self.told(event),
                Effect::Send { message, .. } => assert!(encode(&message).is_ok(), "what it says can be sent"),
                Effect::Show { datagram, .. } => {
                    let bytes = encode(&datagram).expect("what it shows can be sent");
                    assert!(bytes.len() <= DATAGRAM_MESSAGE_BYTES_MAX);
                }
                Effect::Misbehaved { .. } => {}
            }
        }
        let presence = self.presence.machine();
        let members = presence.members();
        assert!(members.len() <= self.config.members_max);
        let seen = |member: &Member| {
            let Member { session, name, status, away, .. } = member.clone();
            (session, name, status, away)
        };
        assert!(members.iter().map(seen).eq(self.here.values().map(seen)), "{members:?} {:?}", self.here);
        for session in self.here.keys() {
            let shown = self.shown.get(session).cloned().unwrap_or_default();
            assert_eq!(presence.values(session), shown, "what {session:?} shows");
        }
    }

    fn told(&mut self, event: Event) {
        match event {
            Event::Joined(member) | Event::Returned(member) => {
                let before = self.here.insert(member.session, member);
                assert_eq!(before, None, "somebody comes twice");
            }
            Event::Changed(member) => {
                let before = self.here.insert(member.session, member);
                assert!(before.is_some(), "somebody changes who is not here");
            }
            Event::Left { member, .. } => {
                assert!(self.here.remove(&member.session).is_some(), "somebody goes who is not here");
            }
            Event::ValueSet { session, key, value } => {
                assert!(self.here.contains_key(&session), "somebody shows who is not here");
                let before = self.shown.entry(session).or_default().insert(key, value.clone());
                assert_ne!(before, Some(value), "nothing changed");
            }
            Event::ValueGone { session, key } => {
                let gone = self.shown.get_mut(&session).and_then(|shown| shown.remove(&key));
                assert!(gone.is_some(), "a value goes that was not shown");
            }
            Event::ValueRefused { .. } => {}
        }
    }
}
