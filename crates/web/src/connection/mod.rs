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

mod description;
mod lane;
mod link;

use std::{
    collections::BTreeMap,
    rc::{Rc, Weak},
};

use meshwork_transport::{ConnectionAction, ConnectionEvent, LinkId};
use web_sys::RtcConfiguration;

use crate::host::Host;
use link::{Link, Role};

#[cfg(doc)]
use meshwork_wire::Channel;

/// The connections to peers.
pub(crate) struct Connections {
    host: Weak<Host>,
    configuration: RtcConfiguration,
    links: BTreeMap<LinkId, Rc<Link>>,
}

impl Connections {
    pub(crate) fn new(host: Weak<Host>, configuration: RtcConfiguration) -> Self {
        Self { host, configuration, links: BTreeMap::new() }
    }

    /// Does what is asked for; an event that comes of it at once is returned, later ones go to the host.
    pub(crate) fn perform(&mut self, link: LinkId, action: ConnectionAction) -> Option<ConnectionEvent> {
        match action {
            ConnectionAction::Offer => self.connect(link, Role::Offer),
            ConnectionAction::Answer { offer } => self.connect(link, Role::Answer { offer }),
            ConnectionAction::Accept { answer } => {
                if let Some(link) = self.links.get(&link) {
                    link.accept(answer);
                }
                None
            }
            ConnectionAction::AddCandidate(candidate) => {
                if let Some(link) = self.links.get(&link) {
                    link.take_candidate(candidate);
                }
                None
            }
            ConnectionAction::Transmit { channel, frame } => {
                let reason = self.links.get(&link)?.transmit(channel, &frame).err()?;
                Some(ConnectionEvent::Closed { reason })
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
                self.links.insert(id, link);
                None
            }
            Err(reason) => Some(ConnectionEvent::Closed { reason }),
        }
    }
}
