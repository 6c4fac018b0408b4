//! How a tab becomes a member of a space.

use std::sync::Arc;

use meshwork::{Machines, Membership, Mesh, Policy, Profile, Row, Seed, SessionId, SpaceId};
use meshwork_consensus::{self as consensus, Consensus};
use meshwork_crdt_state::Documents;
use meshwork_discovery::{self as discovery, Discovery};
use meshwork_identity::{Ed25519, RoomCode, Signer as _, SpaceSecret, Verifier};
use meshwork_op_log::{self as op_log, OpLog};
use meshwork_presence::{self as presence, Presence};
use meshwork_transport::{self as transport, Transport};

use crate::{
    browser,
    error::WebError,
    options::{Options, Place},
    slice::{Slice, Sliced},
    stage::Stage,
    tabs::Tabs,
};

/// All that a node is made of, once its space is known.
pub(crate) struct Newcomer {
    profile: Profile,
    /// From the room's password.
    secret: Option<SpaceSecret>,
    rows: Vec<Row>,
    name: String,
    durable: bool,
    /// Another tab leads to everybody else, or this browser makes no links.
    homebound: bool,
    pub(crate) session: SessionId,
    discovery: discovery::Config,
    consensus: consensus::Config,
    seed: Seed,
    slice: Arc<Slice>,
}

/// So few operations at a time that a slice is not much longer than it should be.
const DELIVERED_MAX: usize = 128;

/// A node that has become one.
pub(crate) struct Member {
    pub(crate) mesh: Mesh,
    /// With its membership.
    pub(crate) profile: Profile,
    pub(crate) keep: Keep,
}

/// When a profile is written down.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It is.
    Kept,
    /// Now.
    Now,
    /// Once a peer has shown that it holds the secret too: until then the old one is kept, because a damaged link must
    /// not cost a member its access.
    Proven,
}

impl Newcomer {
    /// Settles on a membership, the stored one or the invitation's; else on the way to ask a hub for one.
    pub(crate) fn begin(
        options: &Options,
        stored: Option<&str>,
        rows: Vec<Row>,
        slice: Arc<Slice>,
    ) -> Result<(Stage, SessionId, Option<Member>), WebError> {
        let Place { hubs, room, invitation } = options.place()?;
        let seed = browser::seed();
        let profile = match stored {
            Some(text) => Profile::from_json(text)?,
            None if !rows.is_empty() => {
                return Err(WebError::Storage(
                    "there is a log without the key that it belongs to: clear this site's data to start anew"
                        .into(),
                ));
            }
            None => Profile::generate(&seed),
        };
        let mut discovery = discovery::Config { hubs, ..Default::default() };
        let mut secret = None;
        if let Some(room) = room {
            discovery.room = room;
            secret = secret_of(options, &room)?;
        }
        discovery.validate()?;
        let mut consensus = consensus::Config::default();
        if let Some(count) = options.confirmations {
            consensus.policy = Policy::Count(count);
        }
        consensus.validate()?;
        let newcomer = Self {
            secret,
            rows,
            name: options.name.clone(),
            durable: options.durable,
            homebound: options.follower || !browser::has_webrtc(),
            session: SessionId(seed.fork("session").random().bytes()),
            discovery,
            consensus,
            profile,
            seed,
            slice,
        };
        let invited = invitation.map(|link| Membership { space: link.space, secret: link.secret });
        let session = newcomer.session;
        match newcomer.settle(invited)? {
            Some(membership) => Ok((Stage::Empty, session, Some(newcomer.join(membership, None)?))),
            None => Ok((newcomer.ask(), session, None)),
        }
    }

    fn settle(&self, invited: Option<Membership>) -> Result<Option<Membership>, WebError> {
        match (&self.profile.membership, invited) {
            (Some(member), Some(invited)) if member.space != invited.space => {
                Err(WebError::Membership(format!(
                    "the store belongs to space {}, the invitation to {}: give another name for `storage`",
                    member.space, invited.space
                )))
            }
            (_, Some(invited)) => Ok(Some(invited)),
            (Some(member), None) => match &self.secret {
                Some(secret) if *secret != member.secret => {
                    Err(WebError::Membership("the password is not that of the space in this store".into()))
                }
                _ => Ok(Some(member.clone())),
            },
            (None, None) if self.discovery.hubs.is_empty() => {
                let space = SpaceId(self.seed.fork("space").random().bytes());
                Ok(Some(self.membership_of(space)))
            }
            (None, None) => Ok(None),
        }
    }

