//! What can go wrong.

use serde::{Deserialize, Serialize};

/// A kind of fault, as scenarios name it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The network falls in two.
    Partition,
    /// Packets pass in one direction only, between two groups.
    OneWay,
    /// Two nodes are cut from each other, and both reach everybody else.
    PairCut,
    /// The way between two nodes comes and goes.
    Flap,
    /// Many packets are lost, everywhere.
    Storm,
    /// The hub dies, and comes back remembering nothing.
    HubCrash,
    /// The hub takes long to do anything.
    HubSlow,
    /// Some nodes do not reach the hub.
    HubCut,
    /// The hub makes up signals and sessions, takes signals to others than those that they are for, and says that those
    /// who are there have left. Then an honest one takes its place.
    HubLies,
    /// A node loses power in the middle of what it does.
    Crash,
    /// A node loses power while it writes, and the write that it was not told is durable, is.
    WriteAhead,
    /// A node loses power, and its last write is torn though it was told that it is durable; storage leaves it out.
    TornWrite,
    /// A process stands still, and then goes on as if nothing had been.
    Pause,
    /// A node says goodbye, and comes back.
    Leave,
    /// A node has no network, and is edited all the while.
    Offline,
    /// A disk takes no writes.
    DiskFull,
    /// A disk takes its time.
    DiskSlow,
    /// A node that dies cannot read its disk for a while.
    DiskUnreadable,
    /// A node dies, and its disk with it; it comes back with an empty one.
    DiskGone,
    /// A wall clock is set, forwards or backwards.
    ClockJump,
    /// A hidden tab: timers fire once a minute.
    Throttle,
    /// A frozen tab: nothing runs.
    Freeze,
    /// A tab is closed without a word and opened again, sometimes with its storage evicted.
    CloseTab,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::Partition,
        Self::OneWay,
        Self::PairCut,
        Self::Flap,
        Self::Storm,
        Self::HubCrash,
        Self::HubSlow,
        Self::HubCut,
        Self::HubLies,
        Self::Crash,
        Self::WriteAhead,
        Self::TornWrite,
        Self::Pause,
        Self::Leave,
        Self::Offline,
        Self::DiskFull,
        Self::DiskSlow,
        Self::DiskUnreadable,
        Self::DiskGone,
        Self::ClockJump,
        Self::Throttle,
        Self::Freeze,
        Self::CloseTab,
    ];
}

/// One fault of one run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Packets do not pass between two groups of nodes.
    Cut {
        /// From any of these
        from: Vec<usize>,
        /// to any of these,
        to: Vec<usize>,
        /// and back, if both ways are cut.
        both: bool,
    },
    /// So many more packets are lost than usual, and signals too.
    Storm {
        /// The share of them.
        loss: f64,
    },
    /// The hub is down; it comes back empty.
    HubCrash,
    /// Every message takes the hub longer.
    HubSlow {
        /// By so much.
        delay_ms: u64,
    },
    /// These do not reach the hub.
    HubCut {
        /// Which nodes.
        nodes: Vec<usize>,
    },
    /// The hub lies.
    HubLies,
    /// A node dies.
    Crash {
        /// Which.
        node: usize,
        /// It still performs so many effects of its next step.
        after_effects: usize,
        /// What of its disk is there when it comes back.
        disk: AfterCrash,
    },
    /// A process stands still.
    Pause {
        /// Which.
        node: usize,
        /// It is a tab that was told beforehand, and told the others.
        announced: bool,
    },
    /// A node closes, and is started again.
    Leave {
        /// Which.
        node: usize,
    },
    /// A node reaches nobody, nor the hub.
    Offline {
        /// Which.
        node: usize,
    },
    /// A disk takes no writes.
    DiskFull {
        /// Whose.
        node: usize,
    },
    /// A disk is slow.
    DiskSlow {
        /// Whose.
        node: usize,
        /// By this factor.
        factor: u32,
    },
    /// A wall clock is set once.
    ClockJump {
        /// Whose.
        node: usize,
        /// By so much.
        by_ms: i64,
    },
    /// Timers fire once a minute.
    Throttle {
        /// Whose.
        node: usize,
    },
}

impl Fault {
    /// Whether others still hear enough of everybody.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(
            self,
            Self::Pause { announced: true, .. }
                | Self::Throttle { .. }
                | Self::ClockJump { .. }
                | Self::DiskFull { .. }
                | Self::DiskSlow { .. }
                | Self::HubCrash
                | Self::HubSlow { .. }
                | Self::HubCut { .. }
                | Self::HubLies
        )
    }

    /// The nodes that it speaks of.
    pub fn nodes(&self) -> Vec<usize> {
        match self {
            Self::Cut { from, to, .. } => from.iter().chain(to).copied().collect(),
            Self::HubCut { nodes } => nodes.clone(),
            Self::Storm { .. } | Self::HubCrash | Self::HubSlow { .. } | Self::HubLies => Vec::new(),
            Self::Crash { node, .. }
            | Self::Pause { node, .. }
            | Self::Leave { node }
            | Self::Offline { node }
            | Self::DiskFull { node }
            | Self::DiskSlow { node, .. }
            | Self::ClockJump { node, .. }
            | Self::Throttle { node } => vec![*node],
        }
    }
}

/// What a disk holds after the power failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterCrash {
    /// What was synced.
    Synced,
    /// That, and the write that was under way.
    Ahead,
    /// What was synced, less the last write.
    Torn,
    /// What was synced, but it cannot be read until the fault ends.
    Unreadable,
    /// Nothing.
    Gone,
}
