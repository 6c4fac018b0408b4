//! Two whole nodes and a hub, and everything between them: what arrives when, what is lost, forged and cut, when
//! power fails. Afterwards they agree.

mod node;
mod wires;

use std::time::Duration;

use meshwork::{Command, Deadline, DocumentId, Edit, Effect, Event, Input, RequestId, Timestamp};
use meshwork_wire::{FrameWriter, Protocol, seal_datagram};
use serde::{Deserialize, Serialize};

use self::{
    node::Node,
    wires::{Lane, Wires},
};
use crate::{
    driven::{self, Passing},
    script,
};

/// What may happen. `at` is one of the two.
#[derive(Debug, Serialize, Deserialize)]
pub enum Step {
    /// A node edits.
    Edit { at: u8, kind: u8, path: u8, value: u8 },
    /// A node edits many times.
    Burst { at: u8, count: u8 },
    /// What is under way arrives, so many rounds of it.
    Run { rounds: u8 },
    /// The oldest thing of one lane arrives.
    Next { lane: u8 },
    /// A bit of the next frame for a node flips.
    Corrupt { at: u8, byte: u8, bits: u8 },
    /// A frame for a node that nobody sent.
    Frame { at: u8, channel: u8 },
    /// A message for a node's machine that nobody sent.
    Message { at: u8, channel: u8, protocol: u8 },
    /// The hub says text to a node.
    HubText { at: u8 },
    /// The hub restarts.
    HubRestart,
    /// Nothing passes between the nodes, or everything again.
    Cut { on: u8 },
    /// Their connections break.
    Disconnect,
    /// A node loses power; some writes that were under way became durable.
    Crash { at: u8, kept: u8 },
    /// A node that is down starts.
    Start { at: u8 },
    /// A node is asked to close.
    Close { at: u8 },
    /// A node's application says what it does.
    Status { at: u8, away: u8 },
    /// A node's application shows a value.
    Show { at: u8, ttl: u8 },
    /// A node's application wants versions compared.
    Compare { at: u8 },
    /// Time passes, while what is under way arrives (or not).
    Pass { how: u8, stuck: u8 },
}

impl script::Step for Step {
    const KINDS: u8 = 18;
}

/// Runs a fuzz input.
pub fn run(data: &[u8]) {
    /// More would take seconds and show nothing new.
    const STEPS_MAX: usize = 150;
    let mut world = World::new();
    for (step, bytes) in script::steps(data).take(STEPS_MAX) {
        world.happen(step, bytes);
    }
    world.agree();
}

/// Virtual time awake for one input: each second costs some hundred steps.
const AWAKE_MAX: Duration = Duration::from_secs(120);
/// Bans, refusals and backoff are over by then.
const SETTLE_MAX: Duration = Duration::from_secs(300);

struct World {
    now: Timestamp,
    nodes: [Node; 2],
    wires: Wires,
    awake: Duration,
    requests: u64,
    /// Nobody forged anything yet, so nobody may be accused.
    honest: bool,
}

impl World {
    fn new() -> Self {
        let (now, nodes, wires) = (driven::start(), [Node::new(0), Node::new(1)], Wires::new());
        let mut world = Self { now, nodes, wires, awake: Duration::ZERO, requests: 0, honest: true };
        world.start(0);
        world.start(1);
        world
    }

