//! One hostile node: what it does when.

use std::{sync::Arc, time::Duration};

use meshwork::{
    Bytes, Dot, Hash, NodeId, OpLog, Random, ReplicaId, Seed, SessionId, SpaceId, Timestamp, Tip,
};
use meshwork_consensus::{self as consensus, RECEIPT_FORMAT, Receipt, SignedReceipt};
use meshwork_discovery::Signal;
use meshwork_identity::KeyedHash;
use meshwork_op_log::{Entry, Message};
use meshwork_presence::{self as presence, Member, Rumour};
use meshwork_transport::LinkId;
use meshwork_wire::{Channel, Protocol};

use super::{
    Attack, Ledger, Overheard,
    author::{self, Author},
    frames, noise,
    shake::{Shaken, Shakes},
    signals::Bodies,
    slander::{self, Gossip},
    volley::{Shot, Volley},
};

/// An operation from the future is so far ahead.
const TEN_YEARS_MS: u64 = 10 * 365 * 86_400_000;
/// An author who is proved a liar more often than this is closed altogether, without further proofs.
const BRANCHED_MAX: usize = 8;
/// So many rounds make a flood, this far from each other.
const FLOOD_ROUNDS: u64 = 60;
const FLOOD_EVERY: Duration = Duration::from_millis(50);
/// What nobody will ever write.
pub(super) const NEVER: u64 = 1_000_000;

/// A hostile node's own side.
pub(crate) struct Adversary {
    attacks: Vec<Attack>,
    random: Random,
    overheard: Overheard,
    /// How many pairs of branches it has made.
    branched: usize,
    /// How many more rounds the present flood has.
    flood: u64,
    /// Writes the operations of floods.
    flooder: Author,
    /// What it sends in floods, other than operations.
    noise: Vec<(Channel, Bytes)>,
    gossip: Gossip,
    shakes: Shakes,
    bodies: Bodies,
}

/// A correct node that it is linked with.
#[derive(Clone, Copy)]
pub(crate) struct Prey {
    /// Its key's public half.
    pub(crate) node: NodeId,
    pub(crate) session: SessionId,
}

/// The world as it sees it.
pub(crate) struct View<'a> {
    /// Its own clock.
    pub(crate) now: Timestamp,
    pub(crate) space: SpaceId,
    /// Its own key.
    pub(crate) keys: &'a Arc<KeyedHash>,
    /// Its own session.
    pub(crate) session: SessionId,
    pub(crate) log: &'a OpLog,
    /// Who is here, as it believes.
    pub(crate) members: &'a [Member],
    pub(crate) prey: &'a [Prey],
    /// The correct nodes.
    pub(crate) victims: &'a [NodeId],
}

impl Adversary {
    pub(crate) fn new(attacks: Vec<Attack>, space: SpaceId, keys: &Arc<KeyedHash>, seed: &Seed) -> Self {
        Self {
            attacks,
            random: seed.fork("attacks").random(),
            overheard: Overheard::default(),
            branched: 0,
            flood: 0,
            flooder: Author::new(space, keys.clone(), &seed.fork("flood")),
            noise: Vec::new(),
            gossip: Gossip::default(),
            shakes: Shakes::default(),
            bodies: Bodies::default(),
        }
    }

    /// A frame came.
    pub(crate) fn hear(&mut self, space: SpaceId, channel: Channel, frame: &Bytes) {
        self.overheard.hear(space, channel, frame);
        if channel == Channel::Control {
            frames::open(channel, frame).iter().flatten().for_each(|envelope| self.shakes.hear(envelope));
        }
    }

    /// A signal came by way of the hub.
    pub(crate) fn hear_signal(&mut self, signal: Signal) {
        self.bodies.hear(signal);
    }

    /// What becomes of a frame that its machines send on a connection.
    pub(crate) fn shake(&mut self, link: LinkId, frame: &Bytes) -> Option<Shaken> {
        let shakes = self.attacks.contains(&Attack::Handshake);
        if shakes { self.shakes.shake(&mut self.random, link, frame) } else { None }
    }

