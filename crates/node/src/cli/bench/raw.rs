//! A connection with nothing of ours above its performer: what everything else is compared with.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use meshwork::Bytes;
use meshwork_transport::{
    ConnectionAction, ConnectionEvent, IN_FLIGHT_BYTES_MAX, LinkId,
    webrtc::{WebRtc, WebRtcConfig},
};
use meshwork_wire::{Channel, FRAME_BYTES_MAX};
use tokio::sync::mpsc;

use super::protocol::{RawOrder, Tell};
use crate::cli::process::{tell, wall_us};

/// The only link.
const LINK: LinkId = LinkId(1);
/// The size of frames that go back and forth.
pub(crate) const PING_BYTES: usize = 256;

/// What the worker is doing.
enum Work {
    Nothing,
    Echo,
    Ping { left: usize, pause: Duration, sent: Instant, ns: Vec<u64> },
    Send { left: usize, in_flight: usize },
    Receive { left: usize },
}

/// One end of the connection.
pub(crate) struct Raw {
    webrtc: WebRtc,
    events: mpsc::Receiver<(LinkId, ConnectionEvent)>,
    work: Work,
}

impl Raw {
    pub(crate) fn new() -> Result<Self> {
        let (sender, events) = mpsc::channel(1024);
        Ok(Self { webrtc: WebRtc::new(WebRtcConfig::default(), sender)?, events, work: Work::Nothing })
    }

    /// What happens to the connection next. Can be dropped and called again.
    pub(crate) async fn event(&mut self) -> Option<ConnectionEvent> {
        self.events.recv().await.map(|(_, event)| event)
    }

    pub(crate) fn order(&mut self, order: RawOrder) {
        match order {
            RawOrder::Offer => self.webrtc.perform(LINK, ConnectionAction::Offer),
            RawOrder::Answer { offer } => self.webrtc.perform(LINK, ConnectionAction::Answer { offer }),
            RawOrder::Accept { answer } => self.webrtc.perform(LINK, ConnectionAction::Accept { answer }),
            RawOrder::Echo => self.work = Work::Echo,
            RawOrder::Ping { count, every_us } => {
                let pause = Duration::from_micros(every_us);
                self.transmit(Bytes::from(vec![7; PING_BYTES]));
                self.work =
                    Work::Ping { left: count, pause, sent: Instant::now(), ns: Vec::with_capacity(count) };
            }
            RawOrder::Send { bytes } => {
                tell(&Tell::Sending { at_us: wall_us() });
                self.work = Work::Send { left: bytes, in_flight: 0 };
                self.fill(0);
            }
            RawOrder::Receive { bytes } => self.work = Work::Receive { left: bytes },
        }
    }

    fn transmit(&mut self, frame: Bytes) {
        self.webrtc.perform(LINK, ConnectionAction::Transmit { channel: Channel::Live, frame });
    }

    pub(crate) async fn hear(&mut self, event: ConnectionEvent) -> Result<()> {
        match event {
            ConnectionEvent::Described(sdp) => tell(&Tell::Described { sdp }),
            ConnectionEvent::Candidate(_) => {}
            ConnectionEvent::Opened(_) => tell(&Tell::Opened),
            ConnectionEvent::Sent { bytes, .. } => self.fill(bytes),
            ConnectionEvent::Received { frame, .. } => self.receive(frame).await,
            ConnectionEvent::Closed { reason } => bail!("the connection ended: {reason}"),
        }
        Ok(())
    }

    async fn receive(&mut self, frame: Bytes) {
        match &mut self.work {
            Work::Nothing | Work::Send { .. } => {}
            Work::Echo => self.transmit(frame),
            Work::Ping { left, pause, sent, ns } => {
                ns.push(u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX));
                *left = left.saturating_sub(1);
                if *left == 0 {
                    tell(&Tell::Trips { ns: std::mem::take(ns) });
                    self.work = Work::Nothing;
                    return;
                }
                if !pause.is_zero() {
                    tokio::time::sleep(*pause).await;
                }
                *sent = Instant::now();
                self.transmit(frame);
            }
            Work::Receive { left } => {
                *left = left.saturating_sub(frame.len());
                if *left == 0 {
                    tell(&Tell::Received { at_us: wall_us() });
                    self.work = Work::Nothing;
                }
            }
        }
    }

    /// Keeps as much under way as a link does.
    fn fill(&mut self, sent: usize) {
        let Work::Send { left, in_flight } = &mut self.work else { return };
        *in_flight = in_flight.saturating_sub(sent);
        let mut frames = 0;
        while *left > 0 && *in_flight + FRAME_BYTES_MAX <= IN_FLIGHT_BYTES_MAX {
            *left = left.saturating_sub(FRAME_BYTES_MAX);
            *in_flight += FRAME_BYTES_MAX;
            frames += 1;
        }
        let frame = Bytes::from(vec![7; FRAME_BYTES_MAX]);
        for _ in 0..frames {
            self.transmit(frame.clone());
        }
    }
}
