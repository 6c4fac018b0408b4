//! One node of the world, through all its lives.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use meshwork::{
    Deadline, Input, Machines, Mesh, Monotonic, NodeId, Policy, Row, Seed, SessionId, SpaceId, SpaceSecret,
    Timestamp, Version, WriteId, courier::Shuffled,
};
use meshwork_consensus::{self as consensus, Consensus};
use meshwork_crdt_state::Documents;
use meshwork_discovery::{self as discovery, Discovery};
use meshwork_identity::{KeyedHash, Purpose, Signer as _};
use meshwork_op_log::{self as op_log, OpLog};
use meshwork_presence::{self as presence, Presence};
use meshwork_transport::{self as transport, LinkId, Transport};

use crate::{
    clock::Clock,
    disk::Disk,
    fault::AfterCrash,
    plant::{self, Bug, Careless},
};

/// For settings that are wrong on purpose.
const FOREVER_MS: u64 = 1_000_000_000;
/// So few that the bound is met.
pub(crate) const BUFFERED_BLOCKS_MAX: usize = 16;
/// More than there are in any scenario, and fewer than hostile nodes make up.
pub(crate) const MEMBERS_MAX: usize = 256;
/// How often timers fire in a hidden tab.
const THROTTLED_US: u64 = 60_000_000;

/// A node: a disk that lasts, and the machines of its present life.
pub(crate) struct Node {
    index: usize,
    keys: Arc<KeyedHash>,
    space: SpaceId,
    secret: SpaceSecret,
    seed: Seed,
    /// The machines, while it is up.
    pub(crate) mesh: Option<Box<Mesh>>,
    /// Counts starts: what was meant for an earlier life does not reach this one.
    pub(crate) life: u64,
    /// Every life, the present or last one last.
    pub(crate) lives: Vec<Life>,
    /// What lasts.
    pub(crate) disk: Disk,
    /// The disk has lost what it had said to be durable, and it has not started since.
    pub(crate) disk_lost: bool,
    /// What it believes about time.
    pub(crate) clock: Clock,
    /// How many reasons there are why it is down.
    pub(crate) down: u32,
    /// How many reasons there are why it stands still.
    pub(crate) paused: u32,
    /// How many reasons there are why its timers fire once a minute.
    pub(crate) throttled: u32,
    /// How many reasons there are why it has told the others that it is away.
    pub(crate) away: u32,
    /// Since when.
    pub(crate) away_since: Option<Monotonic>,
    /// What came while it stood still.
    pub(crate) waiting: VecDeque<Input>,
    /// It dies after so many effects.
    pub(crate) doomed: Option<(usize, AfterCrash)>,
    /// It was asked to close.
    pub(crate) closing: bool,
    /// When it will be woken, on its own clock.
    armed: Option<Monotonic>,
    /// Its timers do not fire before.
    hung_until: Monotonic,
    /// What is wrong with it on purpose.
    pub(crate) bug: Option<Bug>,
    /// It tries again at once, even where it was refused.
    pub(crate) is_eager: bool,
    /// The connections that it has open.
    pub(crate) connections: BTreeSet<LinkId>,
}

impl Node {
    /// A node that was never up.
    pub(crate) fn new(index: usize, keys: Arc<KeyedHash>, space: SpaceId, seed: Seed, clock: Clock) -> Self {
        Self {
            index,
            keys,
            space,
            secret: SpaceSecret::open(&space),
            seed,
            mesh: None,
            life: 0,
            lives: Vec::new(),
            disk: Disk::default(),
            disk_lost: false,
            clock,
            down: 0,
            paused: 0,
            throttled: 0,
            away: 0,
            away_since: None,
            waiting: VecDeque::new(),
            doomed: None,
            closing: false,
            armed: None,
            hung_until: Monotonic::default(),
            bug: None,
            is_eager: false,
            connections: BTreeSet::new(),
        }
    }

    /// Its key.
    pub(crate) fn keys(&self) -> &Arc<KeyedHash> {
        &self.keys
    }

    /// Its key's public half.
    pub(crate) fn id(&self) -> NodeId {
        self.keys.node()
    }

