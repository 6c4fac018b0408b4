//! How a tab becomes a member of a space.

use std::{ops::ControlFlow, sync::Arc};

use meshwork::{Machines, Membership, Mesh, Policy, Profile, Row, Seed, SessionId, SpaceId};
use meshwork_consensus::{self as consensus, Consensus};
use meshwork_crdt_state::Documents;
use meshwork_discovery::{self as discovery, Discovery};
use meshwork_identity::{Ed25519, RoomCode, Signer as _, SpaceSecret, Verifier};
use meshwork_op_log::{self as op_log, OpLog, OpenError, Opening};
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
    /// Unless a hub is to be asked.
    membership: Option<Membership>,
    /// From the room's password.
    secret: Option<SpaceSecret>,
    log: Log,
    name: String,
    durable: bool,
    /// Another tab leads to everybody else, or this browser makes no links.
    homebound: bool,
    pub(crate) session: SessionId,
    discovery: discovery::Config,
    consensus: consensus::Config,
    seed: Seed,
    pub(crate) slice: Arc<Slice>,
    /// To open the log has taken more than one slice.
    pub(crate) paused: bool,
}

/// How far the log is.
enum Log {
    Stored(Vec<Row>),
    Opening(Box<Opening>),
    Open(Box<OpLog>),
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
    /// Settles on a membership, the stored one or the invitation's; else a hub will have to be asked for one.
    pub(crate) fn new(options: &Options, stored: Option<&str>, rows: Vec<Row>) -> Result<Self, WebError> {
        let slice = Arc::<Slice>::default();
        slice.begin(browser::now().monotonic);
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
        let invited = invitation.map(|link| Membership { space: link.space, secret: link.secret });
        let newcomer = Self {
            membership: None,
            secret,
            log: Log::Stored(rows),
            name: options.name.clone(),
            durable: options.durable,
            homebound: options.follower || !browser::has_webrtc(),
            session: SessionId(seed.fork("session").random().bytes()),
            discovery,
            consensus,
            profile,
            seed,
            slice,
            paused: false,
        };
        Ok(Self { membership: newcomer.settle(invited)?, ..newcomer })
    }

    /// Opens the log for the rest of the first slice, or for another one; whether there was no more to do. A space that a
    /// hub has to name has no log yet.
    pub(crate) fn advance(&mut self) -> Result<bool, WebError> {
        let Some(space) = self.membership.as_ref().map(|membership| membership.space) else {
            return Ok(true);
        };
        if self.paused {
            self.slice.begin(browser::now().monotonic);
        }
        let was_open = matches!(self.log, Log::Open(_));
        while !matches!(self.log, Log::Open(_)) {
            if self.slice.is_used_up(browser::now().monotonic) {
                self.paused = true;
                return Ok(false);
            }
            self.open_on(space)?;
        }
        // To become a node takes about a slice, too.
        Ok(was_open || !self.paused)
    }

    /// A step. After an error the log is empty, and not to be used.
    fn open_on(&mut self, space: SpaceId) -> Result<(), WebError> {
        let refused = |error: OpenError| WebError::Storage(error.to_string());
        let opened = match std::mem::replace(&mut self.log, Log::Stored(Vec::new())) {
            Log::Stored(rows) => {
                let context = op_log::Context {
                    space,
                    signer: Arc::new(self.profile.key.clone()),
                    verifier: Arc::new(Ed25519),
                };
                let config = op_log::Config { deliver_operations_max: DELIVERED_MAX, ..Default::default() };
                let opening = Opening::new(config, context, browser::now(), self.seed.fork("op-log"), rows);
                ControlFlow::Continue(opening.map_err(refused)?)
            }
            Log::Opening(opening) => opening.step().map_err(refused)?,
            Log::Open(log) => ControlFlow::Break(*log),
        };
        self.log = match opened {
            ControlFlow::Continue(opening) => Log::Opening(Box::new(opening)),
            ControlFlow::Break(log) => Log::Open(Box::new(log)),
        };
        Ok(())
    }

    /// How many operations the log holds, as far as it was looked at.
    pub(crate) fn operations(&self) -> u64 {
        match &self.log {
            Log::Stored(_) => 0,
            Log::Opening(opening) => opening.operations(),
            Log::Open(log) => log.operations(),
        }
    }

    /// Becomes a member, or goes to ask a hub which space is meant.
    pub(crate) fn begin(mut self) -> Result<(Stage, Option<Member>), WebError> {
        match self.membership.take() {
            Some(membership) => Ok((Stage::Empty, Some(self.join(membership, None)?))),
            None => Ok((self.ask(), None)),
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
        let op_log = self.opened(space)?;
        let now = browser::now();
        let seed = |part: &str| self.seed.fork(part);
        let signer = Arc::new(self.profile.key.clone());
        let verifier: Arc<dyn Verifier> = Arc::new(Ed25519);
        let access = (secret != SpaceSecret::open(&space)).then(|| secret.room_access());
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

    /// The log, opened in one go as far as it is not open yet: that of a space which a hub has named is empty.
    fn opened(&mut self, space: SpaceId) -> Result<OpLog, WebError> {
        loop {
            match std::mem::replace(&mut self.log, Log::Stored(Vec::new())) {
                Log::Open(log) => return Ok(*log),
                log => self.log = log,
            }
            self.open_on(space)?;
        }
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
