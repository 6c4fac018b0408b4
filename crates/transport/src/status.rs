//! What a transport tells about its links when asked.

use meshwork_base::{Monotonic, NodeId, SessionId};

use crate::Stage;

/// Bytes and frames on the wire, ours included.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Traffic {
    /// Bytes handed to the performer.
    pub bytes_sent: u64,
    /// Bytes that came.
    pub bytes_received: u64,
    /// Frames handed to the performer.
    pub frames_sent: u64,
    /// Frames that came.
    pub frames_received: u64,
}

impl Traffic {
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes_sent += bytes as u64;
        self.frames_sent += 1;
    }

    pub(crate) fn received(&mut self, bytes: usize) {
        self.bytes_received += bytes as u64;
        self.frames_received += 1;
    }
}

/// How one session stands to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkState {
    /// No connection and none in the making.
    Waiting {
        /// When we offer, unless the other side does before.
        retry_at: Option<Monotonic>,
    },
    /// An attempt is being made.
    Attempting(Stage),
    /// Linked.
    Up,
}

/// One session that we are, or want to be, linked to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkStatus {
    /// Which.
    pub session: SessionId,
    /// Its node: proved if up, otherwise as the hub says.
    pub node: Option<NodeId>,
    /// How it stands.
    pub state: LinkState,
    /// The smoothed round trip, in microseconds.
    pub rtt_us: Option<u64>,
    /// What waits to be sent, in bytes.
    pub queued_bytes: usize,
    /// What the present connection carried.
    pub traffic: Traffic,
    /// From both descriptions applied to channels open, in microseconds.
    pub connect_us: u64,
}
