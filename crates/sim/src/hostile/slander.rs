//! What is not true about who is here: lies about members, members that nobody is, and messages that nobody correct
//! sends about either.

use std::collections::BTreeMap;

use meshwork::{NodeId, Random, SessionId};
use meshwork_presence::{Capabilities, Member, Message, News, Profile, RUMOURS_MAX, Rumour};

use super::View;

/// So many sessions are remembered, to speak of them when they are gone.
const REMEMBERED: usize = 64;
/// How many members one hostile node makes up, and how many of these it speaks of at a time.
const MADE_UP: u64 = 600;
const AT_A_TIME: u64 = 200;

/// Whom it knows, and whom it makes up.
#[derive(Default)]
pub(super) struct Gossip {
    known: BTreeMap<SessionId, NodeId>,
    /// The last beat that it gave anybody it made up.
    beat: u64,
}

impl Gossip {
    /// Takes note of who is here.
    pub(super) fn learn(&mut self, members: &[Member]) {
        for member in members {
            if self.known.len() < REMEMBERED {
                self.known.insert(member.session, member.node);
            }
        }
    }

    /// Up to eight lies, about those who are here and those who were, the receiver among them.
    pub(super) fn lie(&self, random: &mut Random, view: &View<'_>) -> Vec<Rumour> {
        let known: Vec<_> = self.known.iter().collect();
        let mut lies = Vec::new();
        for _ in 0..1 + random.below(8) {
            if let Some((session, node)) = known.get(random.below(known.len() as u64) as usize) {
                lies.push(Rumour {
                    session: **session,
                    beat: beat(random, view),
                    news: news(random, **node),
                });
            }
        }
        lies
    }

    /// Members that nobody is, with ever higher beats.
    pub(super) fn crowd(&mut self, random: &mut Random, own: SessionId) -> Vec<Rumour> {
        self.beat += 1;
        let first = random.below(MADE_UP);
        let one = |number: u64| {
            let mut id = [0xee; 16];
            id[..8].copy_from_slice(&(number % MADE_UP).to_le_bytes());
            id[8..].copy_from_slice(&own.0[8..]);
            let node = NodeId([id, id].concat().try_into().unwrap_or_default());
            let away = number.is_multiple_of(16);
            let news = News::Alive { age_ms: 0, profile: Some((node, profile(1, "nobody", away))) };
            Rumour { session: SessionId(id), beat: self.beat, news }
        };
        (first..first + AT_A_TIME).map(one).collect()
    }
}

/// What costs whoever says it.
pub(super) fn impossible(random: &mut Random, view: &View<'_>, prey: SessionId) -> Message {
    let session = SessionId(random.bytes());
    let rumour = |news: News| Rumour { session, beat: 1, news };
    let told = |profile: Profile| {
        let news = News::Alive {
            age_ms: 0,
            profile: Some((NodeId(session.0.repeat(2).try_into().unwrap_or_default()), profile)),
        };
        Message::Rumours(vec![rumour(news)])
    };
    match random.below(6) {
        0 => Message::Rumours(vec![rumour(News::Left); RUMOURS_MAX + 1]),
        1 => told(profile(1, &"long ".repeat(100), false)),
        2 => told(Profile { status: "\u{1b}[2J".into(), ..profile(1, "nobody", false) }),
        3 => Message::Hears(vec![SessionId([9; 16]), SessionId([8; 16])]),
        4 => Message::Heartbeat { session: prey, beat: u64::MAX, profile: None, rumours: Vec::new() },
        _ => {
            let profile = Some(profile(2, &"wide ".repeat(100), false));
            Message::Heartbeat { session: view.session, beat: 1, profile, rumours: Vec::new() }
        }
    }
}

/// From long ago, about right, from the future, and the last that there is.
fn beat(random: &mut Random, view: &View<'_>) -> u64 {
    match random.below(4) {
        0 => random.below(1_000),
        1 => view.now.wall_ms.saturating_sub(random.below(100_000)),
        2 => view.now.wall_ms + random.below(1_000_000_000),
        _ => u64::MAX - random.below(3),
    }
}

fn news(random: &mut Random, node: NodeId) -> News {
    let age_ms = [0, 0, random.below(20_000), u64::MAX][random.below(4) as usize];
    match random.below(5) {
        0 | 1 => News::Left,
        2 => News::Alive { age_ms, profile: None },
        kind => {
            let node = if kind == 3 { node } else { NodeId(random.bytes()) };
            let revision = if random.chance(0.5) { u64::MAX } else { 2 };
            News::Alive {
                age_ms,
                profile: Some((node, profile(revision, "somebody else", random.chance(0.5)))),
            }
        }
    }
}

fn profile(revision: u64, name: &str, away: bool) -> Profile {
    let capabilities = Capabilities::default();
    Profile { revision, name: name.into(), status: String::new(), capabilities, away }
}
