//! Randomness that is handed in.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use std::time::Duration;

/// Where a machine's randomness comes from: handed in once by the host, forked for each child.
#[derive(Clone)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A seed of 32 bytes: from the operating system on a real host, from the scenario in the simulator.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A seed made from a number, for tests and simulations.
    pub fn from_number(number: u64) -> Self {
        Self(blake3::derive_key("meshwork 2026 seed from number", &number.to_le_bytes()))
    }

    /// An independent seed for the child called `label`.
    pub fn fork(&self, label: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("meshwork 2026 seed fork");
        hasher.update(&self.0).update(label.as_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// The generator that this seed starts.
    pub fn random(&self) -> Random {
        Random(ChaCha12Rng::from_seed(self.0))
    }
}

/// Kept out of logs: seeds give keys.
impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// A deterministic generator (ChaCha with 12 rounds), started by a [`Seed`].
#[derive(Clone, Debug)]
pub struct Random(ChaCha12Rng);

impl Random {
    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`; zero when `bound` is zero. (Multiply and shift: the bias is below 2⁻⁶⁴ × bound.)
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.number()) * u128::from(bound)) >> 64) as u64
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        ((self.number() >> 11) as f64) < probability * (1u64 << 53) as f64
    }

    /// A duration from `low` up to, not including, `high`; `low` when the range is empty.
    pub fn duration(&mut self, low: Duration, high: Duration) -> Duration {
        let span = u64::try_from(high.saturating_sub(low).as_micros()).unwrap_or(u64::MAX);
        low + Duration::from_micros(self.below(span))
    }

    /// Random bytes, as for an id.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Not compiled anew for each length.
    #[inline(never)]
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_and_forks_differ() {
        let seed = Seed::from_number(7);
        let draw = |seed: &Seed| seed.random().bytes::<16>();
        assert_eq!(draw(&seed), draw(&seed.clone()));
        assert_ne!(draw(&seed.fork("a")), draw(&seed.fork("b")));
        assert_ne!(draw(&seed.fork("a")), draw(&seed));
    }

    #[test]
    fn draws_stay_in_their_range() {
        let mut random = Seed::from_number(1).random();
        for _ in 0..1000 {
            assert!(random.below(7) < 7);
            let low = Duration::from_millis(5);
            let span = random.duration(low, 2 * low);
            assert!(span >= low && span < 2 * low);
        }
        assert_eq!((random.below(0), random.chance(0.0), random.chance(1.0)), (0, false, true));
    }
}
