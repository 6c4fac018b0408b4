//! The links, and who still lacks which receipts.
//!
//! In a mesh in which not everybody is linked with everybody, most nodes have many neighbours in common. Were each of
//! these to pass a receipt on, a node would get it dozens of times, so only [`RELAYS`] of them do; everybody knows who,
//! since everybody says with whom it is linked. (The multipoint relays of OLSR, RFC 3626, chosen by the sender's
//! neighbours instead of by the sender.)

use std::collections::{BTreeMap, BTreeSet};

use meshwork_base::{NodeId, Place, RELAYS, SessionId};

use crate::{
    Message, SignedReceipt,
    message::{LINKED_MAX, RECEIPTS_MAX},
    record::Record,
};

/// What the receipts of one message take at most, unless it is a single one.
const BUNDLE_BYTES_MAX: usize = 32 * 1024;

/// While links change everywhere nobody knows yet whose task is what: so many looks in a row are left out at most.
const RESTLESS_MAX: u8 = 3;

/// Every linked peer.
pub(crate) struct Relay {
    own: NodeId,
    peers: BTreeMap<SessionId, Box<Peer>>,
    /// A small number for each issuer; those from [`Relay::forget`] are given again.
    issuers: BTreeMap<NodeId, usize>,
    free: Vec<usize>,
    /// Grows whenever a link changes anywhere near.
    epoch: u64,
    /// Links have changed since the last look.
    moved: bool,
    /// So many looks in a row found that.
    restless: u8,
    /// [`Record::heard`] of the newest receipt at the last look; 0 when roles have changed since.
    looked: u64,
    /// The peers were not told yet with whom we are linked.
    links_changed: bool,
}

struct Peer {
    node: NodeId,
    /// The nodes with which it says that it is linked, in order.
    linked: Vec<NodeId>,
    /// By the number of the issuer.
    tasks: Vec<Option<Task>>,
}

/// To bring an issuer's receipts to a peer.
#[derive(Clone, Copy)]
struct Task {
    /// Up to which receipt ([`Record::heard`]) the peer was served.
    served: u64,
    /// Whether it is ours, as of an epoch.
    ours: (bool, u64),
}

impl Peer {
    fn is_linked(&self, node: &NodeId) -> bool {
        self.linked.binary_search(node).is_ok()
    }
}

impl Relay {
    pub(crate) fn new(own: NodeId) -> Self {
        Self {
            own,
            peers: BTreeMap::new(),
            issuers: BTreeMap::new(),
            free: Vec::new(),
            epoch: 0,
            moved: false,
            restless: 0,
            looked: 0,
            links_changed: false,
        }
    }

    pub(crate) fn add(&mut self, session: SessionId, node: NodeId) {
        self.peers.insert(session, Box::new(Peer { node, linked: Vec::new(), tasks: Vec::new() }));
        self.move_links();
        self.links_changed = true;
    }

    pub(crate) fn remove(&mut self, session: &SessionId) {
        self.links_changed |= self.peers.remove(session).is_some();
        self.move_links();
    }

