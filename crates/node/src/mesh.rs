//! All machines of a node in one thread: what the simulator and browsers host.

use std::collections::VecDeque;

use meshwork_base::{Deadline, Machine, Timestamp, step};
use meshwork_consensus::{self as consensus, Consensus};
use meshwork_crdt_state::{self as documents, Documents};
use meshwork_discovery::{self as discovery, Discovery};
use meshwork_op_log::{self as op_log, OpLog};
use meshwork_presence::{self as presence, Presence};
use meshwork_transport::{self as transport, Transport};

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
    /// When each machine wants to be woken, by [`Part`]. It changes only when the machine is driven.
    deadlines: [Option<Deadline>; Part::COUNT],
    /// The machines were woken once: they may hold effects of their opening.
    opened: bool,
}

impl Mesh {
    /// A node of these machines.
    pub fn new(machines: Machines) -> Self {
        let Machines { op_log, documents, transport, presence, discovery, consensus } = &machines;
        let mut deadlines = [None; Part::COUNT];
        deadlines[Part::OpLog as usize] = op_log.poll_timeout();
        deadlines[Part::Documents as usize] = documents.poll_timeout();
        deadlines[Part::Transport as usize] = transport.poll_timeout();
        deadlines[Part::Presence as usize] = presence.as_ref().and_then(Machine::poll_timeout);
        deadlines[Part::Discovery as usize] = discovery.as_ref().and_then(Machine::poll_timeout);
        deadlines[Part::Consensus as usize] = consensus.as_ref().and_then(Machine::poll_timeout);
        let courier = Box::new(InOrder::default());
        Self { machines, courier, effects: VecDeque::new(), deadlines, opened: false }
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
        match message {
            Routed::OpLog(input) => self.drive_op_log(now, Some(input)),
            Routed::Documents(input) => self.drive_documents(now, Some(input)),
            Routed::Transport(input) => self.drive_transport(now, Some(input)),
            Routed::Presence(input) => self.drive_presence(now, Some(input)),
            Routed::Discovery(input) => self.drive_discovery(now, Some(input)),
            Routed::Consensus(input) => self.drive_consensus(now, Some(input)),
            Routed::Host(effect) => self.effects.push_back(effect),
        }
    }

    fn drive_op_log(&mut self, now: Timestamp, input: Option<op_log::Input>) {
        let mut post = posting(&mut self.courier, Part::OpLog);
        self.deadlines[Part::OpLog as usize] =
            step(&mut self.machines.op_log, now, input, |effect| route::from_op_log(effect, &mut post));
    }

    fn drive_documents(&mut self, now: Timestamp, input: Option<documents::Input>) {
        let mut post = posting(&mut self.courier, Part::Documents);
        self.deadlines[Part::Documents as usize] =
            step(&mut self.machines.documents, now, input, |effect| route::from_documents(effect, &mut post));
    }

    fn drive_transport(&mut self, now: Timestamp, input: Option<transport::Input>) {
        let mut post = posting(&mut self.courier, Part::Transport);
        self.deadlines[Part::Transport as usize] =
            step(&mut self.machines.transport, now, input, |effect| route::from_transport(effect, &mut post));
    }

    fn drive_presence(&mut self, now: Timestamp, input: Option<presence::Input>) {
        let Some(presence) = &mut self.machines.presence else { return };
        let mut post = posting(&mut self.courier, Part::Presence);
        self.deadlines[Part::Presence as usize] =
            step(presence, now, input, |effect| route::from_presence(effect, &mut post));
    }

    fn drive_discovery(&mut self, now: Timestamp, input: Option<discovery::Input>) {
        let Some(discovery) = &mut self.machines.discovery else { return };
        let mut post = posting(&mut self.courier, Part::Discovery);
        self.deadlines[Part::Discovery as usize] =
            step(discovery, now, input, |effect| route::from_discovery(effect, &mut post));
    }

    fn drive_consensus(&mut self, now: Timestamp, input: Option<consensus::Input>) {
        let Some(consensus) = &mut self.machines.consensus else { return };
        let mut post = posting(&mut self.courier, Part::Consensus);
        self.deadlines[Part::Consensus as usize] =
            step(consensus, now, input, |effect| route::from_consensus(effect, &mut post));
    }

    /// Wakes every machine that is due; all of them the first time.
    fn wake(&mut self, now: Timestamp) {
        let first = !std::mem::replace(&mut self.opened, true);
        let due =
            self.deadlines.map(|deadline| first || deadline.is_some_and(|deadline| deadline.is_due(now)));
        let is_due = |part: Part| due[part as usize];
        if is_due(Part::OpLog) {
            self.drive_op_log(now, None);
        }
        if is_due(Part::Documents) {
            self.drive_documents(now, None);
        }
        if is_due(Part::Transport) {
            self.drive_transport(now, None);
        }
        if is_due(Part::Presence) {
            self.drive_presence(now, None);
        }
        if is_due(Part::Discovery) {
            self.drive_discovery(now, None);
        }
        if is_due(Part::Consensus) {
            self.drive_consensus(now, None);
        }
    }
}

/// Takes what a machine sends.
fn posting(courier: &mut Box<dyn Courier>, from: Part) -> impl FnMut(Routed) + '_ {
    move |message| courier.post(Letter { from, message })
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
        self.deadlines.into_iter().fold(None, Deadline::earliest)
    }
}
