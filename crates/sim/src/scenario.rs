//! What a run consists of: everything but the seed.

use std::time::Duration;

/// A world and what happens in it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// How many nodes.
    pub nodes: usize,
    /// How long they edit and faults happen.
    pub active: Duration,
    /// How long they then have to agree, without faults.
    pub settle: Duration,
    /// The mean time between two edits of a node.
    pub edit_every: Duration,
    /// How the network behaves.
    pub network: NetworkFaults,
    /// The mean time between two partitions; zero for none.
    pub partition_every: Duration,
    /// The longest partition.
    pub partition_max: Duration,
    /// The mean time between two crashes of a node; zero for none.
    pub crash_every: Duration,
    /// The longest time that a crashed node is down.
    pub down_max: Duration,
}

/// How packets fare.
#[derive(Clone, Debug)]
pub struct NetworkFaults {
    /// The shortest one-way delay.
    pub delay_min: Duration,
    /// The longest one-way delay; what is drawn differs from packet to packet, so packets of different channels
    /// overtake each other.
    pub delay_max: Duration,
    /// The share of packets that are lost. A channel resends a lost one after a retransmission timeout; a signal is
    /// lost for good.
    pub loss: f64,
    /// The share of signals that come twice.
    pub duplication: f64,
}

impl Scenario {
    /// The scenario of that name.
    pub fn named(name: &str) -> Option<Self> {
        let calm = Self {
            nodes: 4,
            active: Duration::from_secs(30),
            settle: Duration::from_secs(120),
            edit_every: Duration::from_millis(500),
            network: NetworkFaults {
                delay_min: Duration::from_millis(1),
                delay_max: Duration::from_millis(30),
                loss: 0.0,
                duplication: 0.0,
            },
            partition_every: Duration::ZERO,
            partition_max: Duration::from_secs(10),
            crash_every: Duration::ZERO,
            down_max: Duration::from_secs(10),
        };
        let lossy = NetworkFaults {
            delay_min: Duration::from_millis(1),
            delay_max: Duration::from_millis(300),
            loss: 0.05,
            duplication: 0.05,
        };
        match name {
            "calm" => Some(calm),
            "lossy" => Some(Self { network: lossy, ..calm }),
            "partitions" => Some(Self { network: lossy, partition_every: Duration::from_secs(8), ..calm }),
            "chaos" => Some(Self {
                network: lossy,
                partition_every: Duration::from_secs(8),
                crash_every: Duration::from_secs(10),
                ..calm
            }),
            _ => None,
        }
    }

    /// The names that [`named`](Self::named) knows.
    pub const NAMES: [&str; 4] = ["calm", "lossy", "partitions", "chaos"];
}
