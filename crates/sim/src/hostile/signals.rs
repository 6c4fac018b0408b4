//! Signals that lead nowhere: what a hostile member has a hub carry, and what a hostile hub makes up.

use meshwork::Random;
use meshwork_discovery::{Signal, SignalKind};

/// So many bodies are remembered.
const REMEMBERED: usize = 64;

/// Bodies of signals that somebody meant.
#[derive(Default)]
pub(crate) struct Bodies {
    signals: Vec<Signal>,
    drawn: u64,
}

impl Bodies {
    /// A signal came by.
    pub(crate) fn hear(&mut self, signal: Signal) {
        if self.signals.len() == REMEMBERED {
            self.signals.remove(0);
        }
        self.signals.push(signal);
    }

    /// A signal that means nothing to whoever it goes to: its body is garbage, or was meant for somebody else or long
    /// ago; its number is one that could be next, or, with the chance of `wild`, the last that there is.
    pub(crate) fn draw(&mut self, random: &mut Random, longest: u64, wild: f64) -> Signal {
        self.drawn += 1;
        let old = self.signals.get(random.below(self.signals.len() as u64) as usize);
        let old = old.filter(|_| random.chance(0.6));
        let (kind, attempt, body) = match old {
            Some(Signal { kind, attempt, body }) => (Some(*kind), Some(*attempt), body.clone()),
            None => (None, None, garbage(random, longest)),
        };
        let any = [SignalKind::Offer, SignalKind::Answer, SignalKind::Candidate];
        let kind = kind.filter(|_| random.chance(0.7)).unwrap_or(any[random.below(3) as usize]);
        let number = match random.below(4) {
            _ if random.chance(wild) => u64::MAX - random.below(4),
            0 => random.below(40),
            _ => 2 * self.drawn + random.below(2),
        };
        Signal { attempt: attempt.filter(|_| random.chance(0.3)).unwrap_or(number), kind, body }
    }
}

fn garbage(random: &mut Random, longest: u64) -> String {
    let size = if random.chance(0.1) { longest } else { random.below(200) };
    let letters = ['v', '=', '0', '\r', '\n', 'a', ':', '\u{1b}', '😀', '"', '\\', '{'];
    (0..size).map(|_| letters[random.below(letters.len() as u64) as usize]).collect()
}
