//! Who makes the connections.

use std::pin::Pin;

use meshwork_transport::{ConnectionAction, ConnectionEvent, LinkId, webrtc::WebRtc};
use tokio::sync::mpsc;

/// Where a connector puts what happens to its connections. Bounded: await a place.
pub type ConnectionEvents = mpsc::Sender<(LinkId, ConnectionEvent)>;

/// Performs connections for a node: WebRTC, or something of the reader's.
pub trait Connector {
    /// Does what the transport machine asks. Must neither block nor await.
    fn perform(&mut self, link: LinkId, action: ConnectionAction);

    /// Closes every connection, after what was handed over has been sent as far as it can be.
    fn close(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(std::future::ready(()))
    }
}

impl Connector for WebRtc {
    fn perform(&mut self, link: LinkId, action: ConnectionAction) {
        Self::perform(self, link, action);
    }

    fn close(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin((*self).close())
    }
}
