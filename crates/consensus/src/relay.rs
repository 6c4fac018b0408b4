//! The links, and who still lacks which receipts.

use std::collections::{BTreeMap, BTreeSet};

use meshwork_base::{NodeId, SessionId};

use crate::{Message, SignedReceipt, message::LINKED_MAX, record::Record};

/// Every linked peer.
#[derive(Default)]
pub(crate) struct Relay {
    peers: BTreeMap<SessionId, Peer>,
    /// The peers were not told yet with whom we are linked.
    links_changed: bool,
}

struct Peer {
    node: NodeId,
    /// The nodes with which it says that it is linked.
    linked: BTreeSet<NodeId>,
    /// Per issuer, up to which receipt ([`Record::heard`]) the peer was served.
    served: BTreeMap<NodeId, u64>,
}

impl Relay {
    pub(crate) fn add(&mut self, session: SessionId, node: NodeId) {
        self.peers.insert(session, Peer { node, linked: BTreeSet::new(), served: BTreeMap::new() });
        self.links_changed = true;
    }

    pub(crate) fn remove(&mut self, session: &SessionId) {
        self.links_changed |= self.peers.remove(session).is_some();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = &SessionId> {
        self.peers.keys()
    }

    pub(crate) fn is_linked(&self, node: &NodeId) -> bool {
        self.peers.values().any(|peer| peer.node == *node)
    }

    /// Takes a peer's word on its links; false when there is no such peer.
    pub(crate) fn set_linked(&mut self, session: &SessionId, linked: Vec<NodeId>) -> bool {
        let peer = self.peers.get_mut(session);
        peer.map(|peer| peer.linked = linked.into_iter().collect()).is_some()
    }

    /// Forgets how far anybody was served with this issuer's receipts.
    pub(crate) fn forget(&mut self, issuer: &NodeId) {
        for peer in self.peers.values_mut() {
            peer.served.remove(issuer);
        }
    }

    /// What everybody still lacks. An issuer with which a peer is linked is passed over without being marked as
    /// served, so that the peer gets all that it missed should that link break.
    pub(crate) fn pending(&mut self, records: &BTreeMap<NodeId, Record>) -> Vec<(SessionId, Message)> {
        let mut messages = self.announcements();
        for (session, peer) in &mut self.peers {
            let unlinked = |issuer: &NodeId| *issuer != peer.node && !peer.linked.contains(issuer);
            for (issuer, record) in records.iter().filter(|(issuer, _)| unlinked(issuer)) {
                let served = peer.served.insert(*issuer, record.heard).unwrap_or(0);
                let lacking = record.kept().filter(|kept| kept.heard > served && kept.from != *session);
                messages.extend(lacking.map(|kept| (*session, receipt(&kept.signed))));
            }
        }
        messages
    }

    fn announcements(&mut self) -> Vec<(SessionId, Message)> {
        if !std::mem::take(&mut self.links_changed) {
            return Vec::new();
        }
        let nodes: BTreeSet<NodeId> = self.peers.values().map(|peer| peer.node).collect();
        let linked: Vec<NodeId> = nodes.into_iter().take(LINKED_MAX).collect();
        self.peers.keys().map(|session| (*session, Message::Linked(linked.clone()))).collect()
    }
}

/// A copy on the way to somebody.
pub(crate) fn receipt(signed: &SignedReceipt) -> Message {
    Message::Receipt(signed.clone())
}
