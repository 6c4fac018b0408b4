//! Who misbehaved how often.

use std::{collections::BTreeMap, time::Duration};

use meshwork_base::{Monotonic, NodeId, Timestamp};

use crate::Config;

#[derive(Debug)]
struct Record {
    count: u32,
    last: Monotonic,
}

/// Counts by node, because a cut-off node could come again under any number of sessions.
#[derive(Default, Debug)]
pub(crate) struct Conduct {
    records: BTreeMap<NodeId, Box<Record>>,
}

impl Conduct {
    /// Counts `weight` more against `node`; whether it is to be cut off.
    pub(crate) fn count(&mut self, now: Timestamp, node: NodeId, weight: u32, config: &Config) -> bool {
        self.records.retain(|_, record| !forgotten(record, now, config));
        if self.records.len() >= config.peers_max && !self.records.contains_key(&node) {
            let oldest = self.records.iter().min_by_key(|(_, record)| record.last).map(|(node, _)| *node);
            oldest.and_then(|node| self.records.remove(&node));
        }
        let record =
            self.records.entry(node).or_insert_with(|| Box::new(Record { count: 0, last: now.monotonic }));
        record.count = record.count.saturating_add(weight);
        record.last = now.monotonic;
        record.count >= config.misbehaviour_max
    }

    /// How long `node` is still ignored.
    pub(crate) fn banned_for(&self, now: Timestamp, node: &NodeId, config: &Config) -> Option<Duration> {
        let record = self.records.get(node).filter(|record| record.count >= config.misbehaviour_max)?;
        let until = record.last + Duration::from_millis(config.ban_ms);
        (until > now.monotonic).then(|| until.since(now.monotonic))
    }
}

fn forgotten(record: &Record, now: Timestamp, config: &Config) -> bool {
    record.last + Duration::from_millis(config.ban_ms) <= now.monotonic
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::default().after(Duration::from_millis(ms))
    }

    #[test]
    fn the_third_time_cuts_and_a_minute_later_it_is_forgotten() {
        let (config, node, mut conduct) = (Config::default(), NodeId([1; 32]), Conduct::default());
        assert!(!conduct.count(at(0), node, 1, &config));
        assert!(!conduct.count(at(1), node, 1, &config));
        assert_eq!(conduct.banned_for(at(1), &node, &config), None);
        assert!(conduct.count(at(2), node, 1, &config));
        assert_eq!(conduct.banned_for(at(2), &node, &config), Some(Duration::from_secs(60)));
        assert_eq!(conduct.banned_for(at(60_002), &node, &config), None);
        assert!(!conduct.count(at(60_002), node, 1, &config));
    }

    #[test]
    fn no_more_nodes_are_remembered_than_allowed() {
        let (config, mut conduct) = (Config { peers_max: 64, ..Config::default() }, Conduct::default());
        for number in 0..1000u32 {
            let mut node = [0; 32];
            node[..4].copy_from_slice(&number.to_le_bytes());
            conduct.count(at(number.into()), NodeId(node), 9, &config);
        }
        assert_eq!(conduct.records.len(), 64);
    }
}