    /// Membership of a space that was found, or founded, without an invitation.
    fn membership_of(&self, space: SpaceId) -> Membership {
        Membership { space, secret: self.secret.clone().unwrap_or_else(|| SpaceSecret::open(&space)) }
    }

    /// On the way to a hub.
    fn ask(self) -> Stage {
        let access = self.secret.as_ref().map(SpaceSecret::room_access);
        let discovery = self.discovery(None, access);
        Stage::Asking { discovery: Box::new(discovery), newcomer: Box::new(self) }
    }

    /// The hub has named the space; `discovery` is in the room and stays.
    pub(crate) fn found(self, space: SpaceId, discovery: Discovery) -> Result<Member, WebError> {
        let membership = self.membership_of(space);
        self.join(membership, Some(discovery))
    }

    fn join(mut self, membership: Membership, running: Option<Discovery>) -> Result<Member, WebError> {
        let proven = self.profile.membership.as_ref() == Some(&membership) || running.is_some();
        let keep = match (self.profile.membership.is_none(), proven) {
            (true, _) => Keep::Now,
            (false, false) => Keep::Proven,
            (false, true) => Keep::Kept,
        };
        self.profile.membership = Some(membership.clone());
        let running = running.filter(|_| !self.homebound);
        let courier = Sliced::new(self.slice.clone(), || browser::now().monotonic);
        let mesh = Mesh::new(self.machines(&membership, proven, running)?).with_courier(courier);
        Ok(Member { mesh, profile: self.profile, keep })
    }

    fn machines(
        &mut self,
        membership: &Membership,
        proven: bool,
        running: Option<Discovery>,
    ) -> Result<Machines, WebError> {
        let Membership { space, secret } = membership.clone();
        let now = browser::now();
        let seed = |part: &str| self.seed.fork(part);
        let signer = Arc::new(self.profile.key.clone());
        let verifier: Arc<dyn Verifier> = Arc::new(Ed25519);
        let access = (secret != SpaceSecret::open(&space)).then(|| secret.room_access());
        let context = op_log::Context { space, signer: signer.clone(), verifier: verifier.clone() };
        let rows = std::mem::take(&mut self.rows);
        let config = op_log::Config { deliver_operations_max: DELIVERED_MAX, ..Default::default() };
        let op_log = OpLog::open(config, context, now, seed("op-log"), rows)
            .map_err(|error| WebError::Storage(error.to_string()))?;
        let context = transport::Context {
            space,
            secret,
            session: self.session,
            durable: self.durable,
            signer: signer.clone(),
            verifier: verifier.clone(),
        };
        let transport = Transport::new(transport::Config::default(), context, now, seed("transport"));
        let context = presence::Context {
            session: self.session,
            node: signer.node(),
            name: self.name.clone(),
            capabilities: capabilities(self.durable),
        };
        let presence = Presence::new(presence::Config::default(), context, now);
        if self.homebound {
            self.discovery.hubs.clear();
        }
        let discovery = running.unwrap_or_else(|| {
            let discovery = self.discovery(Some(space), access);
            if proven { discovery.with_proven_access() } else { discovery }
        });
        let context = consensus::Context { space, durable: self.durable, signer, verifier };
        let consensus = Consensus::new(self.consensus.clone(), context);
        let documents = Documents::new(Default::default());
        Ok(Machines {
            op_log,
            documents,
            transport,
            presence: Some(presence),
            discovery: Some(discovery),
            consensus: Some(consensus),
        })
    }

    fn discovery(&self, space: Option<SpaceId>, access: Option<meshwork_identity::RoomAccess>) -> Discovery {
        let context = discovery::Context {
            session: self.session,
            signer: Arc::new(self.profile.key.clone()),
            name: self.name.clone(),
            space,
            access,
        };
        let mut config = self.discovery.clone();
        config.hubs.extend(Tabs::url().filter(|_| self.durable));
        Discovery::new(config, context, browser::now(), self.seed.fork("discovery"))
    }
}

fn secret_of(options: &Options, room: &RoomCode) -> Result<Option<SpaceSecret>, WebError> {
    let secret = |password: &String| SpaceSecret::from_password(password, room);
    options.password.as_ref().map(secret).transpose().map_err(|error| WebError::Usage(error.to_string()))
}

/// What this kind of node tells about itself.
fn capabilities(durable: bool) -> presence::Capabilities {
    let told = [("kind", "browser"), ("storage", if durable { "indexeddb" } else { "memory" })];
    told.into_iter().fold(presence::Capabilities::default(), |capabilities, (name, value)| {
        // Names and values of ours are within the bounds.
        capabilities.clone().with(name, value).unwrap_or(capabilities)
    })
}