    fn move_links(&mut self) {
        self.epoch += 1;
        (self.moved, self.looked) = (true, 0);
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

    /// Takes a peer's word on its links, which are in order; false when there is no such peer.
    pub(crate) fn set_linked(&mut self, session: &SessionId, linked: Vec<NodeId>) -> bool {
        self.move_links();
        let peer = self.peers.get_mut(session);
        peer.map(|peer| peer.linked = linked).is_some()
    }

    /// Forgets how far anybody was served with this issuer's receipts.
    pub(crate) fn forget(&mut self, issuer: &NodeId) {
        let Some(number) = self.issuers.remove(issuer) else { return };
        self.free.push(number);
        for task in self.peers.values_mut().filter_map(|peer| peer.tasks.get_mut(number)) {
            *task = None;
        }
    }

    fn number(&mut self, issuer: &NodeId) -> usize {
        if let Some(number) = self.issuers.get(issuer) {
            return *number;
        }
        let number = self.free.pop().unwrap_or(self.issuers.len());
        self.issuers.insert(*issuer, number);
        number
    }

    /// What everybody still lacks. An issuer whose receipts others bring to a peer is passed over without being marked
    /// as served, so that the peer gets all that it missed should it fall to us.
    pub(crate) fn pending(&mut self, records: &BTreeMap<NodeId, Box<Record>>) -> Vec<(SessionId, Message)> {
        let mut messages = self.announcements();
        if std::mem::take(&mut self.moved) && self.restless < RESTLESS_MAX {
            self.restless += 1;
            return messages;
        }
        self.restless = 0;
        let looked = self.looked;
        let news = records.iter().filter(|(_, record)| record.heard > looked);
        let news: Vec<_> = news.map(|(issuer, record)| (self.number(issuer), issuer, &**record)).collect();
        self.looked = news.iter().map(|(_, _, record)| record.heard).max().unwrap_or(self.looked);
        let sessions: Vec<SessionId> = self.peers.keys().copied().collect();
        for session in sessions {
            let lacking = self.lacking(session, &news);
            messages.extend(bundle(lacking).into_iter().map(|message| (session, message)));
        }
        messages
    }

    /// What it is on us to bring to a peer.
    fn lacking(&mut self, session: SessionId, news: &[(usize, &NodeId, &Record)]) -> Vec<SignedReceipt> {
        let Some(peer) = self.peers.get(&session) else { return Vec::new() };
        let (mut lacking, mut tasks) = (Vec::new(), Vec::new());
        for (number, issuer, record) in news {
            let task = peer.tasks.get(*number).copied().flatten();
            let served = task.map_or(0, |task| task.served);
            if record.heard <= served {
                continue;
            }
            let known = task.map(|task| task.ours).filter(|(_, epoch)| *epoch == self.epoch);
            let ours = known.map_or_else(|| self.brings(issuer, peer), |(ours, _)| ours);
            if ours {
                let news = record.kept().filter(|kept| kept.heard > served && kept.from != session);
                lacking.extend(news.map(|kept| kept.signed.clone()));
            }
            if ours || known.is_none() {
                let served = if ours { record.heard } else { served };
                tasks.push((*number, Task { served, ours: (ours, self.epoch) }));
            }
        }
        if let Some(peer) = self.peers.get_mut(&session) {
            let numbers = self.issuers.len() + self.free.len();
            peer.tasks.resize(numbers, None);
            for (number, task) in tasks {
                peer.tasks.get_mut(number).into_iter().for_each(|known| *known = Some(task));
            }
        }
        lacking
    }

    /// Whether the last look put something off until links are at rest.
    pub(crate) fn is_restless(&self) -> bool {
        self.restless > 0
    }

    /// Whether too few others would bring an issuer's receipts to a peer.
    fn brings(&self, issuer: &NodeId, to: &Peer) -> bool {
        if *issuer == to.node || to.is_linked(issuer) {
            return false;
        }
        let others = match self.peers.values().find(|peer| peer.node == *issuer) {
            // Of the neighbours that both have, those nearest to a place that the two determine.
            Some(issuer) => {
                let place = Place::between(&issuer.node.0, &to.node.0);
                let before_us = |node: &&NodeId| place.is_nearer(&node.0, &self.own.0);
                to.linked.iter().filter(before_us).filter(|node| issuer.is_linked(node)).take(RELAYS).count()
            }
            None => {
                let peers = self.peers.values();
                peers.filter(|peer| peer.is_linked(issuer) && peer.is_linked(&to.node)).take(RELAYS).count()
            }
        };
        others < RELAYS
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

/// As few messages as these fit in.
fn bundle(receipts: Vec<SignedReceipt>) -> Vec<Message> {
    let mut bundles: Vec<Vec<SignedReceipt>> = Vec::new();
    let mut bytes = 0;
    for receipt in receipts {
        bytes += receipt.size();
        match bundles.last_mut().filter(|bundle| bundle.len() < RECEIPTS_MAX && bytes <= BUNDLE_BYTES_MAX) {
            Some(bundle) => bundle.push(receipt),
            None => {
                bytes = receipt.size();
                bundles.push(vec![receipt]);
            }
        }
    }
    let message = |mut bundle: Vec<SignedReceipt>| match (bundle.len(), bundle.pop()) {
        (1, Some(receipt)) => Message::Receipt(receipt),
        (_, last) => {
            bundle.extend(last);
            Message::Receipts(bundle)
        }
    };
    bundles.into_iter().map(message).collect()
}
