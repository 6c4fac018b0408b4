//! Which space a node is a member of, and how it becomes one.

use std::{path::PathBuf, sync::Arc};

use meshwork_base::{Seed, SessionId, SpaceId};
use meshwork_discovery::{self as discovery, Discovery, DiscoveryActor};
use meshwork_identity::{Invitation, SpaceSecret};
use meshwork_shell::{Clock, Tell};
use tokio::sync::{
    broadcast::{Receiver, error::RecvError},
    mpsc,
};

use actix::{Actor as _, Addr};

use super::{hub_client::HubClients, start_error::StartError};
use crate::{Event, HubAction, Membership, NodeConfig, Profile};

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

/// A discovery that has joined its first room. It goes on as the running node's: were it to leave and another one to
/// join, signals that come in between would be lost, and links would wait for their next attempt.
pub(crate) struct Joined {
    pub(crate) discovery: Addr<DiscoveryActor>,
    /// What it asks for from now on.
    pub(crate) effects: mpsc::UnboundedReceiver<discovery::Effect>,
    pub(crate) hubs: HubClients,
}

/// Settles on a membership: the profile's, the invitation's, or the one that the hub's room leads to.
pub(crate) async fn settle(
    config: &NodeConfig,
    profile: &Profile,
    invited: Option<Membership>,
    clock: Clock,
    seed: &Seed,
) -> Result<(Membership, Option<Joined>), StartError> {
    let from_password = match &config.password {
        Some(password) => Some(SpaceSecret::from_password(password, &config.discovery.room)?),
        None => None,
    };
    match (&profile.membership, invited) {
        (Some(member), Some(invited)) if member.space != invited.space => {
            Err(StartError::OtherSpace { member: member.space, invited: invited.space })
        }
        (_, Some(invited)) => Ok((invited, None)),
        (Some(member), None) => match from_password {
            Some(secret) if secret != member.secret => Err(StartError::WrongPassword),
            _ => Ok((member.clone(), None)),
        },
        (None, None) if config.discovery.hubs.is_empty() => {
            let space = SpaceId(seed.fork("space").random().bytes());
            let secret = from_password.unwrap_or_else(|| SpaceSecret::open(&space));
            Ok((Membership { space, secret }, None))
        }
        (None, None) => {
            let (space, joined) = ask_hubs(config, profile, from_password.as_ref(), clock, seed).await?;
            let secret = from_password.unwrap_or_else(|| SpaceSecret::open(&space));
            Ok((Membership { space, secret }, Some(joined)))
        }
    }
}

/// Writes a member's changed secret down once a peer has shown that it holds it too. Until then the old one is kept: a
/// damaged link must not cost a member its access. (A hub's word proves nothing: it lets anybody into an empty room.)
pub(crate) async fn keep_once_proven(profile: Profile, directory: PathBuf, mut events: Receiver<Arc<Event>>) {
    loop {
        match events.recv().await.as_deref() {
            Ok(Event::LinkUp { .. }) => break,
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
    match profile.write(&directory) {
        Ok(()) => tracing::info!("the new secret of the space is kept from now on"),
        Err(error) => tracing::error!(%error, "the new secret of the space is not kept"),
    }
}

/// The session of a node's first life.
pub(crate) fn first_session(seed: &Seed) -> SessionId {
    SessionId(seed.fork("session 0").random().bytes())
}

/// Joins the room to learn which space lives there; the first to come names it. Waits for a hub that cannot be
/// reached.
async fn ask_hubs(
    config: &NodeConfig,
    profile: &Profile,
    secret: Option<&SpaceSecret>,
    clock: Clock,
    seed: &Seed,
) -> Result<(SpaceId, Joined), StartError> {
    let context = discovery::Context {
        session: first_session(seed),
        signer: Arc::new(profile.key.clone()),
        name: config.name.clone(),
        space: None,
        access: secret.map(SpaceSecret::room_access),
    };
    let machine = Discovery::new(config.discovery.clone(), context, clock.now(), seed.fork("discovery 0"));
    let (tell, mut effects) = mpsc::unbounded_channel();
    let host = DiscoveryActor::new("discovery", machine, clock, move |effect| {
        // Nobody listens any more when the node does not start, or has ended.
        let _ = tell.send(effect);
    });
    let host = host.start();
    let mut hubs = HubClients::new(host.clone().recipient());
    host.do_send(Tell::new(discovery::Input::Start));
    loop {
        let Some(effect) = effects.recv().await else { return Err(StartError::Ended) };
        match effect {
            discovery::Effect::Open { hub, url } => hubs.perform(hub, HubAction::Open { url }),
            discovery::Effect::Send { hub, message } => hubs.perform(hub, HubAction::Send(message)),
            discovery::Effect::Close { hub } => hubs.perform(hub, HubAction::Close),
            discovery::Effect::Event(discovery::Event::Joined { space, .. }) => {
                tracing::info!("in the hub's room");
                return Ok((space, Joined { discovery: host, effects, hubs }));
            }
            discovery::Effect::Event(discovery::Event::Refused { reason, .. }) => {
                return Err(StartError::Refused(reason));
            }
            discovery::Effect::Event(discovery::Event::Unreachable { reason, retry_in_ms, .. }) => {
                tracing::warn!(retry_in_ms, "not a member of any space yet, waiting for the hub: {reason}");
            }
            discovery::Effect::PeerFound { .. }
            | discovery::Effect::PeerGone { .. }
            | discovery::Effect::Signal { .. } => {}
        }
    }
}