    /// Whether a session is or was one of its lives.
    pub(crate) fn has_been(&self, session: &SessionId) -> bool {
        self.lives.iter().any(|life| life.session == *session)
    }

    /// Its present session, while it is up.
    pub(crate) fn session(&self) -> Option<SessionId> {
        self.mesh.as_ref().map(|mesh| mesh.machines().transport.session())
    }

    /// Whether it runs.
    pub(crate) fn is_up(&self) -> bool {
        self.mesh.is_some()
    }

    /// Whether its application can do anything.
    pub(crate) fn is_usable(&self) -> bool {
        self.is_up() && self.paused == 0 && !self.closing
    }

    /// Whether nothing keeps it from running.
    pub(crate) fn may_start(&self) -> bool {
        !self.is_up() && self.down == 0 && self.disk.unreadable == 0
    }

    /// It is gone, by a crash or after it has closed. Returns its machines, whose memory the system takes back.
    pub(crate) fn stop(&mut self, now: Monotonic) -> Option<Box<Mesh>> {
        if let Some(life) = self.lives.last_mut() {
            life.ended.get_or_insert(now);
        }
        self.doomed = None;
        self.closing = false;
        self.waiting.clear();
        self.mesh.take()
    }

    /// Starts at the true moment `now` with what the disk kept; returns what that is.
    pub(crate) fn start(&mut self, now: Monotonic) -> Result<Version, op_log::OpenError> {
        self.life += 1;
        self.armed = None;
        self.connections.clear();
        let seed = self.seed.fork(&format!("life {}", self.life));
        let mut rows = self.disk.open();
        if self.bug == Some(Bug::ReuseIds) {
            plant::unmark(&mut rows);
        }
        let machines = self.machines(self.clock.read(now), &seed, rows)?;
        let session = machines.transport.session();
        self.lives.push(Life { session, began: now, ended: None, was_away: self.away > 0 });
        let found = machines.op_log.version().clone();
        let courier = Shuffled::new(seed.fork("shuffle").random());
        let mesh = Mesh::new(machines);
        self.mesh = Some(Box::new(match self.bug {
            Some(bug) => mesh.with_courier(Careless::new(courier, bug)),
            None => mesh.with_courier(courier),
        }));
        Ok(found)
    }

    fn machines(&self, now: Timestamp, seed: &Seed, rows: Vec<Row>) -> Result<Machines, op_log::OpenError> {
        let session = SessionId(seed.fork("session").random().bytes());
        let (space, signer) = (self.space, self.keys.clone());
        let name = format!("node {}", self.index);
        let gullible = |bug, purpose| plant::verifier(self.bug == Some(bug), &self.keys, purpose);
        let trusting = gullible(Bug::AcceptUnsigned, Purpose::Block);
        let context = op_log::Context { space, signer: signer.clone(), verifier: trusting };
        let buffered_blocks_max =
            if self.bug == Some(Bug::UnboundedBuffer) { 1_000_000 } else { BUFFERED_BLOCKS_MAX };
        let config = op_log::Config { buffered_blocks_max, ..Default::default() };
        let op_log = OpLog::open(config, context, now, seed.fork("op-log"), rows)?;
        let context = transport::Context {
            space,
            secret: self.secret.clone(),
            session,
            durable: true,
            signer: signer.clone(),
            verifier: gullible(Bug::TrustProofs, Purpose::Handshake),
        };
        let mut config = transport::Config::default();
        if self.bug == Some(Bug::NeverRedial) {
            (config.retry_min_ms, config.retry_max_ms) = (FOREVER_MS, FOREVER_MS);
        }
        if self.is_eager {
            (config.retry_max_ms, config.refused_retry_ms) = (1_000, 1_000);
        }
        let transport = Transport::new(config, context, now, seed.fork("transport"));
        let capabilities = presence::Capabilities::default();
        let context = presence::Context { session, node: self.keys.node(), name: name.clone(), capabilities };
        let members_max = if self.bug == Some(Bug::UnboundedRoster) { 65_536 } else { MEMBERS_MAX };
        let mut config = presence::Config { members_max, ..presence::Config::default() };
        if self.bug == Some(Bug::NeverExpire) {
            (config.stale_ms, config.away_stale_ms) = (FOREVER_MS, FOREVER_MS);
        }
        let presence = Presence::new(config, context, now);
        let context =
            discovery::Context { session, signer: signer.clone(), name, space: Some(space), access: None };
        let mut config = discovery::Config { hubs: hub_url(), room: room(), ..Default::default() };
        if self.bug == Some(Bug::NeverRejoin) {
            (config.backoff_min_ms, config.backoff_max_ms) = (FOREVER_MS, FOREVER_MS);
        }
        let discovery = Discovery::new(config, context, now, seed.fork("discovery"));
        let context = consensus::Context {
            space,
            durable: true,
            signer,
            verifier: gullible(Bug::TrustReceipts, Purpose::Receipt),
        };
        let mut config = consensus::Config::default();
        if self.bug == Some(Bug::ConfirmAlone) {
            config.policy = Policy::Count(1);
        }
        let consensus = Consensus::new(config, context);
        Ok(Machines {
            op_log,
            documents: Documents::new(Default::default()),
            transport,
            presence: Some(presence),
            discovery: Some(discovery),
            consensus: Some(consensus),
        })
    }