    fn happen(&mut self, step: Step, bytes: &[u8]) {
        match step {
            Step::Edit { at, kind, path, value } => {
                let path = vec![["a", "b", "c"][usize::from(path % 3)].to_owned()];
                let value = i64::from(value);
                let edit = match kind % 4 {
                    0 => Edit::Set { path, value: value.into() },
                    1 => Edit::Increment { path, by: value },
                    2 => Edit::Add { path, value: value.into() },
                    _ => Edit::Delete { path },
                };
                self.command(at, |request| Command::Edit {
                    request,
                    document: document(),
                    edits: vec![edit],
                });
            }
            Step::Burst { at, count } => {
                let edit = |number: u8| vec![Edit::set([format!("key {number}")], "x".repeat(number.into()))];
                let transactions: Vec<_> = (0..count).map(edit).collect();
                self.command(at, |request| Command::EditMany { request, document: document(), transactions });
            }
            Step::Run { rounds } => {
                for _ in 0..rounds {
                    self.round();
                }
            }
            Step::Next { lane } => {
                let busy: Vec<Lane> = self.wires.busy().collect();
                busy.get(usize::from(lane) % busy.len().max(1))
                    .into_iter()
                    .for_each(|lane| self.arrive(*lane));
            }
            Step::Corrupt { at, byte, bits } => {
                if let Some(frame) = self.wires.next_frame(usize::from(at % 2)) {
                    let mut bytes = frame.to_vec();
                    let place = usize::from(byte) % bytes.len().max(1);
                    bytes.get_mut(place).into_iter().for_each(|byte| *byte ^= bits);
                    *frame = bytes.into();
                    self.honest = false;
                }
            }
            Step::Frame { at, channel } => {
                self.honest = false;
                self.wires.forge(usize::from(at % 2), channel, bytes.to_vec().into());
            }
            Step::Message { at, channel, protocol } => {
                self.honest = false;
                let protocols = [Protocol::Link, Protocol::OpLog, Protocol::Presence, Protocol::Consensus];
                let frame = match protocols.get(usize::from(protocol) % (protocols.len() + 1)) {
                    Some(protocol) => {
                        let mut writer = FrameWriter::default();
                        let pushed = writer.push(*protocol, bytes.to_vec().into());
                        pushed.ok().and_then(|()| writer.finish())
                    }
                    None => seal_datagram(Protocol::Ephemeral, bytes).ok(),
                };
                frame.into_iter().for_each(|frame| self.wires.forge(usize::from(at % 2), channel, frame));
            }
            Step::HubText { at } => {
                self.honest = false;
                self.wires.forge_hub(usize::from(at % 2), &String::from_utf8_lossy(bytes));
            }
            Step::HubRestart => self.wires.restart_hub(),
            Step::Cut { on } => self.wires.cut = on % 2 == 1,
            Step::Disconnect => self.wires.disconnect(),
            Step::Crash { at, kept } => {
                let at = usize::from(at % 2);
                self.wires.gone(at);
                self.nodes[at].crash(kept.into());
            }
            Step::Start { at } => self.start(usize::from(at % 2)),
            Step::Close { at } => self.command(at, |_| Command::Close),
            Step::Status { at, away } => {
                let status = String::from_utf8_lossy(bytes).into_owned();
                self.command(at, |_| Command::SetStatus(status));
                self.command(at, |_| Command::SetAway(away % 2 == 1));
            }
            Step::Show { at, ttl } => {
                let (value, ttl_ms) = (bytes.to_vec().into(), 250 * u64::from(ttl));
                self.command(at, |_| Command::SetEphemeral { key: "cursor".into(), value, ttl_ms });
            }
            Step::Compare { at } => self.command(at, |_| Command::Sync),
            Step::Pass { how, stuck } => self.pass(Passing::chosen(how), stuck % 2 == 1),
        }
    }

    fn command(&mut self, at: u8, command: impl FnOnce(RequestId) -> Command) {
        self.requests += 1;
        let command = command(RequestId(self.requests));
        self.tell(usize::from(at % 2), Some(Input::Command(command)));
    }

    fn start(&mut self, at: usize) {
        if !self.nodes[at].is_up() {
            self.nodes[at].start(self.now);
            self.tell(at, None);
            self.tell(at, Some(Input::Command(Command::Start)));
        }
    }

