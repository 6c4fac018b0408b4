//! One node of the world, through all its lives.

use std::sync::Arc;

use meshwork::{
    Deadline, Dot, Hash, Machines, Mesh, Monotonic, Random, Seed, SessionId, SpaceId, SpaceSecret, Timestamp,
    Version,
};
use meshwork_consensus::{self as consensus, Consensus};
use meshwork_crdt_state::Documents;
use meshwork_discovery::{self as discovery, Discovery};
use meshwork_identity::{KeyedHash, Signer as _};
use meshwork_op_log::{self as op_log, OpLog};
use meshwork_presence::{self as presence, Presence};
use meshwork_transport::{self as transport, Transport};

use crate::{
    disk::Disk,
    invariants::{causality::Causality, progress::Progress},
};

/// A node: a disk that lasts, and the machines of its present life.
pub(crate) struct Node {
    index: usize,
    keys: Arc<KeyedHash>,
    space: SpaceId,
    secret: SpaceSecret,
    seed: Seed,
    /// The machines, while it is up.
    pub(crate) mesh: Option<Mesh>,
    /// Counts starts: what was meant for an earlier life does not reach this one.
    pub(crate) life: u64,
    /// What lasts.
    pub(crate) disk: Disk,
    /// When the disk has done what it was asked.
    pub(crate) disk_free: Monotonic,
    /// What this life has shown.
    pub(crate) causality: Causality,
    /// Whether it comes to rest.
    pub(crate) progress: Progress,
    armed: Option<Monotonic>,
}

impl Node {
    /// A node that was never up.
    pub(crate) fn new(
        index: usize,
        keys: Arc<KeyedHash>,
        space: SpaceId,
        secret: SpaceSecret,
        seed: Seed,
    ) -> Self {
        Self {
            index,
            keys,
            space,
            secret,
            seed,
            mesh: None,
            life: 0,
            disk: Disk::default(),
            disk_free: Monotonic::default(),
            causality: Causality::default(),
            progress: Progress::default(),
            armed: None,
        }
    }

    /// Whether it runs.
    pub(crate) fn is_up(&self) -> bool {
        self.mesh.is_some()
    }

    /// Loses power.
    pub(crate) fn crash(&mut self) {
        self.mesh = None;
        self.disk.crash();
    }

    /// Starts with what the disk kept; returns what that is.
    pub(crate) fn start(&mut self, now: Timestamp) -> Result<Version, op_log::OpenError> {
        self.life += 1;
        self.armed = None;
        self.causality = Causality::default();
        let seed = self.seed.fork(&format!("life {}", self.life));
        let machines = self.machines(now, &seed)?;
        let found = machines.op_log.version().clone();
        let shuffle: Random = seed.fork("shuffle").random();
        self.mesh = Some(Mesh::new(machines).with_shuffle(shuffle));
        Ok(found)
    }

    fn machines(&self, now: Timestamp, seed: &Seed) -> Result<Machines, op_log::OpenError> {
        let session = SessionId(seed.fork("session").random().bytes());
        let (space, signer, verifier) = (self.space, self.keys.clone(), self.keys.clone());
        let name = format!("node {}", self.index);
        let context = op_log::Context { space, signer: signer.clone(), verifier: verifier.clone() };
        let op_log = OpLog::open(Default::default(), context, now, seed.fork("op-log"), self.disk.rows())?;
        let context = transport::Context {
            space,
            secret: self.secret.clone(),
            session,
            durable: true,
            signer: signer.clone(),
            verifier: verifier.clone(),
        };
        let transport = Transport::new(Default::default(), context, now, seed.fork("transport"));
        let capabilities = presence::Capabilities::default();
        let context = presence::Context { session, node: self.keys.node(), name: name.clone(), capabilities };
        let presence = Presence::new(Default::default(), context, now);
        let context =
            discovery::Context { session, signer: signer.clone(), name, space: Some(space), access: None };
        let config = discovery::Config { hubs: hub_url(), room: room(), ..Default::default() };
        let discovery = Discovery::new(config, context, now, seed.fork("discovery"));
        let context = consensus::Context { space, durable: true, signer, verifier };
        let consensus = Consensus::new(Default::default(), context);
        Ok(Machines {
            op_log,
            documents: Documents::new(Default::default()),
            transport,
            presence: Some(presence),
            discovery: Some(discovery),
            consensus: Some(consensus),
        })
    }

    /// Takes a new deadline; returns when to wake it, if that was not arranged already.
    pub(crate) fn arm(&mut self, deadline: Option<Deadline>) -> Option<Monotonic> {
        let at = deadline.map(|deadline| deadline.at);
        if at == self.armed {
            return None;
        }
        self.armed = at;
        at
    }

    /// Whether a wake-up that was arranged for `now` is still wanted.
    pub(crate) fn wakes(&mut self, life: u64, now: Monotonic) -> bool {
        let wanted = self.is_up() && self.life == life && self.armed.is_some_and(|at| at <= now);
        if wanted {
            self.armed = None;
        }
        wanted
    }

    /// Operations became visible.
    pub(crate) fn shown(&mut self, dots: &[Dot]) -> Result<(), String> {
        let Some(mesh) = &self.mesh else { return Ok(()) };
        self.causality.shown(dots, &mesh.machines().op_log)
    }

    /// What it holds and shows.
    pub(crate) fn state(&self) -> Option<(Version, Hash)> {
        let machines = self.mesh.as_ref()?.machines();
        Some((machines.op_log.version().clone(), machines.documents.state_hash()))
    }
}

fn hub_url() -> Vec<url::Url> {
    "http://hub.invalid:7070".parse().into_iter().collect()
}

fn room() -> meshwork::RoomCode {
    meshwork::RoomCode::generate(&mut Seed::from_number(0x5eed).random())
}
