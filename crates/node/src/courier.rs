//! Who carries messages between the machines of a [`Mesh`](crate::Mesh), and in which order.

use std::collections::VecDeque;

use meshwork_base::Random;

use crate::route::Routed;

/// A machine of a node, or its host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// The host.
    Host,
    /// The log.
    OpLog,
    /// The documents.
    Documents,
    /// The links.
    Transport,
    /// Who is here.
    Presence,
    /// Who can be found.
    Discovery,
    /// Who has stored what.
    Consensus,
}

impl Part {
    /// How many there are.
    pub(crate) const COUNT: usize = 7;
}

/// A message under way.
#[derive(Debug)]
pub struct Letter {
    /// Who sent it.
    pub from: Part,
    /// What it says; that also says to whom.
    pub message: Routed,
}

/// Carries letters. It may interleave those of different pairs in any way; those between two parts keep their order.
pub trait Courier: Send {
    /// Takes a letter.
    fn post(&mut self, letter: Letter);

    /// Hands out the next one; `None` when none is under way.
    fn next(&mut self) -> Option<Letter>;
}

/// First come, first served.
#[derive(Default, Debug)]
pub struct InOrder(VecDeque<Letter>);

impl Courier for InOrder {
    fn post(&mut self, letter: Letter) {
        self.0.push_back(letter);
    }

    fn next(&mut self) -> Option<Letter> {
        self.0.pop_front()
    }
}

/// Interleaves the letters of different pairs by chance, as actors do.
#[derive(Debug)]
pub struct Shuffled {
    random: Random,
    /// What waits from each part (row) to each other (column).
    queues: [[VecDeque<Letter>; Part::COUNT]; Part::COUNT],
    /// The pairs between which something waits.
    pairs: Vec<(Part, Part)>,
}

impl Shuffled {
    /// A courier that draws from `random`.
    pub fn new(random: Random) -> Self {
        Self { random, queues: Default::default(), pairs: Vec::new() }
    }
}

impl Courier for Shuffled {
    fn post(&mut self, letter: Letter) {
        let (from, to) = (letter.from, letter.message.destination());
        let queue = &mut self.queues[from as usize][to as usize];
        if queue.is_empty() {
            self.pairs.push((from, to));
        }
        queue.push_back(letter);
    }

    fn next(&mut self) -> Option<Letter> {
        let chosen = match self.pairs.len() {
            0 | 1 => 0,
            many => self.random.below(many as u64) as usize,
        };
        let (from, to) = *self.pairs.get(chosen)?;
        let queue = &mut self.queues[from as usize][to as usize];
        let letter = queue.pop_front();
        if queue.is_empty() {
            self.pairs.swap_remove(chosen);
        }
        letter
    }
}