    /// The signals that it has the hub carry in one round, mostly few.
    pub(crate) fn signals(&mut self, members: &[Member]) -> Vec<(SessionId, Signal)> {
        // So many that the hub ends the connection are few rounds: it takes time to come back.
        let count = if self.random.chance(0.004) { 1_200 } else { 1 + self.random.below(20) };
        let mut signals = Vec::new();
        for _ in 0..count {
            if let Some(to) = members.get(self.random.below(members.len() as u64) as usize) {
                signals.push((to.session, self.bodies.draw(&mut self.random, 5_000, 0.001)));
            }
        }
        signals
    }

    /// What it does now, if anything, and when it next does something.
    pub(crate) fn act(&mut self, view: &View<'_>, ledger: &mut Ledger) -> (Attack, Vec<Shot>, Duration) {
        let attack = self.attacks[self.random.below(self.attacks.len() as u64) as usize];
        if self.flood > 0 || (attack == Attack::Flood && !view.prey.is_empty()) {
            self.flood = self.flood.checked_sub(1).unwrap_or(FLOOD_ROUNDS);
            return (Attack::Flood, self.flood(view), FLOOD_EVERY);
        }
        let longest_ms = if attack == Attack::Signals { 300 } else { 2_000 };
        let pause = self.random.duration(Duration::from_millis(100), Duration::from_millis(longest_ms));
        self.gossip.learn(view.members);
        let shots = if view.prey.is_empty() { Vec::new() } else { self.attack(attack, view, ledger) };
        (attack, shots, pause)
    }

    fn attack(&mut self, attack: Attack, view: &View<'_>, ledger: &mut Ledger) -> Vec<Shot> {
        let to = self.random.below(view.prey.len() as u64) as usize;
        let volley = match attack {
            Attack::Garbage => {
                Some(frames::garbage(&mut self.random)).map(|(at, frames)| Volley::of(at, frames))
            }
            Attack::Oversized => {
                Some(frames::oversized(&mut self.random)).map(|(at, frames)| Volley::of(at, frames))
            }
            Attack::Bomb => Some(frames::bomb(&mut self.random)).map(|(at, frames)| Volley::of(at, frames)),
            Attack::Truncated => self
                .remembered()
                .map(|(channel, frame)| Volley::of(channel, vec![frames::damaged(&mut self.random, &frame)])),
            Attack::Forged => self.forge(view, view.prey[to].node, ledger),
            Attack::Replayed => return self.replay(view),
            Attack::Equivocation => return self.contradict(view, ledger),
            Attack::FalseReceipt => Some(self.overstate(view)),
            Attack::Future => self.publish(view, view.now.wall_ms + TEN_YEARS_MS, Vec::new()),
            Attack::MissingDependency => {
                let missing = self.missing(view);
                self.publish(view, view.now.wall_ms, missing)
            }
            Attack::Slander => {
                let lies = self.gossip.lie(&mut self.random, view);
                ledger.slandered.extend(lies.iter().map(|lie| lie.session));
                Some(rumours(lies))
            }
            Attack::Crowd => Some(rumours(self.gossip.crowd(&mut self.random, view.session))),
            Attack::ImpossiblePresence => {
                let said = slander::impossible(&mut self.random, view, view.prey[to].session);
                let frames = frames::wrap(Protocol::Presence, &said);
                Some(Volley::of(Channel::Control, frames).counted())
            }
            // These are made in floods, on links that are not up yet, and by way of the hub.
            Attack::Flood | Attack::Handshake | Attack::Signals => None,
        };
        volley.into_iter().flat_map(|volley| volley.at(to)).collect()
    }

    fn remembered(&mut self) -> Option<(Channel, Bytes)> {
        let at = self.random.below(self.overheard.frames.len() as u64) as usize;
        self.overheard.frames.get(at).filter(|(_, frame)| !frame.is_empty()).cloned()
    }

