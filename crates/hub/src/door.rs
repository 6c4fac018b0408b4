//! Who may connect, and how often an address may guess passwords and make rooms.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

use meshwork_base::Timestamp;
use meshwork_discovery::ErrorCode;

use crate::{
    HubConfig,
    bucket::{Bucket, Rate},
};

/// How many addresses with wrong passwords are remembered, and how many that made rooms.
const ADDRESSES_MAX: usize = 4_096;

/// Connections, wrong passwords and new rooms by address.
#[derive(Default)]
pub(crate) struct Door {
    connections: BTreeMap<IpAddr, usize>,
    guessers: Buckets,
    founders: Buckets,
}

/// A bucket for each address whose is not full.
#[derive(Default)]
struct Buckets(BTreeMap<IpAddr, Bucket>);

impl Buckets {
    fn has(&self, now: Timestamp, address: IpAddr, rate: Rate) -> bool {
        self.0.get(&network(address)).is_none_or(|bucket| bucket.has(now, rate))
    }

    fn take(&mut self, now: Timestamp, address: IpAddr, rate: Rate) -> bool {
        let address = network(address);
        if self.0.len() >= ADDRESSES_MAX && !self.0.contains_key(&address) {
            // The one that will be full first makes room.
            let first = self.0.iter().min_by_key(|(_, bucket)| **bucket).map(|(address, _)| *address);
            first.map(|address| self.0.remove(&address));
        }
        self.0.entry(address).or_insert_with(|| Bucket::full(now)).take(now, rate)
    }

    fn sweep(&mut self, now: Timestamp) {
        self.0.retain(|_, bucket| !bucket.is_full(now));
    }
}

impl Door {
    /// Counts a connection in, or says why not.
    pub(crate) fn enter(
        &mut self,
        address: IpAddr,
        total: usize,
        config: &HubConfig,
    ) -> Result<(), ErrorCode> {
        if total >= config.connections_max {
            return Err(ErrorCode::HubFull);
        }
        let count = self.connections.entry(network(address)).or_default();
        if *count >= config.connections_per_address_max {
            return Err(ErrorCode::TooManyConnections);
        }
        *count += 1;
        Ok(())
    }

    /// Counts a connection out.
    pub(crate) fn leave(&mut self, address: IpAddr) {
        let address = network(address);
        if let Some(count) = self.connections.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.connections.remove(&address);
            }
        }
    }

    /// Whether the address may still show a password.
    pub(crate) fn may_guess(&self, now: Timestamp, address: IpAddr, config: &HubConfig) -> bool {
        self.guessers.has(now, address, config.failure_rate())
    }

    /// Notes a wrong password.
    pub(crate) fn guessed(&mut self, now: Timestamp, address: IpAddr, config: &HubConfig) {
        self.guessers.take(now, address, config.failure_rate());
    }

    /// Notes that the address makes a room, if it may.
    pub(crate) fn founds(&mut self, now: Timestamp, address: IpAddr, config: &HubConfig) -> bool {
        self.founders.take(now, address, config.room_rate())
    }

    /// Forgets who is forgiven.
    pub(crate) fn sweep(&mut self, now: Timestamp) {
        self.guessers.sweep(now);
        self.founders.sweep(now);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.guessers.0.is_empty() && self.founders.0.is_empty()
    }
}

/// What counts as one address: an IPv6 subscriber has a network of 64 bits to himself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ipv6_network_is_one_address() {
        let config = HubConfig { connections_per_address_max: 1, ..HubConfig::default() };
        let mut door = Door::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(door.enter(address("2001:db8::1"), 0, &config), Ok(()));
        assert_eq!(door.enter(address("2001:db8::2"), 1, &config), Err(ErrorCode::TooManyConnections));
        assert_eq!(door.enter(address("2001:db8:0:1::1"), 1, &config), Ok(()));
        assert_eq!(door.enter(address("10.0.0.1"), 2, &config), Ok(()));
        assert_eq!(door.enter(address("::ffff:10.0.0.1"), 3, &config), Err(ErrorCode::TooManyConnections));
        door.leave(address("::ffff:10.0.0.1"));
        assert_eq!(door.enter(address("10.0.0.1"), 2, &config), Ok(()));
    }

    #[test]
    fn the_memory_of_addresses_is_bounded() {
        let (config, mut door) = (HubConfig::default(), Door::default());
        for number in 0..2 * ADDRESSES_MAX as u32 {
            door.guessed(Timestamp::default(), IpAddr::V4(number.into()), &config);
            door.founds(Timestamp::default(), IpAddr::V4(number.into()), &config);
        }
        assert_eq!((door.guessers.0.len(), door.founders.0.len()), (ADDRESSES_MAX, ADDRESSES_MAX));
        door.sweep(Timestamp::default().after(std::time::Duration::from_secs(60)));
        assert!(door.is_empty());
    }
}
