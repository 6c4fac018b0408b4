//! One side of a connection.

use std::{net::Ipv4Addr, time::Duration};

use meshwork_base::Bytes;
use meshwork_transport::{
    ConnectionAction, ConnectionEvent, Fingerprints, LinkId,
    webrtc::{WebRtc, WebRtcConfig},
};
use tokio::{sync::mpsc, time::timeout};

/// So long that only something that never happens takes longer.
pub(crate) const NEVER: Duration = Duration::from_secs(20);

pub(crate) const LINK: LinkId = LinkId(1);

/// One performer with the events it tells.
pub(crate) struct End {
    pub(crate) webrtc: WebRtc,
    pub(crate) events: mpsc::Receiver<(LinkId, ConnectionEvent)>,
}

impl End {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: WebRtcConfig) -> Self {
        let (sender, events) = mpsc::channel(64);
        Self { webrtc: WebRtc::new(config, sender).unwrap(), events }
    }

    pub(crate) fn perform(&mut self, action: ConnectionAction) {
        self.webrtc.perform(LINK, action);
    }

    pub(crate) async fn event(&mut self) -> ConnectionEvent {
        let (link, event) = timeout(NEVER, self.events.recv()).await.expect("an event").expect("a performer");
        assert_eq!(link, LINK);
        event
    }

    /// The next event but for candidates.
    pub(crate) async fn news(&mut self) -> ConnectionEvent {
        loop {
            match self.event().await {
                ConnectionEvent::Candidate(_) => {}
                event => return event,
            }
        }
    }

    pub(crate) async fn described(&mut self) -> String {
        match self.news().await {
            ConnectionEvent::Described(sdp) => sdp,
            event => panic!("{event:?}"),
        }
    }

    pub(crate) async fn opened(&mut self) -> Fingerprints {
        match self.news().await {
            ConnectionEvent::Opened(fingerprints) => fingerprints,
            event => panic!("{event:?}"),
        }
    }

    pub(crate) async fn closed(&mut self) -> String {
        match self.news().await {
            ConnectionEvent::Closed { reason } => reason,
            event => panic!("{event:?}"),
        }
    }

    /// Waits until nothing more can come: the performer, and with it every sender of events, is gone.
    pub(crate) async fn end(self) -> Vec<ConnectionEvent> {
        let Self { webrtc, mut events } = self;
        timeout(NEVER, webrtc.close()).await.expect("closed");
        let mut rest = Vec::new();
        while let Some((_, event)) = timeout(NEVER, events.recv()).await.expect("the end of events") {
            rest.push(event);
        }
        rest
    }
}

pub(crate) fn config() -> WebRtcConfig {
    WebRtcConfig { bind: vec![Ipv4Addr::LOCALHOST.into()], ..WebRtcConfig::default() }
}

/// A runtime as the host's: one thread.
pub(crate) fn on_one_thread(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

pub(crate) async fn connect(a: &mut End, b: &mut End) -> (Fingerprints, Fingerprints) {
    a.perform(ConnectionAction::Offer);
    let offer = a.described().await;
    b.perform(ConnectionAction::Answer { offer });
    let answer = b.described().await;
    a.perform(ConnectionAction::Accept { answer });
    (a.opened().await, b.opened().await)
}

/// A frame that shows truncation, corruption and a wrong order.
pub(crate) fn frame(number: usize, bytes: usize) -> Bytes {
    (0..bytes).map(|at| (number * 31 + at * 7) as u8).collect()
}
