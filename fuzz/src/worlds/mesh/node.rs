//! A node, its disk, and what it has promised.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    sync::Arc,
};

use meshwork::{
    Deadline, Documents, Dot, Effect, Event, Input, Machines, Mesh, Row, Seed, SessionId, SpaceSecret,
    Timestamp, Version, WriteId, courier::Shuffled,
};
use meshwork_consensus::{self as consensus, Consensus};
use meshwork_discovery::{self as discovery, Discovery};
use meshwork_identity::{KeyedHash, Signer as _};
use meshwork_op_log::{self as op_log, OpLog};
use meshwork_presence::{self as presence, Presence};
use meshwork_transport::{self as transport, LinkId, Transport};

use super::wires::End;
use crate::{
    SPACE,
    driven::Twins,
    log::{Disk, rows, write},
    worlds::node,
};

pub(super) struct Node {
    at: usize,
    mesh: Option<Twins<Mesh>>,
    pub(super) life: u64,
    disk: Disk,
    /// What waits for the disk.
    pub(super) writes: VecDeque<(WriteId, Vec<Row>)>,
    /// What was said to be durable.
    pub(super) stored: Version,
    pub(super) version: Version,
    /// The ids of the operations that it made in this life.
    made: BTreeSet<Dot>,
    linked: BTreeSet<SessionId>,
    closed: bool,
}

impl Node {
    pub(super) fn new(at: usize) -> Self {
        let (disk, writes, stored, version, made, linked) = Default::default();
        Self { at, mesh: None, life: 0, disk, writes, stored, version, made, linked, closed: false }
    }

    pub(super) fn is_up(&self) -> bool {
        self.mesh.is_some()
    }

    pub(super) fn has_closed(&self) -> bool {
        self.is_up() && self.closed
    }

    pub(super) fn end(&self, link: LinkId) -> End {
        End { at: self.at, life: self.life, link }
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.mesh.as_ref()?.deadline()
    }

    /// What was acknowledged is there again.
    pub(super) fn start(&mut self, now: Timestamp) {
        self.life += 1;
        self.closed = false;
        self.linked.clear();
        self.made.clear();
        let made = Twins::try_new(|| {
            self.machines(now).map(|machines| {
                let shuffle = Seed::from_number(self.life).fork("shuffle").random();
                Mesh::new(machines).with_courier(Shuffled::new(shuffle))
            })
        });
        let mesh = made.unwrap_or_else(|error| panic!("it does not start again: {error}"));
        self.version = mesh.machine().machines().op_log.version().clone();
        assert!(self.version.covers(&self.stored), "what was stored is there");
        self.mesh = Some(mesh);
    }

    fn machines(&self, now: Timestamp) -> Result<Machines, op_log::OpenError> {
        let seed = Seed::from_number(1000 * self.at as u64 + self.life);
        let session = SessionId(seed.fork("session").random().bytes());
        // Of six sessions, two share a node.
        let keys = Arc::new(KeyedHash { node: node(2 * self.at as u8), world: [5; 32] });
        let (space, signer, verifier) = (SPACE, keys.clone(), keys.clone());
        let context = op_log::Context { space, signer: signer.clone(), verifier: verifier.clone() };
        let op_log = OpLog::open(Default::default(), context, now, seed.fork("op-log"), rows(&self.disk))?;
        let context = transport::Context {
            space,
            secret: SpaceSecret::open(&space),
            session,
            durable: true,
            signer: signer.clone(),
            verifier: verifier.clone(),
        };
        let transport = Transport::new(Default::default(), context, now, seed.fork("transport"));
        let name = format!("node {}", self.at);
        let capabilities = presence::Capabilities::default();
        let context = presence::Context { session, node: keys.node(), name: name.clone(), capabilities };
        let presence = Presence::new(Default::default(), context, now);
        let context =
            discovery::Context { session, signer: signer.clone(), name, space: Some(space), access: None };
        let config = discovery::Config {
            hubs: vec!["http://hub.invalid".parse().expect("a link")],
            room: "A3B7K9".parse().expect("a code"),
            ..Default::default()
        };
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

    /// Loses power, or is gone after it has closed.
    pub(super) fn crash(&mut self, kept: usize) {
        self.mesh = None;
        for (_, rows) in self.writes.drain(..).take(kept) {
            write(&mut self.disk, rows);
        }
    }

    /// The oldest write that waits becomes durable.
    pub(super) fn sync(&mut self) -> Option<WriteId> {
        let (id, rows) = self.writes.pop_front()?;
        write(&mut self.disk, rows);
        Some(id)
    }

    /// Tells it something, or that time has passed. What it promises holds.
    pub(super) fn tell(&mut self, now: Timestamp, input: Option<Input>) -> Vec<Effect> {
        let Some(mesh) = &mut self.mesh else { return Vec::new() };
        let effects = mesh.settle(now, input);
        for effect in &effects {
            match effect {
                Effect::Persist { write, rows } => self.writes.push_back((*write, rows.clone())),
                Effect::Edited { result: Ok(dot), .. } => {
                    assert!(self.made.insert(*dot), "an operation's id is used twice");
                }
                Effect::EditedMany { results, .. } => results.iter().flatten().for_each(|dot| {
                    assert!(self.made.insert(*dot), "an operation's id is used twice");
                }),
                Effect::Stored { version } => {
                    assert!(version.covers(&self.stored), "what is stored stays");
                    self.stored = version.clone();
                }
                Effect::Event(Event::LinkUp { peer }) => {
                    assert!(self.linked.insert(peer.session), "a link comes twice");
                }
                Effect::Event(Event::LinkDown { peer, .. }) => {
                    assert!(self.linked.remove(peer), "a link goes that is not there");
                }
                Effect::Closed => self.closed = true,
                _ => {}
            }
        }
        let version = mesh.machine().machines().op_log.version().clone();
        assert!(version.covers(&self.version), "a version does not go back");
        self.version = version;
        effects
    }

    /// Whether both show and hold the same, all of it durable and confirmed.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        let (Some(own), Some(others)) = (&self.mesh, &other.mesh) else { return false };
        let (own, others) = (own.machine().machines(), others.machine().machines());
        let is_confirmed = |machines: &Machines| {
            machines.consensus.as_ref().is_some_and(|consensus| {
                self.version.iter().all(|(replica, tip)| consensus.confirmed(replica) == tip.sequence)
            })
        };
        let agree = self.version == other.version
            && own.op_log.stored_version() == &self.version
            && others.op_log.stored_version() == &self.version
            && is_confirmed(own)
            && is_confirmed(others);
        if agree {
            assert_eq!(
                own.documents.state_hash(),
                others.documents.state_hash(),
                "the same, in the same state"
            );
        }
        agree
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(mesh) = &self.mesh else { return f.write_str("a node that is down") };
        let machines = mesh.machine().machines();
        let confirmed: Vec<u64> = machines.consensus.as_ref().map_or(Vec::new(), |consensus| {
            self.version.iter().map(|(replica, _)| consensus.confirmed(replica)).collect()
        });
        f.debug_struct("Node")
            .field("version", &self.version)
            .field("stored", machines.op_log.stored_version())
            .field("confirmed", &confirmed)
            .field("links", &machines.transport.links())
            .finish()
    }
}
