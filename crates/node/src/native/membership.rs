//! Which space a node is a member of, and how it becomes one.

use std::sync::Arc;

use meshwork_base::{Seed, SessionId, SpaceId};
use meshwork_discovery::{self as discovery, Discovery};
use meshwork_identity::{Invitation, SpaceSecret};
use meshwork_shell::{Clock, Host, Shutdown, Tell};
use tokio::sync::mpsc;

use actix::Actor as _;

use super::{
    hub_client::HubClients,
    life::StartError,
    profile::{Membership, Profile},
};
use crate::{HubAction, NodeConfig};

/// Follows an invitation in `config`: its hub and room come first.
pub(crate) fn invited(config: &mut NodeConfig) -> Result<Option<Membership>, StartError> {
    let Some(link) = &config.invitation else { return Ok(None) };
    let Invitation { hub, room, space, secret } = link.parse()?;
    if !config.discovery.hubs.contains(&hub) {
        config.discovery.hubs.insert(0, hub);
    }
    config.discovery.room = room;
    Ok(Some(Membership { space, secret }))
}

/// Settles on a membership: the profile's, the invitation's, or the one that the hub's room leads to.
pub(crate) async fn settle(
    config: &NodeConfig,
    profile: &Profile,
    invited: Option<Membership>,
    clock: Clock,
    seed: &Seed,
) -> Result<Membership, StartError> {
    let from_password = match &config.password {
        Some(password) => Some(SpaceSecret::from_password(password, &config.discovery.room)?),
        None => None,
    };
    match (&profile.membership, invited) {
        (Some(member), Some(invited)) if member.space != invited.space => {
            Err(StartError::OtherSpace { member: member.space, invited: invited.space })
        }
        (_, Some(invited)) => Ok(invited),
        (Some(member), None) => match from_password {
            Some(secret) if secret != member.secret => Err(StartError::WrongPassword),
            _ => Ok(member.clone()),
        },
        (None, None) if config.discovery.hubs.is_empty() => {
            let space = SpaceId(seed.fork("space").random().bytes());
            Ok(Membership { space, secret: from_password.unwrap_or_else(|| SpaceSecret::open(&space)) })
        }
        (None, None) => {
            let space = ask_hubs(config, profile, from_password.as_ref(), clock, seed).await?;
            Ok(Membership { space, secret: from_password.unwrap_or_else(|| SpaceSecret::open(&space)) })
        }
    }
}

/// The session of a node's first life.
pub(crate) fn first_session(seed: &Seed) -> SessionId {
    SessionId(seed.fork("session 0").random().bytes())
}

/// Joins the room for a moment to learn which space lives there; the first to come names it. Waits for a hub that
/// cannot be reached.
async fn ask_hubs(
    config: &NodeConfig,
    profile: &Profile,
    secret: Option<&SpaceSecret>,
    clock: Clock,
    seed: &Seed,
) -> Result<SpaceId, StartError> {
    let context = discovery::Context {
        // The session that will run: its second connection replaces this one, and nobody meets a ghost.
        session: first_session(seed),
        signer: Arc::new(profile.key.clone()),
        name: config.name.clone(),
        space: None,
        access: secret.map(SpaceSecret::room_access),
    };
    let machine =
        Discovery::new(config.discovery.clone(), context, clock.now(), seed.fork("first discovery"));
    let (tell, mut effects) = mpsc::unbounded_channel();
    let host = Host::new("first discovery", machine, clock, move |effect| {
        // Nobody listens any more once the space is known.
        let _ = tell.send(effect);
    });
    let host = host.start();
    let mut hubs = HubClients::new(host.clone().recipient());
    host.do_send(Tell::new(discovery::Input::Start));
    let found = loop {
        let Some(effect) = effects.recv().await else { break Err(StartError::Ended) };
        match effect {
            discovery::Effect::Open { hub, url } => hubs.perform(hub, HubAction::Open { url }),
            discovery::Effect::Send { hub, message } => hubs.perform(hub, HubAction::Send(message)),
            discovery::Effect::Close { hub } => hubs.perform(hub, HubAction::Close),
            discovery::Effect::Event(discovery::Event::Joined { space, .. }) => break Ok(space),
            discovery::Effect::Event(discovery::Event::Refused { reason, .. }) => {
                break Err(StartError::Refused(reason));
            }
            discovery::Effect::Event(discovery::Event::Unreachable { reason, retry_in_ms, .. }) => {
                tracing::warn!(retry_in_ms, "not a member of any space yet, waiting for the hub: {reason}");
            }
            discovery::Effect::PeerFound { .. }
            | discovery::Effect::PeerGone { .. }
            | discovery::Effect::Signal { .. } => {}
        }
    };
    let _ = host.send(Shutdown).await;
    found
}
