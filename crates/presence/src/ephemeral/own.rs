//! What this session shows.

use std::{collections::BTreeMap, time::Duration};

use meshwork_base::{Bytes, Monotonic};

use crate::{
    Config, PresenceError, SESSION_VALUES_BYTES_MAX, Shown, VALUE_BYTES_MAX, VALUES_MAX,
    datagram::{check_ttl, check_value},
};

/// The living values by key, and the version that they make up.
pub(super) struct Own {
    version: u64,
    values: BTreeMap<String, Box<Value>>,
    bytes: usize,
    /// Until when others may show something that is no more.
    echo_until: Option<Monotonic>,
}

struct Value {
    /// The version that it came with.
    counter: u64,
    value: Bytes,
    until: Monotonic,
}

impl Own {
    /// `version` is where counting begins.
    pub(super) fn new(version: u64) -> Self {
        Self { version, values: BTreeMap::new(), bytes: 0, echo_until: None }
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.values.iter().map(|(key, value)| (key.as_str(), &value.value))
    }

    /// Whether a value could be set now.
    pub(super) fn check(
        &self,
        config: &Config,
        key: &str,
        size: usize,
        ttl_ms: u64,
    ) -> Result<(), PresenceError> {
        check_value(key, size, config.value_bytes_max.min(VALUE_BYTES_MAX))?;
        check_ttl(ttl_ms, config.value_ttl_ms_min, config.value_ttl_ms_max)?;
        let old = self.values.get(key);
        let (count, limit) = (self.values.len() + 1, config.values_max.min(VALUES_MAX));
        if old.is_none() && count > limit {
            return Err(PresenceError::Values { count, limit });
        }
        let freed = old.map_or(0, |old| key.len() + old.value.len());
        let size = self.bytes + key.len() + size - freed;
        let limit = config.own_values_bytes_max.min(SESSION_VALUES_BYTES_MAX);
        if size > limit {
            return Err(PresenceError::SessionBytes { size, limit });
        }
        Ok(())
    }

    /// Sets a checked value. Its counter, and that of the value that it replaces.
    pub(super) fn set(
        &mut self,
        now: Monotonic,
        key: String,
        value: Bytes,
        ttl_ms: u64,
    ) -> (u64, Option<u64>) {
        let until = now + Duration::from_millis(ttl_ms);
        self.version = self.version.saturating_add(1);
        self.bytes += key.len() + value.len();
        let size = key.len();
        let old = self.values.insert(key, Box::new(Value { counter: self.version, value, until }));
        let replaced = old.map(|old| {
            self.bytes -= size + old.value.len();
            if old.until > until {
                self.echo(old.until);
            }
            old.counter
        });
        (self.version, replaced)
    }

    /// Removes a value; its counter, if it was there.
    pub(super) fn clear(&mut self, key: &str) -> Option<u64> {
        let old = self.values.remove(key)?;
        self.bytes -= key.len() + old.value.len();
        self.version = self.version.saturating_add(1);
        self.echo(old.until);
        Some(old.counter)
    }

    fn echo(&mut self, until: Monotonic) {
        self.echo_until = self.echo_until.max(Some(until));
    }

    /// Removes what has had its time.
    pub(super) fn expire(&mut self, now: Monotonic) {
        let mut expired = false;
        self.values.retain(|key, value| {
            let lives = value.until > now;
            if !lives {
                self.bytes -= key.len() + value.value.len();
                expired = true;
            }
            lives
        });
        if expired {
            self.version = self.version.saturating_add(1);
        }
        if self.echo_until.is_some_and(|until| until <= now) {
            self.echo_until = None;
        }
    }

    /// Whether others have to be told again: something lives, or somebody may have missed that something does not.
    pub(super) fn is_worth_telling(&self) -> bool {
        !self.values.is_empty() || self.echo_until.is_some()
    }

    /// When the next value has had its time.
    pub(super) fn next_expiry(&self) -> Option<Monotonic> {
        self.values.values().map(|value| value.until).chain(self.echo_until).min()
    }

    /// The living values' counters, the newest first.
    pub(super) fn counters(&self) -> Vec<u64> {
        let mut counters: Vec<u64> = self.values.values().map(|value| value.counter).collect();
        counters.sort_unstable_by(|a, b| b.cmp(a));
        counters
    }

    /// The value with the counter that has this `place` among the living.
    pub(super) fn show(&self, now: Monotonic, counter: u64, place: usize) -> Option<Shown> {
        let (key, value) = self.values.iter().find(|(_, value)| value.counter == counter)?;
        let left_ms = value.until.since(now).as_millis().max(1);
        Some(Shown {
            place: u8::try_from(place).ok()?,
            key: key.clone(),
            ttl_ms: u32::try_from(left_ms).unwrap_or(u32::MAX),
            value: value.value.clone(),
        })
    }
}