    /// A block of a correct node.
    fn stolen(&mut self, view: &View<'_>) -> Option<(NodeId, Bytes)> {
        let of_victims = |(author, _): &&(NodeId, Bytes)| view.victims.contains(author);
        let blocks: Vec<_> = self.overheard.blocks.iter().filter(of_victims).collect();
        blocks.get(self.random.below(blocks.len() as u64) as usize).map(|block| (*block).clone())
    }

    /// Something in another's name.
    fn forge(&mut self, view: &View<'_>, prey: NodeId, ledger: &mut Ledger) -> Option<Volley> {
        let wall_ms = view.now.wall_ms;
        let kind = self.random.below(6);
        if kind == 0 {
            return self.forge_receipt(view, prey);
        }
        let (victim, block) = self.stolen(view)?;
        let random = &mut self.random;
        let message = match kind {
            1 => {
                let second = author::tampered(random, &block)?;
                Message::Proof { first: block, second }
            }
            2 => new_blocks(author::tampered(random, &block)?),
            3 => {
                let forged = author::named(random, view.space, view.keys, victim, wall_ms)?;
                note_forged(ledger, &forged);
                new_blocks(forged.bytes().clone())
            }
            _ => {
                let tip = *view.log.version().tip(&author::replica(view.space, &block)?)?;
                let forged = author::continued(random, view.space, view.keys, (&block, tip), wall_ms)?;
                note_forged(ledger, &forged);
                new_blocks(forged.bytes().clone())
            }
        };
        Some(Volley::of(Channel::Live, frames::wrap(Protocol::OpLog, &message)).counted())
    }

    /// A receipt of another node for more than there is.
    fn forge_receipt(&mut self, view: &View<'_>, prey: NodeId) -> Option<Volley> {
        let others = self.overheard.receipts.values().filter(|receipt| receipt.node != prey);
        let others: Vec<_> = others.filter(|receipt| view.victims.contains(&receipt.node)).collect();
        let heard =
            others.get(self.random.below(others.len() as u64) as usize).map(|receipt| (*receipt).clone())?;
        let newer = self.random.chance(0.5);
        let forged = Receipt {
            epoch: heard.epoch + if newer { TEN_YEARS_MS } else { 0 },
            counter: heard.counter + NEVER,
            holds: self.beyond(view),
            ..heard
        };
        // One of the same incarnation may say nothing new, and is not looked at then.
        let volley = receipt(&forged, view)?;
        Some(if newer { volley.counted() } else { volley.innocent() })
    }

    /// Its own receipt for what it does not hold.
    fn overstate(&mut self, view: &View<'_>) -> Volley {
        let own = view.log.incarnation();
        let said = Receipt {
            format: RECEIPT_FORMAT,
            space: view.space,
            node: view.keys.node,
            epoch: own.epoch,
            replica: own.replica,
            counter: view.now.wall_ms + self.random.below(NEVER),
            holds: self.beyond(view),
        };
        receipt(&said, view).unwrap_or_else(|| Volley::of(Channel::Control, Vec::new()))
    }

    /// A version beyond what anybody holds.
    fn beyond(&mut self, view: &View<'_>) -> meshwork::Version {
        let mut holds = view.log.version().clone();
        let known: Vec<_> = holds.iter().map(|(replica, tip)| (*replica, tip.sequence)).collect();
        for (replica, sequence) in known {
            let sequence = sequence + self.random.below(100);
            if sequence > holds.sequence(&replica) {
                holds.set(replica, Tip { sequence, hash: Hash(self.random.bytes()) });
            }
        }
        let sequence = 1 + self.random.below(NEVER);
        holds.set(ReplicaId(self.random.bytes()), Tip { sequence, hash: Hash(self.random.bytes()) });
        holds
    }

    /// What somebody sent it, to anybody, and more than once.
    fn replay(&mut self, view: &View<'_>) -> Vec<Shot> {
        let mut shots = Vec::new();
        for to in 0..view.prey.len() {
            if let Some((channel, frame)) = self.remembered() {
                let times = 1 + self.random.below(3) as usize;
                shots.extend(Volley::of(channel, vec![frame; times]).innocent().at(to));
            }
        }
        shots
    }

