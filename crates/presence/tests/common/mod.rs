//! What the tests share.
#![allow(dead_code, reason = "every test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use std::{collections::BTreeMap, time::Duration};

use meshwork_base::{Bytes, Deadline, Machine, NodeId, SessionId, Timestamp, step};
use meshwork_presence::{
    Capabilities, Config, Context, Datagram, Effect, Event, Input, Message, News, Presence, Profile, Rumour,
};

pub(crate) fn session(id: u8) -> SessionId {
    SessionId([id; 16])
}

pub(crate) fn node(id: u8) -> NodeId {
    NodeId([id; 32])
}

pub(crate) fn at(ms: u64) -> Timestamp {
    Timestamp { wall_ms: 1_000_000, ..Timestamp::default() }.after(Duration::from_millis(ms))
}

pub(crate) fn presence(id: u8, config: Config) -> Presence {
    let capabilities = Capabilities::default().with("kind", "native").unwrap();
    let context = Context { session: session(id), node: node(id), name: format!("n{id}"), capabilities };
    Presence::new(config, context, at(0))
}

pub(crate) fn profile(revision: u64, status: &str) -> Profile {
    let capabilities = Capabilities::default();
    Profile { revision, name: "x".into(), status: status.into(), capabilities, away: false }
}

pub(crate) fn up(id: u8) -> Input {
    Input::PeerUp { peer: session(id), node: node(id) }
}

pub(crate) fn down(id: u8, left: bool) -> Input {
    Input::PeerDown { peer: session(id), left }
}

pub(crate) fn received(from: u8, message: Message) -> Input {
    Input::Received { from: session(from), message }
}

/// A heartbeat of `id` over its own link.
pub(crate) fn beat(id: u8, beat: u64, profile: Option<Profile>) -> Input {
    received(id, Message::Heartbeat { session: session(id), beat, profile, rumours: vec![] })
}

pub(crate) fn rumour(from: u8, rumour: Rumour) -> Input {
    received(from, Message::Rumours(vec![rumour]))
}

/// What `from` says of `id`.
pub(crate) fn told(from: u8, id: u8, beat: u64, age_ms: u64, profile: Option<Profile>) -> Input {
    let profile = profile.map(|profile| (node(id), profile));
    rumour(from, Rumour { session: session(id), beat, news: News::Alive { age_ms, profile } })
}

/// What `from` says of the goodbye of `id`.
pub(crate) fn told_left(from: u8, id: u8, beat: u64) -> Input {
    rumour(from, Rumour { session: session(id), beat, news: News::Left })
}

pub(crate) fn run(machine: &mut Presence, now: Timestamp, input: Input) -> Vec<Effect> {
    let mut effects = Vec::new();
    step(machine, now, Some(input), |effect| effects.push(effect));
    effects
}

/// Fires every timer up to `until_ms`, each at its time.
pub(crate) fn pass(machine: &mut Presence, until_ms: u64) -> Vec<Effect> {
    let mut effects = Vec::new();
    while let Some(Deadline { at: due, .. }) =
        machine.poll_timeout().filter(|due| due.at <= at(until_ms).monotonic)
    {
        step(machine, Timestamp { monotonic: due, wall_ms: 0 }, None, |effect| effects.push(effect));
    }
    effects
}

/// The events among `effects`, in short.
pub(crate) fn events(effects: &[Effect]) -> Vec<String> {
    let event = |effect: &Effect| match effect {
        Effect::Event(Event::Joined(member)) => Some(format!("joined {}", member.session.0[0])),
        Effect::Event(Event::Returned(member)) => Some(format!("returned {}", member.session.0[0])),
        Effect::Event(Event::Changed(member)) => {
            Some(format!("changed {} {}", member.session.0[0], member.status))
        }
        Effect::Event(Event::Left { member, gracefully }) => {
            Some(format!("{} {}", if *gracefully { "left" } else { "lost" }, member.session.0[0]))
        }
        Effect::Misbehaved { reason, .. } => Some(format!("misbehaved: {reason}")),
        Effect::Event(Event::ValueSet { session, key, value }) => {
            Some(format!("set {} {key} {}", session.0[0], String::from_utf8_lossy(value)))
        }
        Effect::Event(Event::ValueGone { session, key }) => Some(format!("gone {} {key}", session.0[0])),
        Effect::Event(Event::ValueRefused { key, error }) => Some(format!("refused {key}: {error}")),
        Effect::Send { .. } | Effect::Show { .. } => None,
    };
    effects.iter().filter_map(event).collect()
}

/// The messages to `to` among `effects`.
pub(crate) fn sent_to(effects: &[Effect], to: u8) -> Vec<Message> {
    let message = |effect: &Effect| match effect {
        Effect::Send { to: peer, message } if *peer == session(to) => Some(message.clone()),
        _ => None,
    };
    effects.iter().filter_map(message).collect()
}

/// The rumours to `to` among `effects`, as (session, beat, with profile), or (session, beat, None) for a goodbye.
pub(crate) fn rumours_to(effects: &[Effect], to: u8) -> Vec<(u8, u64, Option<bool>)> {
    let rumours = sent_to(effects, to).into_iter().flat_map(|message| match message {
        Message::Heartbeat { rumours, .. } | Message::Rumours(rumours) => rumours,
        Message::Leave { .. } | Message::Hears(_) => vec![],
    });
    let short = |rumour: Rumour| {
        let profile = match rumour.news {
            News::Alive { profile, .. } => Some(profile.is_some()),
            News::Left => None,
        };
        (rumour.session.0[0], rumour.beat, profile)
    };
    rumours.map(short).collect()
}

pub(crate) fn here(machine: &Presence) -> Vec<u8> {
    machine.members().iter().map(|member| member.session.0[0]).collect()
}

pub(crate) fn set(key: &str, value: &str, ttl_ms: u64) -> Input {
    Input::SetValue { key: key.into(), value: Bytes::copy_from_slice(value.as_bytes()), ttl_ms }
}

pub(crate) fn clear(key: &str) -> Input {
    Input::ClearValue { key: key.into() }
}

pub(crate) fn seen(from: u8, datagram: Datagram) -> Input {
    Input::Seen { from: session(from), datagram }
}

/// The datagrams to `to` among `effects`.
pub(crate) fn shown_to(effects: &[Effect], to: u8) -> Vec<Datagram> {
    let datagram = |effect: &Effect| match effect {
        Effect::Show { to: peer, datagram } if *peer == session(to) => Some(datagram.clone()),
        _ => None,
    };
    effects.iter().filter_map(datagram).collect()
}

/// What `machine` sees `id` show, `key=value` in order.
pub(crate) fn values(machine: &Presence, id: u8) -> Vec<String> {
    let values: BTreeMap<String, Bytes> = machine.values(&session(id));
    values.iter().map(|(key, value)| format!("{key}={}", String::from_utf8_lossy(value))).collect()
}
