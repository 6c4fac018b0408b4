//! All machines of a node in one thread: what the simulator and browsers host.

use std::collections::VecDeque;

use meshwork_base::{Deadline, Machine, Timestamp, step};
use meshwork_consensus::Consensus;
use meshwork_crdt_state::Documents;
use meshwork_discovery::Discovery;
use meshwork_op_log::OpLog;
use meshwork_presence::Presence;
use meshwork_transport::Transport;

use crate::{
    Effect, Input,
    courier::{Courier, InOrder, Letter, Part},
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

/// A whole node as one machine, by the routes of [`route`].
///
/// Messages between the machines come in the order in which they were sent, unless another [`Courier`] carries them.
pub struct Mesh {
    machines: Machines,
    courier: Box<dyn Courier>,
    effects: VecDeque<Effect>,
}

impl Mesh {
    /// A node of these machines.
    pub fn new(machines: Machines) -> Self {
        Self { machines, courier: Box::new(InOrder::default()), effects: VecDeque::new() }
    }

    /// Lets somebody else carry the messages between the machines.
    #[must_use]
    pub fn with_courier(self, courier: impl Courier + 'static) -> Self {
        Self { courier: Box::new(courier), ..self }
    }

    /// The machines, to ask them questions.
    pub fn machines(&self) -> &Machines {
        &self.machines
    }

    /// Delivers what waits between the machines until nothing does.
    fn settle(&mut self, now: Timestamp) {
        while let Some(letter) = self.courier.next() {
            self.deliver(now, letter.message);
        }
    }

    fn deliver(&mut self, now: Timestamp, message: Routed) {
        let Self { machines, courier, .. } = self;
        let from = message.destination();
        let mut to = |message| courier.post(Letter { from, message });
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
        let Self { machines, courier, .. } = self;
        let mut to = |from, message| courier.post(Letter { from, message });
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

impl Machine for Mesh {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Timestamp, input: Input) {
        let courier = &mut self.courier;
        route::from_host(input, |message| courier.post(Letter { from: Part::Host, message }));
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