    /// One replica, two beginnings: one for these, one for those.
    fn contradict(&mut self, view: &View<'_>, ledger: &mut Ledger) -> Vec<Shot> {
        if self.branched >= BRANCHED_MAX {
            return Vec::new();
        }
        self.branched += 1;
        let branches = author::branches(&mut self.random, view, ledger);
        let mut shots = Vec::new();
        let lone = view.prey.len() == 1;
        for to in 0..view.prey.len() {
            // The first two are told different things.
            let side = if to < 2 { to } else { self.random.below(2) as usize };
            let told = branches.iter().enumerate().filter(|(branch, _)| lone || *branch == side);
            for block in told.flat_map(|(_, branch)| branch) {
                let frames = frames::wrap(Protocol::OpLog, &new_blocks(block.clone()));
                shots.extend(Volley::of(Channel::Live, frames).innocent().at(to));
            }
        }
        shots
    }

    /// A validly signed operation of a new replica.
    fn publish(&mut self, view: &View<'_>, wall_ms: u64, dependencies: Vec<Dot>) -> Option<Volley> {
        let seed = Seed::from_number(self.random.number());
        let mut author = Author::new(view.space, view.keys.clone(), &seed);
        let entry = author.write(&mut self.random, wall_ms, dependencies)?;
        let frames = frames::wrap(Protocol::OpLog, &new_blocks(entry.bytes().clone()));
        Some(Volley::of(Channel::Live, frames).innocent())
    }

    /// Dots that never come.
    fn missing(&mut self, view: &View<'_>) -> Vec<Dot> {
        let mut dots = author::known(&mut self.random, view);
        if dots.is_empty() || self.random.chance(0.5) {
            dots.push(Dot::new(ReplicaId(self.random.bytes()), 1 + self.random.below(NEVER)));
        } else {
            dots.iter_mut().for_each(|dot| dot.sequence += NEVER);
        }
        dots.sort_unstable();
        dots.dedup_by_key(|dot| dot.replica);
        dots
    }

    /// One round of a flood: to everybody, as much of each kind as a link takes.
    fn flood(&mut self, view: &View<'_>) -> Vec<Shot> {
        if self.noise.is_empty() {
            self.noise = noise::draw(&mut self.random, view);
        }
        let entries: Vec<_> = (0..4)
            .filter_map(|_| self.flooder.write(&mut self.random, view.now.wall_ms, Vec::new()))
            .collect();
        let blocks = entries.iter().map(|entry| entry.bytes().clone()).collect();
        let blocks = frames::wrap(Protocol::OpLog, &Message::Blocks { wanted: false, blocks });
        let mut shots = Vec::new();
        for to in 0..view.prey.len() {
            shots.extend(Volley::of(Channel::Live, blocks.clone()).innocent().at(to));
            for _ in 0..20 {
                let at = self.random.below(self.noise.len() as u64) as usize;
                if let Some((channel, frame)) = self.noise.get(at).cloned() {
                    shots.extend(Volley::of(channel, vec![frame]).innocent().at(to));
                }
            }
        }
        shots
    }
}

fn rumours(rumours: Vec<Rumour>) -> Volley {
    let frames = frames::wrap(Protocol::Presence, &presence::Message::Rumours(rumours));
    Volley::of(Channel::Control, frames).innocent()
}

fn new_blocks(block: Bytes) -> Message {
    Message::Blocks { wanted: false, blocks: vec![block] }
}

fn note_forged(ledger: &mut Ledger, entry: &Entry) {
    for operation in entry.operations() {
        ledger.forged.entry(operation.dot).or_default().insert(operation.hash);
    }
}

fn receipt(said: &Receipt, view: &View<'_>) -> Option<Volley> {
    let signed = SignedReceipt::sign(said, &**view.keys).ok()?;
    let frames = frames::wrap(Protocol::Consensus, &consensus::Message::Receipt(signed));
    Some(Volley::of(Channel::Control, frames).innocent())
}
