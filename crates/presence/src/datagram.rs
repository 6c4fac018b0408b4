//! What peers show each other for a while, in datagrams of which any may be lost, late or there twice.

use std::collections::BTreeSet;

use meshwork_base::Bytes;
use serde::{Deserialize, Serialize};

use crate::{PresenceError, member::check_text};

/// The most values that a session shows at a time.
pub const VALUES_MAX: usize = 32;

/// The longest key of a value, in bytes of UTF-8.
pub const VALUE_KEY_BYTES_MAX: usize = 64;

/// The longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 768;

/// All keys and values of a session together, in bytes.
pub const SESSION_VALUES_BYTES_MAX: usize = 16 * 1024;

/// The longest time to live, in milliseconds.
pub const VALUE_TTL_MS_MAX: u64 = 3_600_000;

/// One datagram. A variant's number never changes its meaning; a new format is a new variant.
///
/// It stands alone: whoever has seen nothing else of the sender learns from it which of the sender's values live, and
/// some of these. So nothing has to be said of those that do not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Datagram {
    /// "This is what I show."
    Values {
        /// Grows with everything that happens to the sender's values.
        version: u64,
        /// The counters of all values that live in this version, from the newest to the oldest, each as its distance
        /// from the one before; the first as its distance from `version`.
        living: Vec<u64>,
        /// Some of the living values.
        shown: Vec<Shown>,
    },
}

/// One living value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shown {
    /// Its place among the living.
    pub place: u8,
    /// Its key: 1 to [`VALUE_KEY_BYTES_MAX`] bytes, no control characters.
    pub key: String,
    /// How long it still lives, in milliseconds.
    pub ttl_ms: u32,
    /// It; at most [`VALUE_BYTES_MAX`].
    pub value: Bytes,
}

/// The content of a [`Datagram`], checked.
pub(crate) struct Snapshot {
    pub(crate) version: u64,
    /// The counters of all living values.
    pub(crate) living: BTreeSet<u64>,
    /// Some of the living values, by counter.
    pub(crate) shown: Vec<(u64, Shown)>,
}

impl Datagram {
    /// Of living counters in descending order, none above `version`.
    pub(crate) fn new(version: u64, counters: &[u64], shown: Vec<Shown>) -> Self {
        let mut above = version;
        let living = counters.iter().map(|counter| std::mem::replace(&mut above, *counter) - counter);
        Self::Values { version, living: living.collect(), shown }
    }

    /// What it says, if a correct peer can have said it.
    pub(crate) fn read(self) -> Result<Snapshot, PresenceError> {
        let Self::Values { version, living, shown } = self;
        if living.len() > VALUES_MAX {
            return Err(PresenceError::Values { count: living.len(), limit: VALUES_MAX });
        }
        let mut counters = Vec::with_capacity(living.len());
        let mut counter = version;
        for (place, distance) in living.into_iter().enumerate() {
            let next = counter.checked_sub(distance).filter(|_| place == 0 || distance > 0);
            counter = next.ok_or(PresenceError::Counters)?;
            counters.push(counter);
        }
        if shown.len() > counters.len() {
            return Err(PresenceError::Counters);
        }
        let of = |shown: Shown| {
            let counter = counters.get(usize::from(shown.place)).ok_or(PresenceError::Counters)?;
            shown.check()?;
            Ok((*counter, shown))
        };
        let shown = shown.into_iter().map(of).collect::<Result<_, PresenceError>>()?;
        Ok(Snapshot { version, living: counters.into_iter().collect(), shown })
    }
}

impl Shown {
    fn check(&self) -> Result<(), PresenceError> {
        check_value(&self.key, self.value.len(), VALUE_BYTES_MAX)?;
        check_ttl(self.ttl_ms.into(), 1, VALUE_TTL_MS_MAX)
    }

    /// How many bytes it takes on the wire, not too few.
    pub(crate) fn weight(&self) -> usize {
        // The place, both lengths (a key's takes one byte) and the time to live.
        1 + 1 + 3 + 5 + self.key.len() + self.value.len()
    }
}

/// How many bytes a datagram with so many living values takes before any is shown, not too few.
pub(crate) fn bare_weight(living: usize) -> usize {
    // The variant, both numbers of elements, and numbers of full length.
    1 + 1 + 1 + 9 * (1 + living)
}

pub(crate) fn check_value(key: &str, size: usize, limit: usize) -> Result<(), PresenceError> {
    if key.is_empty() {
        return Err(PresenceError::NoKey);
    }
    check_text("value's key", key, VALUE_KEY_BYTES_MAX)?;
    if size > limit {
        return Err(PresenceError::TooLong { what: "value", size, limit });
    }
    Ok(())
}

pub(crate) fn check_ttl(ttl_ms: u64, least: u64, most: u64) -> Result<(), PresenceError> {
    if (least..=most).contains(&ttl_ms) { Ok(()) } else { Err(PresenceError::Ttl { ttl_ms, least, most }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork_wire::DATAGRAM_MESSAGE_BYTES_MAX;

    #[test]
    fn the_largest_value_among_the_most_fits_a_datagram() {
        let gap = u64::MAX / VALUES_MAX as u64;
        let counters: Vec<u64> = (0..VALUES_MAX as u64).map(|n| u64::MAX - 1 - n * gap).collect();
        let shown = Shown {
            place: 31,
            key: "k".repeat(VALUE_KEY_BYTES_MAX),
            ttl_ms: u32::MAX,
            value: vec![0; VALUE_BYTES_MAX].into(),
        };
        let weight = bare_weight(VALUES_MAX) + shown.weight();
        let datagram = Datagram::new(u64::MAX, &counters, vec![shown]);
        let bytes = meshwork_wire::encode(&datagram).unwrap();
        assert!(bytes.len() <= weight && weight <= DATAGRAM_MESSAGE_BYTES_MAX, "{} {weight}", bytes.len());
    }
}
