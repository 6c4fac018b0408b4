//! What the library calls back.

use std::{
    future::{Future, ready},
    pin::Pin,
    sync::Arc,
};

use tokio::sync::mpsc;
use webrtc::{
    data_channel::DataChannel,
    peer_connection::{
        PeerConnectionEventHandler, RTCIceGatheringState, RTCPeerConnectionIceEvent, RTCPeerConnectionState,
    },
};

use super::session::Mail;

/// Forwards what matters to the session. Callbacks run on the connection's driver, so they do nothing else:
/// the driver stands still until they return, and a call back into the connection may wait for the driver.
pub(super) struct Handler(pub(super) mpsc::UnboundedSender<Mail>);

impl Handler {
    fn forward<'a>(&self, mail: Option<Mail>) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        if let Some(mail) = mail {
            // The session is gone when the connection is being closed.
            let _ = self.0.send(mail);
        }
        Box::pin(ready(()))
    }
}

/// The trait's methods are `async` by way of `async_trait`; these signatures are what that expands to.
impl PeerConnectionEventHandler for Handler {
    fn on_ice_candidate<'s, 'f>(
        &'s self,
        event: RTCPeerConnectionIceEvent,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        self.forward(event.candidate.to_json().ok().map(|json| Mail::Candidate(json.candidate)))
    }

    fn on_ice_gathering_state_change<'s, 'f>(
        &'s self,
        state: RTCIceGatheringState,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        self.forward((state == RTCIceGatheringState::Complete).then_some(Mail::Gathered))
    }

    fn on_connection_state_change<'s, 'f>(
        &'s self,
        state: RTCPeerConnectionState,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        self.forward(match state {
            RTCPeerConnectionState::Failed => Some(Mail::Unreachable),
            RTCPeerConnectionState::Closed => Some(Mail::ClosedByPeer),
            // `Disconnected` may still recover; `Failed` follows when it does not.
            _ => None,
        })
    }

    fn on_data_channel<'s, 'f>(
        &'s self,
        data_channel: Arc<dyn DataChannel>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        self.forward(Some(Mail::DataChannel(data_channel)))
    }
}
