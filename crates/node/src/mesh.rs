//! All machines of a node in one thread: what the simulator and browsers host.

use std::collections::VecDeque;

use meshwork_base::{Deadline, Machine, Random, Timestamp, step};
use meshwork_consensus::Consensus;
use meshwork_crdt_state::Documents;
use meshwork_discovery::Discovery;
use meshwork_op_log::OpLog;
use meshwork_presence::Presence;
use meshwork_transport::Transport;

use crate::{
    Effect, Input,
    route::{self, Routed},
};

/// The machines of one node. Presence, discovery and consensus may be left out.
pub struct Machines {
    /// The log.
    pub op_log: OpLog,
    /// The documents.
    pub documents: Documents,
    /// The links.
    pub transport: Transport,
    /// Who is here.
    pub presence: Option<Presence>,
    /// Who can be found.
    pub discovery: Option<Discovery>,
    /// Who has stored what.
    pub consensus: Option<Consensus>,
}

/// One machine's name, for ordering what waits between two of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Part {
    Host,
    OpLog,
    Documents,
    Transport,
    Presence,
    Discovery,
    Consensus,
}

/// A whole node as one machine, by the routes of [`route`].
///
/// Messages between two machines keep their order. Those of different pairs come in the order in which they were sent,
/// or, with a [`shuffle`](Self::with_shuffle), in a seeded one: as actors do by chance.
pub struct Mesh {
    machines: Machines,
    waiting: VecDeque<(Part, Part, Routed)>,
    effects: VecDeque<Effect>,
    shuffle: Option<Random>,
}

impl Mesh {
    /// A node of these machines.
    pub fn new(machines: Machines) -> Self {
        Self { machines, waiting: VecDeque::new(), effects: VecDeque::new(), shuffle: None }
    }

    /// Interleaves the messages of different pairs of machines by chance.
    #[must_use]
    pub fn with_shuffle(mut self, random: Random) -> Self {
        self.shuffle = Some(random);
        self
    }

    /// The machines, to ask them questions.
    pub fn machines(&self) -> &Machines {
        &self.machines
    }

    /// Delivers what waits between the machines until nothing does.
    fn settle(&mut self, now: Timestamp) {
        while let Some((_, to, message)) = self.next() {
            self.deliver(now, to, message);
        }
    }

    fn next(&mut self) -> Option<(Part, Part, Routed)> {
        let Some(random) = &mut self.shuffle else { return self.waiting.pop_front() };
        let mut heads: Vec<(usize, (Part, Part))> = Vec::new();
        for (index, (from, to, _)) in self.waiting.iter().enumerate() {
            if !heads.iter().any(|(_, pair)| *pair == (*from, *to)) {
                heads.push((index, (*from, *to)));
            }
        }
        let chosen = random.below(heads.len() as u64) as usize;
        self.waiting.remove(heads.get(chosen)?.0)
    }

    fn deliver(&mut self, now: Timestamp, part: Part, message: Routed) {
        let Self { machines, waiting, .. } = self;
        let mut to = |routed| waiting.push_back((part, destination(&routed), routed));
        match message {
            Routed::OpLog(input) => {
                step(&mut machines.op_log, now, Some(input), |effect| route::from_op_log(effect, &mut to));
            }
            Routed::Documents(input) => {
                step(&mut machines.documents, now, Some(input), |effect| {
                    route::from_documents(effect, &mut to)
                });
            }
            Routed::Transport(input) => {
                step(&mut machines.transport, now, Some(input), |effect| {
                    route::from_transport(effect, &mut to)
                });
            }
            Routed::Presence(input) => {
                if let Some(presence) = &mut machines.presence {
                    step(presence, now, Some(input), |effect| route::from_presence(effect, &mut to));
                }
            }
            Routed::Discovery(input) => {
                if let Some(discovery) = &mut machines.discovery {
                    step(discovery, now, Some(input), |effect| route::from_discovery(effect, &mut to));
                }
            }
            Routed::Consensus(input) => {
                if let Some(consensus) = &mut machines.consensus {
                    step(consensus, now, Some(input), |effect| route::from_consensus(effect, &mut to));
                }
            }
            Routed::Host(effect) => self.effects.push_back(effect),
        }
    }

    /// Wakes every machine that is due (all of them, before the first input: they may hold effects of their opening).
    fn wake(&mut self, now: Timestamp) {
        let Self { machines, waiting, .. } = self;
        let mut to = |part, routed| waiting.push_back((part, destination(&routed), routed));
        step(&mut machines.op_log, now, None, |e| route::from_op_log(e, |r| to(Part::OpLog, r)));
        step(&mut machines.documents, now, None, |e| route::from_documents(e, |r| to(Part::Documents, r)));
        step(&mut machines.transport, now, None, |e| route::from_transport(e, |r| to(Part::Transport, r)));
        if let Some(presence) = &mut machines.presence {
            step(presence, now, None, |e| route::from_presence(e, |r| to(Part::Presence, r)));
        }
        if let Some(discovery) = &mut machines.discovery {
            step(discovery, now, None, |e| route::from_discovery(e, |r| to(Part::Discovery, r)));
        }
        if let Some(consensus) = &mut machines.consensus {
            step(consensus, now, None, |e| route::from_consensus(e, |r| to(Part::Consensus, r)));
        }
    }
}

/// Where a message goes.
fn destination(message: &Routed) -> Part {
    match message {
        Routed::OpLog(_) => Part::OpLog,
        Routed::Documents(_) => Part::Documents,
        Routed::Presence(_) => Part::Presence,
        Routed::Discovery(_) => Part::Discovery,
        Routed::Transport(_) => Part::Transport,
        Routed::Consensus(_) => Part::Consensus,
        Routed::Host(_) => Part::Host,
    }
}

impl Machine for Mesh {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Timestamp, input: Input) {
        let waiting = &mut self.waiting;
        route::from_host(input, |routed| waiting.push_back((Part::Host, destination(&routed), routed)));
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.wake(now);
        self.settle(now);
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        let Machines { op_log, documents, transport, presence, discovery, consensus } = &self.machines;
        [
            op_log.poll_timeout(),
            documents.poll_timeout(),
            transport.poll_timeout(),
            presence.as_ref().and_then(Machine::poll_timeout),
            discovery.as_ref().and_then(Machine::poll_timeout),
            consensus.as_ref().and_then(Machine::poll_timeout),
        ]
        .into_iter()
        .fold(None, Deadline::earliest)
    }
}
