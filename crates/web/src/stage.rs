//! How far a node is: on the way to a space, or a member of it.

use meshwork::{Deadline, Effect, Input, Machine, Mesh, SpaceId, Timestamp, route, step};
use meshwork_discovery::{self as discovery, Discovery};

use crate::join::Newcomer;

/// What is driven.
pub(crate) enum Stage {
    /// Joins a hub's room to learn which space lives there.
    Asking {
        /// Goes on as the member's: were it to leave and another one to join, signals in between would be lost.
        discovery: Box<Discovery>,
        newcomer: Box<Newcomer>,
    },
    /// A member.
    Running(Box<Mesh>),
    /// Between two stages, or after a failure: nothing is driven.
    Empty,
}

impl Stage {
    /// Feeds one input, or the timeout; collects the effects. Returns the space once a hub has named it: from then on
    /// discovery's effects are left to the member.
    pub(crate) fn step(
        &mut self,
        now: Timestamp,
        input: Option<Input>,
        effects: &mut Vec<Effect>,
    ) -> (Option<Deadline>, Option<SpaceId>) {
        match self {
            Self::Asking { discovery, .. } => {
                match input {
                    Some(input) => route::from_host(input, |routed| {
                        if let route::Routed::Discovery(input) = routed {
                            discovery.handle(now, input);
                        }
                    }),
                    None => discovery.handle_timeout(now),
                }
                let space = drain(discovery, effects);
                (discovery.poll_timeout(), space)
            }
            Self::Running(mesh) => (step(&mut **mesh, now, input, |effect| effects.push(effect)), None),
            Self::Empty => (None, None),
        }
    }

    pub(crate) fn mesh(&self) -> Option<&Mesh> {
        match self {
            Self::Running(mesh) => Some(mesh),
            Self::Asking { .. } | Self::Empty => None,
        }
    }
}

fn drain(discovery: &mut Discovery, effects: &mut Vec<Effect>) -> Option<SpaceId> {
    while let Some(effect) = discovery.poll_effect() {
        let joined = match &effect {
            discovery::Effect::Event(discovery::Event::Joined { space, .. }) => Some(*space),
            _ => None,
        };
        route::from_discovery(effect, |routed| {
            if let route::Routed::Host(effect) = routed {
                effects.push(effect);
            }
        });
        if joined.is_some() {
            return joined;
        }
    }
    None
}
