//! Performs [`ConnectionAction`]s over WebRTC, with the `webrtc` crate.
//!
//! One connection is one task (`connection.rs`) that owns the library's peer connection and always closes it;
//! inside it a second one (`session.rs`) lives through the link: describe, open, carry frames. Frames out go
//! straight to a task per channel (`lane.rs`); frames in come from another, which stops reading when the host
//! lags, so that the other side is slowed down instead of our memory filled.
//!
//! On the wire:
//! - The side that offers opens the four data channels in band, labelled as in [`Channel::label`],
//!   reliable and ordered but for the lossy one, which is neither and never sends a message again; the side
//!   that answers opens none. (Pre-negotiated channels would open no sooner,
//!   and the library loses messages on them: what arrives in one burst with the end of the SCTP handshake
//!   finds its channel not yet attached. In band, the channel's own opening message precedes them.)
//! - A description holds the candidates that are known at once; later ones follow as plain `candidate:…`
//!   lines (no media id: there is one media section, index 0).
//! - No mDNS and no TCP candidates.

mod config;
mod connection;
mod events;
mod failure;
mod fingerprints;
mod handler;
mod lane;
mod runtime;
mod session;

use std::{collections::BTreeMap, sync::Arc};

use meshwork_base::ConfigError;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{ConnectionAction, ConnectionEvent, LinkId};
use connection::{Connection, Role};
use events::Events;
use session::Mail;

#[cfg(doc)]
use meshwork_wire::Channel;

pub use config::{IceServer, WebRtcConfig};

/// Performs [`ConnectionAction`]s over WebRTC; the events go into a channel that the host drains.
///
/// Events of one link come in order: `Described`, then candidates, `Opened`, then frames, and at last
/// `Closed`. After `Closed` the sockets are released, and nothing more comes.
///
/// Dropping it closes every connection in the background; [`WebRtc::close`] waits for that.
pub struct WebRtc {
    config: Arc<WebRtcConfig>,
    events: mpsc::Sender<(LinkId, ConnectionEvent)>,
    connections: BTreeMap<LinkId, Connection>,
    tasks: JoinSet<()>,
}

impl WebRtc {
    /// A performer without connections. `events` is bounded by its maker: while it is full, nothing is read
    /// from any connection.
    pub fn new(
        config: WebRtcConfig,
        events: mpsc::Sender<(LinkId, ConnectionEvent)>,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { config: Arc::new(config), events, connections: BTreeMap::new(), tasks: JoinSet::new() })
    }

    /// Starts to perform `action`; its outcome comes as events. Call it inside a tokio runtime, a
    /// current-thread one will do.
    ///
    /// An action for a connection that does not exist (any more) does nothing. Events of a link that are in
    /// the channel already when it is closed stay there, so a link's id must not be used again.
    pub fn perform(&mut self, link: LinkId, action: ConnectionAction) {
        while self.tasks.try_join_next().is_some() {}
        match action {
            ConnectionAction::Offer => self.connect(link, Role::Offer),
            ConnectionAction::Answer { offer } => self.connect(link, Role::Answer { offer }),
            ConnectionAction::Accept { answer } => self.mail(link, Mail::Accept(answer)),
            ConnectionAction::AddCandidate(candidate) => self.mail(link, Mail::AddCandidate(candidate)),
            ConnectionAction::Transmit { channel, frame } => {
                if let Some(connection) = self.connections.get(&link) {
                    connection.transmit(channel, frame);
                }
            }
            ConnectionAction::Close => drop(self.connections.remove(&link)),
        }
    }

    /// How many connections there are that have neither been closed nor told that they closed themselves.
    pub fn connections(&self) -> usize {
        self.connections.values().filter(|connection| connection.is_alive()).count()
    }

    /// Closes every connection and waits until their sockets are released.
    pub async fn close(mut self) {
        self.connections.clear();
        while self.tasks.join_next().await.is_some() {}
    }

    fn connect(&mut self, link: LinkId, role: Role) {
        self.connections.retain(|_, connection| connection.is_alive());
        let (hold, events) = Events::new(link, self.events.clone());
        let (connection, task) = Connection::new(self.config.clone(), role, hold, events);
        self.tasks.spawn(task);
        self.connections.insert(link, connection);
    }

    fn mail(&self, link: LinkId, mail: Mail) {
        if let Some(connection) = self.connections.get(&link) {
            connection.mail(mail);
        }
    }
}

impl Drop for WebRtc {
    fn drop(&mut self) {
        // Aborted tasks would leave their sockets open: a peer connection is released by `close`, not by
        // dropping.
        self.tasks.detach_all();
    }
}
