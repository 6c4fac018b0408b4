//! Performs [`ConnectionAction`]s with the browser's `RTCPeerConnection`.
//!
//! The wire is that of the native performer: the side that offers opens the four data channels in band, labelled as in
//! [`Channel::label`]; a description holds the candidates that are known at once, later ones follow as `candidate:…`
//! lines; no TCP candidates.
//!
//! ```text
//!   Offer ──► channels, createOffer ──► setLocalDescription ──► Described, Candidate …
//!   Answer ─► setRemoteDescription ───► createAnswer, setLocal… ──► Described, Candidate …
//!   all four channels open ──► Opened(fingerprints) ──► Received, Sent …
//! ```
//!
//! Other tabs of this browser that have the same store are reached without WebRTC: `tab.rs`.

mod description;
mod lane;
mod link;
mod tab;

use std::{
    collections::BTreeMap,
    rc::{Rc, Weak},
};

use meshwork_transport::{ConnectionAction, ConnectionEvent, LinkId};
use web_sys::RtcConfiguration;

use crate::host::Host;
use link::{Link, Role};
use tab::TabLink;

#[cfg(doc)]
use meshwork_wire::Channel;

/// The connections to peers.
pub(crate) struct Connections {
    host: Weak<Host>,
    configuration: RtcConfiguration,
    links: BTreeMap<LinkId, Ends>,
}

/// What leads to a peer.
enum Ends {
    Peer(Rc<Link>),
    Tab(TabLink),
}

impl Connections {
    pub(crate) fn new(host: Weak<Host>, configuration: RtcConfiguration) -> Self {
        Self { host, configuration, links: BTreeMap::new() }
    }

    /// Does what is asked for; an event that comes of it at once is returned, later ones go to the host.
    /// `is_tab`: the peer is another tab of this browser.
    pub(crate) fn perform(
        &mut self,
        link: LinkId,
        is_tab: bool,
        action: ConnectionAction,
    ) -> Option<ConnectionEvent> {
        match action {
            ConnectionAction::Offer if is_tab => self.connect_tab(link, TabLink::offer(link, &self.host)),
            ConnectionAction::Answer { offer } if is_tab => {
                self.connect_tab(link, TabLink::answer(link, &self.host, &offer))
            }
            ConnectionAction::Offer => self.connect(link, Role::Offer),
            ConnectionAction::Answer { offer } => self.connect(link, Role::Answer { offer }),
            ConnectionAction::Accept { answer } => match self.links.get(&link)? {
                Ends::Peer(link) => {
                    link.accept(answer);
                    None
                }
                Ends::Tab(link) => Some(link.accept(&answer).unwrap_or_else(closed)),
            },
            ConnectionAction::AddCandidate(candidate) => {
                if let Ends::Peer(link) = self.links.get(&link)? {
                    link.take_candidate(candidate);
                }
                None
            }
            ConnectionAction::Transmit { channel, frame } => {
                let sent = match self.links.get(&link)? {
                    Ends::Peer(link) => link.transmit(channel, &frame),
                    Ends::Tab(link) => link.transmit(channel, &frame),
                };
                sent.err().map(closed)
            }
            ConnectionAction::Close => {
                self.links.remove(&link);
                None
            }
        }
    }

    /// Closes all of them, and names them.
    pub(crate) fn close_all(&mut self) -> Vec<LinkId> {
        std::mem::take(&mut self.links).into_keys().collect()
    }

    fn connect(&mut self, id: LinkId, role: Role) -> Option<ConnectionEvent> {
        match Link::new(id, self.host.clone(), &self.configuration) {
            Ok(link) => {
                link.begin(role);
                self.links.insert(id, Ends::Peer(link));
                None
            }
            Err(reason) => Some(closed(reason)),
        }
    }

    fn connect_tab(
        &mut self,
        id: LinkId,
        made: Result<(TabLink, ConnectionEvent), String>,
    ) -> Option<ConnectionEvent> {
        match made {
            Ok((link, described)) => {
                self.links.insert(id, Ends::Tab(link));
                Some(described)
            }
            Err(reason) => Some(closed(reason)),
        }
    }
}

fn closed(reason: String) -> ConnectionEvent {
    ConnectionEvent::Closed { reason }
}
