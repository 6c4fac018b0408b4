//! What the network between the hosts is like at the moment, and so what becomes of each packet.

use std::{collections::BTreeMap, time::Duration};

use meshwork_base::Random;
use serde::Serialize;

/// What can be wrong in one direction between two hosts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Condition {
    /// Nothing arrives.
    Cut,
    /// This share of the packets does not arrive.
    Loss(f64),
    /// Packets take this long, and up to the jitter longer, so that they overtake each other.
    Delay { by: Duration, jitter: Duration },
}

/// A condition on the way from one host to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spell {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) condition: Condition,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    Dropped,
    Delivered { after: Duration },
}

/// Packets, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Packets {
    pub(crate) forwarded: u64,
    pub(crate) cut: u64,
    pub(crate) lost: u64,
    /// Of those forwarded.
    pub(crate) delayed: u64,
    /// More were under way at once than the router holds.
    pub(crate) overflowed: u64,
}

/// All that is wrong at the moment. Cuts win, losses are independent of each other, delays add up.
#[derive(Debug)]
pub(crate) struct Weather {
    begun: u64,
    active: BTreeMap<u64, Vec<Spell>>,
    random: Random,
    pub(crate) packets: Packets,
}

impl Weather {
    pub(crate) fn new(random: Random) -> Self {
        Self { begun: 0, active: BTreeMap::new(), random, packets: Packets::default() }
    }

    /// From now on these hold, until [`Weather::end`] is told the number returned.
    pub(crate) fn begin(&mut self, spells: Vec<Spell>) -> u64 {
        self.begun += 1;
        self.active.insert(self.begun, spells);
        self.begun
    }

    pub(crate) fn end(&mut self, number: u64) {
        self.active.remove(&number);
    }

    /// Decides about one packet, and counts it.
    pub(crate) fn fate(&mut self, from: usize, to: usize) -> Fate {
        let mut after = Duration::ZERO;
        for spell in self.active.values().flatten().filter(|spell| (spell.from, spell.to) == (from, to)) {
            match spell.condition {
                Condition::Cut => {
                    self.packets.cut += 1;
                    return Fate::Dropped;
                }
                Condition::Loss(share) if self.random.chance(share) => {
                    self.packets.lost += 1;
                    return Fate::Dropped;
                }
                Condition::Loss(_) => {}
                Condition::Delay { by, jitter } => after += self.random.duration(by, by + jitter),
            }
        }
        self.packets.forwarded += 1;
        self.packets.delayed += u64::from(!after.is_zero());
        Fate::Delivered { after }
    }
}

#[cfg(test)]
mod tests {
    use meshwork_base::Seed;

    use super::*;

    const AT_ONCE: Fate = Fate::Delivered { after: Duration::ZERO };

    fn weather() -> Weather {
        Weather::new(Seed::from_number(1).random())
    }

    #[test]
    fn a_cut_holds_in_its_direction_until_it_ends() {
        let mut weather = weather();
        let cut = weather.begin(vec![Spell { from: 1, to: 2, condition: Condition::Cut }]);
        assert_eq!(
            (weather.fate(1, 2), weather.fate(2, 1), weather.fate(1, 3)),
            (Fate::Dropped, AT_ONCE, AT_ONCE)
        );
        weather.end(cut);
        assert_eq!(weather.fate(1, 2), AT_ONCE);
        assert_eq!(weather.packets, Packets { forwarded: 3, cut: 1, ..Packets::default() });
    }

    #[test]
    fn losses_take_about_their_share_and_delays_add_up() {
        let mut weather = weather();
        weather.begin(vec![Spell { from: 0, to: 1, condition: Condition::Loss(0.25) }]);
        let lost = (0..10_000).filter(|_| weather.fate(0, 1) == Fate::Dropped).count();
        assert!((2_300..2_700).contains(&lost), "{lost}");
        let ms = Duration::from_millis;
        for by in [ms(10), ms(200)] {
            let delay = Condition::Delay { by, jitter: ms(5) };
            weather.begin(vec![Spell { from: 2, to: 3, condition: delay }]);
        }
        for _ in 0..100 {
            let Fate::Delivered { after } = weather.fate(2, 3) else { panic!("lost without loss") };
            assert!(after >= ms(210) && after < ms(220), "{after:?}");
        }
        assert_eq!(weather.packets.delayed, 100);
    }
}