    /// Hands rows to the disk.
    pub(crate) fn write(&mut self, write: WriteId, rows: Vec<Row>) {
        self.disk.write(write, rows);
    }

    /// Lets the disk make the oldest write durable, if it can.
    pub(crate) fn sync_one(&mut self) -> Option<WriteId> {
        match self.bug {
            Some(Bug::LoseWrites) if self.disk.is_tenth() => self.disk.forget_one(),
            _ => self.disk.sync_one(),
        }
    }

    /// Its wall clock is set.
    pub(crate) fn set_clock(&mut self, now: Monotonic, by_ms: i64) {
        self.clock.jump(by_ms);
        if self.bug == Some(Bug::WallClockTimers) && by_ms < 0 {
            self.hung_until = now + Duration::from_millis(by_ms.unsigned_abs());
        }
    }

    /// Takes a new deadline; returns the true moment at which to wake it, if that was not arranged already.
    pub(crate) fn arm(&mut self, now: Monotonic, deadline: Option<Deadline>) -> Option<Monotonic> {
        let at = deadline.map(|deadline| deadline.at);
        if at == self.armed {
            return None;
        }
        self.armed = at;
        at.map(|at| self.timer(self.clock.when(at).max(now)))
    }

    /// When a timer that was set for `at` fires.
    pub(crate) fn timer(&self, at: Monotonic) -> Monotonic {
        if self.throttled == 0 { at } else { Monotonic(at.0.next_multiple_of(THROTTLED_US)) }
    }

    /// Whether a wake-up at the true moment `now` is still wanted. One that is wanted, but comes at a moment at which
    /// timers do not fire, is to be repeated at the moment that is returned.
    pub(crate) fn wakes(&mut self, life: u64, now: Monotonic) -> Wake {
        let due = self.armed.is_some_and(|at| at <= self.clock.read(now).monotonic);
        if !due || !self.is_up() || self.life != life || self.paused > 0 {
            return Wake::No;
        }
        let fires = self.timer(now).max(self.hung_until);
        if fires > now {
            return Wake::At(fires);
        }
        self.armed = None;
        Wake::Now
    }

    /// Timers are no longer held back: when the next one is due.
    pub(crate) fn rearm(&self, now: Monotonic) -> Option<Monotonic> {
        self.armed.map(|at| self.timer(self.clock.when(at).max(now + Duration::from_micros(1))))
    }
}

/// One life of a node.
pub(crate) struct Life {
    /// As which session.
    pub(crate) session: SessionId,
    /// When it started.
    pub(crate) began: Monotonic,
    /// When it ended.
    pub(crate) ended: Option<Monotonic>,
    /// It has told others that it is away.
    pub(crate) was_away: bool,
}

/// What becomes of a wake-up.
pub(crate) enum Wake {
    No,
    Now,
    At(Monotonic),
}

fn hub_url() -> Vec<url::Url> {
    "http://hub.invalid:7070".parse().into_iter().collect()
}

fn room() -> meshwork::RoomCode {
    meshwork::RoomCode::generate(&mut Seed::from_number(0x5eed).random())
}
