//! What runs can consist of: everything but the seed.

use std::{collections::BTreeMap, path::Path};

use config::{Config, File, FileFormat};
use serde::{Deserialize, Serialize};

use crate::fault::Kind;

/// A kind of world, from which each seed draws a [`Plan`](crate::Plan).
///
/// As a file it is TOML; `scenarios/*.toml` are the named ones.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// The fewest and the most correct nodes: 1 to 200.
    pub nodes: [usize; 2],
    /// How many nodes are hostile at the most: 0 to 16.
    pub hostile_max: usize,
    /// How long they edit and faults happen, in seconds.
    pub active_s: u64,
    /// How long they then have to agree, without faults, in seconds.
    pub settle_s: u64,
    /// The mean time between two edits of a node, in milliseconds.
    pub edit_every_ms: u64,
    /// The chance that a run has a given kind of fault at all.
    pub share: f64,
    /// How packets fare.
    pub network: Packets,
    /// How clocks are off.
    pub clocks: Clocks,
    /// How often each kind of fault happens, and for how long.
    pub faults: BTreeMap<Kind, Rate>,
}

/// How packets fare, at the worst. What holds for one direction between two nodes is drawn below these.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Packets {
    /// The least and the greatest one-way delay, in milliseconds.
    pub delay_ms: [u64; 2],
    /// How much longer than that a packet takes at the most, in milliseconds: packets of different channels overtake
    /// each other.
    pub jitter_ms: u64,
    /// The share of packets that are lost. A reliable channel sends a lost one again after a timeout.
    pub loss: f64,
    /// The share of signals, and of packets of lossy channels, that come twice.
    pub duplication: f64,
    /// The narrowest bandwidth, in KiB/s; 0 for no limit.
    pub bandwidth_kib_s: u64,
    /// The share of pairs of nodes that never link, as behind NATs.
    pub unlinkable: f64,
}

/// How clocks are off, at the worst.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clocks {
    /// Of wall clocks, forwards or backwards, in milliseconds.
    pub offset_ms: u64,
    /// Of both clocks, too fast or too slow, in millionths.
    pub drift_ppm: u64,
}

/// How often a kind of fault happens.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// The mean time between the beginnings of two, in the whole mesh, in milliseconds.
    pub every_ms: u64,
    /// The longest, in milliseconds.
    pub longest_ms: u64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            nodes: [4, 4],
            hostile_max: 0,
            active_s: 30,
            settle_s: 120,
            edit_every_ms: 500,
            share: 1.0,
            network: Packets::default(),
            clocks: Clocks::default(),
            faults: BTreeMap::new(),
        }
    }
}

impl Default for Packets {
    fn default() -> Self {
        Self {
            delay_ms: [1, 30],
            jitter_ms: 5,
            loss: 0.0,
            duplication: 0.0,
            bandwidth_kib_s: 0,
            unlinkable: 0.0,
        }
    }
}

/// Why there is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Neither a name nor a file.
    #[error("there is no scenario `{0}`: name one of {names} or a file", names = Scenario::names().join(", "))]
    Unknown(String),
    /// The file does not describe one.
    #[error("{name}: {source}")]
    Malformed {
        /// Which file.
        name: String,
        /// What is wrong with it.
        source: config::ConfigError,
    },
    /// A value is out of its range.
    #[error("{name}: {source}")]
    Range {
        /// Which file.
        name: String,
        /// Which value, and its range.
        source: meshwork::ConfigError,
    },
}

const NAMED: [(&str, &str); 10] = [
    ("calm", include_str!("../scenarios/calm.toml")),
    ("lossy", include_str!("../scenarios/lossy.toml")),
    ("partitions", include_str!("../scenarios/partitions.toml")),
    ("disks", include_str!("../scenarios/disks.toml")),
    ("browsers", include_str!("../scenarios/browsers.toml")),
    ("hostile", include_str!("../scenarios/hostile.toml")),
    ("absence", include_str!("../scenarios/absence.toml")),
    ("hundred", include_str!("../scenarios/hundred.toml")),
    ("chaos", include_str!("../scenarios/chaos.toml")),
    ("siege", include_str!("../scenarios/siege.toml")),
];

impl Scenario {
    /// The names that [`load`](Self::load) knows.
    pub fn names() -> Vec<&'static str> {
        NAMED.iter().map(|(name, _)| *name).collect()
    }

    /// The scenario of that name, or in that file.
    pub fn load(name: &str) -> Result<Self, ScenarioError> {
        let named = NAMED.iter().find(|(known, _)| *known == name);
        let builder = match named {
            Some((_, text)) => Config::builder().add_source(File::from_str(text, FileFormat::Toml)),
            None if Path::new(name).exists() => {
                Config::builder().add_source(File::new(name, FileFormat::Toml))
            }
            None => return Err(ScenarioError::Unknown(name.into())),
        };
        let scenario: Self = builder
            .build()
            .and_then(Config::try_deserialize)
            .map_err(|source| ScenarioError::Malformed { name: name.into(), source })?;
        scenario.validate().map_err(|source| ScenarioError::Range { name: name.into(), source })?;
        Ok(scenario)
    }

    /// Checks every value.
    pub fn validate(&self) -> Result<(), meshwork::ConfigError> {
        use meshwork::ConfigError as Check;
        let [fewest, most] = self.nodes;
        Check::check("nodes (fewest)", fewest, 1..=200)?;
        Check::check("nodes (most)", most, fewest..=200)?;
        Check::check("hostile_max", self.hostile_max, 0..=16)?;
        Check::check("active_s", self.active_s, 1..=86_400)?;
        Check::check("settle_s", self.settle_s, 1..=86_400)?;
        Check::check("edit_every_ms", self.edit_every_ms, 1..=86_400_000)?;
        Check::check("share", self.share, 0.0..=1.0)?;
        let Packets {
            delay_ms: [least, greatest],
            jitter_ms,
            loss,
            duplication,
            bandwidth_kib_s,
            unlinkable,
        } = self.network;
        Check::check("network.delay_ms (least)", least, 0..=60_000)?;
        Check::check("network.delay_ms (greatest)", greatest, least..=60_000)?;
        Check::check("network.jitter_ms", jitter_ms, 0..=60_000)?;
        Check::check("network.loss", loss, 0.0..=0.9)?;
        Check::check("network.duplication", duplication, 0.0..=0.9)?;
        Check::check("network.bandwidth_kib_s", bandwidth_kib_s, 0..=10_000_000)?;
        Check::check("network.unlinkable", unlinkable, 0.0..=1.0)?;
        Check::check("clocks.offset_ms", self.clocks.offset_ms, 0..=31_536_000_000)?;
        Check::check("clocks.drift_ppm", self.clocks.drift_ppm, 0..=100_000)?;
        for (kind, rate) in &self.faults {
            Check::check(&format!("faults.{kind:?}.every_ms"), rate.every_ms, 1..=86_400_000)?;
            Check::check(&format!("faults.{kind:?}.longest_ms"), rate.longest_ms, 1..=86_400_000)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_scenario_loads() {
        for name in Scenario::names() {
            if let Err(error) = Scenario::load(name) {
                panic!("{error}");
            }
        }
    }
}