    /// Tells a node something, or that time has passed.
    fn tell(&mut self, at: usize, input: Option<Input>) {
        for effect in self.nodes[at].tell(self.now, input) {
            match effect {
                Effect::Connection { link, action } => self.wires.perform(self.nodes[at].end(link), action),
                Effect::Hub { action, .. } => self.wires.hub_action(at, action),
                Effect::Edited { result: Ok(dot), .. } => {
                    // One that was neither sent nor acknowledged may be lost, and its id free again.
                    assert!(!self.nodes[1 - at].version.contains(dot), "an operation's id is used twice");
                }
                Effect::Event(Event::Confirmed { up_to, .. }) => {
                    assert!(self.nodes[1 - at].stored.contains(up_to), "{up_to} is confirmed by nobody");
                }
                Effect::Event(Event::Misbehaved { reason, .. }) => {
                    assert!(!self.honest, "a correct peer is accused: {reason}");
                }
                Effect::Event(Event::Equivocation { dot, .. }) => {
                    panic!("a correct author is said to have signed two operations {dot}");
                }
                _ => {}
            }
        }
        self.wires.persisting(at, self.nodes[at].writes.len());
        if self.nodes[at].has_closed() {
            self.wires.gone(at);
            self.nodes[at].crash(0);
        }
    }

    /// The oldest thing of a lane arrives.
    fn arrive(&mut self, lane: Lane) {
        if let Lane::Disk(at) = lane {
            let written = self.nodes[at].sync();
            return written.into_iter().for_each(|write| self.tell(at, Some(Input::Persisted { write })));
        }
        if let Some((at, input)) = self.wires.arrive(self.now, lane, &self.nodes) {
            self.tell(at, Some(input));
        }
    }

    /// One thing of each lane arrives; returns whether there was any.
    fn round(&mut self) -> bool {
        let busy: Vec<Lane> = self.wires.busy().collect();
        busy.iter().for_each(|lane| self.arrive(*lane));
        !busy.is_empty()
    }

    /// Everything arrives, and what follows from it.
    fn run(&mut self) {
        for round in 0.. {
            assert!(round < 20_000, "it never comes to rest");
            if !self.round() {
                break;
            }
        }
    }

    fn pass(&mut self, passing: Passing, stuck: bool) {
        match passing {
            Passing::Awake(span) => {
                let span = span.min(AWAKE_MAX.saturating_sub(self.awake));
                self.awake += span;
                self.wait(span, stuck);
            }
            Passing::Asleep(span) => {
                self.now = self.now.after(span);
                self.tell(0, None);
                self.tell(1, None);
                self.wires.wake_hub(self.now);
            }
            Passing::SetBack => self.now = Passing::set_back(self.now),
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        let nodes = self.nodes.iter().map(Node::deadline);
        nodes.fold(self.wires.hub_deadline(), Deadline::earliest)
    }

    fn wait(&mut self, span: Duration, stuck: bool) {
        let (begin, end) = (self.now, self.now.after(span));
        let mut wakes = 0;
        loop {
            if !stuck {
                self.run();
            }
            let Some(deadline) = self.deadline().filter(|deadline| deadline.is_due(end)) else { break };
            wakes += 1;
            assert!(wakes <= 10 * Passing::wakes_max(span), "a busy loop: {deadline:?}");
            self.now = begin.after(deadline.at.max(self.now.monotonic).since(begin.monotonic));
            for at in [0, 1] {
                if self.nodes[at].deadline().is_some_and(|deadline| deadline.is_due(self.now)) {
                    self.tell(at, None);
                }
            }
            self.wires.wake_hub(self.now);
        }
        self.now = end;
    }

    /// When nothing fails any more, both come to hold the same, and all of it is confirmed.
    fn agree(&mut self) {
        self.wires.cut = false;
        if !self.honest {
            // DTLS lets nothing be changed on its way, so no link makes up for it: a receipt is sent once.
            self.wires.disconnect();
        }
        let end = self.now.after(SETTLE_MAX);
        while self.now.monotonic < end.monotonic {
            self.start(0);
            self.start(1);
            self.wait(Duration::from_millis(500), false);
            if self.nodes[0].agrees_with(&self.nodes[1]) {
                return;
            }
        }
        panic!("they do not agree: {:?} and {:?}", self.nodes[0], self.nodes[1]);
    }
}

fn document() -> DocumentId {
    DocumentId::new("app").expect("a short name")
}
