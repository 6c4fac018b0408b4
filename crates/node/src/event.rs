//! What an application can listen to.

use meshwork_base::{Bytes, DocumentId, Dot, NodeId, ReplicaId, SessionId, SpaceId};
use meshwork_presence::{Member, PresenceError};
use meshwork_transport::{Peer, Stage};

/// Something that happened to the node.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// Somebody is here: new, or back after we had given them up.
    PeerJoined {
        /// Who.
        member: Member,
        /// They were here before.
        again: bool,
    },
    /// A member's status, capabilities or `away` changed.
    PeerChanged {
        /// Who, as they are now.
        member: Member,
    },
    /// Somebody is gone.
    PeerLeft {
        /// Who.
        member: Member,
        /// By a goodbye, or after silence.
        gracefully: bool,
    },
    /// Another member shows a value, or another one than before.
    EphemeralSet {
        /// Who.
        session: SessionId,
        /// Its key.
        key: String,
        /// It; JSON, if it was set as such.
        value: Bytes,
    },
    /// Another member shows a value no longer: cleared, out of time, or gone with the member.
    EphemeralGone {
        /// Who.
        session: SessionId,
        /// Its key.
        key: String,
    },
    /// A value of our own breaks a bound, and is not shown.
    EphemeralRefused {
        /// Its key.
        key: String,
        /// Which bound.
        error: PresenceError,
    },
    /// A link is up.
    LinkUp {
        /// With whom.
        peer: Peer,
    },
    /// A link is gone.
    LinkDown {
        /// With whom.
        peer: SessionId,
        /// Why, for people.
        reason: String,
    },
    /// An attempt to link failed; the stage says where.
    LinkFailed {
        /// With whom.
        peer: SessionId,
        /// How far it came.
        stage: Stage,
        /// Why, for people.
        reason: String,
        /// When the next attempt is made, in milliseconds from now; `None` when there will be none.
        retry_in_ms: Option<u64>,
    },
    /// The configured number of links is reached; this peer is not dialled.
    LinksFull {
        /// Whom.
        peer: SessionId,
    },
    /// Operations of others became visible in a document.
    OperationReceived {
        /// Which document.
        document: DocumentId,
        /// Which operations, in causal order.
        dots: Vec<Dot>,
    },
    /// All that a peer had is here, and all that we have is there.
    StateSynced {
        /// Which peer.
        peer: SessionId,
    },
    /// The policy is met for operations `from` to `up_to` of one replica.
    Confirmed {
        /// The first newly confirmed sequence.
        from: u64,
        /// The last confirmed operation.
        up_to: Dot,
    },
    /// A peer broke the rules on a link.
    Misbehaved {
        /// Which peer.
        peer: SessionId,
        /// What it did.
        reason: String,
        /// It cost the peer its link.
        cut: bool,
    },
    /// An author signed an operation that cannot be: applied as nothing, charged to the author.
    OperationInvalid {
        /// Which operation.
        dot: Dot,
        /// Who signed it.
        author: NodeId,
        /// What is wrong with it.
        reason: String,
    },
    /// An operation of a newer version of meshwork is kept and forwarded, but cannot be shown.
    OperationPending {
        /// Which operation.
        dot: Dot,
    },
    /// Operations have waited for long (`op_log.waiting_told_ms`) for others that no linked peer has. They show once
    /// somebody comes who has those.
    OperationsWaiting {
        /// How many operations wait by now, for whatever reason.
        operations: u64,
        /// What is missing: the first few.
        dots: Vec<Dot>,
    },
    /// An author's clock is further ahead than the bound. The operation counts; our clock does not follow.
    TimeAhead {
        /// Which operation.
        dot: Dot,
        /// Who signed it.
        author: NodeId,
        /// How far ahead, in milliseconds.
        ahead_ms: u64,
    },
    /// An author signed two operations under one id. The proof is kept and spread.
    Equivocation {
        /// The id.
        dot: Dot,
        /// Who signed both.
        author: NodeId,
    },
    /// This node's own replica was retired, and a new one has begun.
    ReplicaRetired {
        /// The old one.
        replica: ReplicaId,
        /// The last of its operations that this node keeps. It made those after it again, under other ids.
        kept: u64,
        /// Why, for people.
        reason: String,
    },
    /// In the room of a hub. A node that had to learn its space there is in it before its start returns.
    HubJoined {
        /// Which hub, as configured.
        hub: u16,
        /// The space that lives there.
        space: SpaceId,
    },
    /// A hub cannot be reached for now. Links and edits go on.
    HubUnreachable {
        /// Which hub, as configured.
        hub: u16,
        /// Why, for people.
        reason: String,
        /// When the next attempt is made, in milliseconds from now.
        retry_in_ms: u64,
    },
    /// A hub refuses us, and trying again will not help.
    HubRefused {
        /// Which hub, as configured.
        hub: u16,
        /// Why, for people.
        reason: String,
    },
    /// Storage cannot take writes for now; nothing is acknowledged until it can. Edits wait.
    StorageStalled {
        /// Why, for people.
        reason: String,
    },
    /// Storage takes writes again; nothing that was acknowledged is lost.
    StorageRecovered,
}
