//! The way of a connection's events to the host.

use tokio::sync::{mpsc, watch};

use crate::{ConnectionEvent, LinkId};

/// Where the events of one link go, for as long as the host holds it.
#[derive(Clone)]
pub(super) struct Events {
    link: LinkId,
    sender: mpsc::Sender<(LinkId, ConnectionEvent)>,
    host: watch::Receiver<()>,
}

/// The host's end: dropping it ends the events.
pub(super) type Hold = watch::Sender<()>;

impl Events {
    pub(super) fn new(link: LinkId, sender: mpsc::Sender<(LinkId, ConnectionEvent)>) -> (Hold, Self) {
        let (hold, host) = watch::channel(());
        (hold, Self { link, sender, host })
    }

    /// Hands over an event once there is room for it; drops it when the host has let go of the link by then.
    pub(super) async fn send(&self, event: ConnectionEvent) {
        if let Ok(room) = self.sender.reserve().await
            && self.host.has_changed().is_ok()
        {
            room.send((self.link, event));
        }
    }

    /// Waits until the host lets go of the link.
    pub(super) async fn let_go(&mut self) {
        while self.host.changed().await.is_ok() {}
    }
}
