//! One open data channel: the task that reads it and the task that writes it. Each ends with the reason why
//! the connection is of no use any more; the writer also ends, without one, when the host has let go and
//! everything is handed over.

use std::sync::Arc;

use meshwork_base::Bytes;
use meshwork_wire::Channel;
use tokio::sync::mpsc;
use webrtc::data_channel::{DataChannel, DataChannelEvent};

use super::{events::Events, failure::Failure};
use crate::ConnectionEvent;

/// Waits until `lane` is open, and says which channel it is.
pub(super) async fn opened(lane: Arc<dyn DataChannel>) -> Result<(Channel, Arc<dyn DataChannel>), Failure> {
    loop {
        match lane.poll().await {
            Some(DataChannelEvent::OnOpen) => break,
            Some(DataChannelEvent::OnClose) | None => return Err(Failure::ClosedByPeer),
            Some(_) => {}
        }
    }
    let closed = |_| Failure::ClosedByPeer;
    let label = lane.label().await.map_err(closed)?;
    let Some(channel) = Channel::ALL.into_iter().find(|channel| channel.label() == label) else {
        return Err(Failure::UnexpectedChannel(label));
    };
    // (How often the other side retransmits, the library does not tell on channels that it accepts.)
    if !lane.ordered().await.map_err(closed)? {
        return Err(Failure::UnorderedChannel(channel.label()));
    }
    Ok((channel, lane))
}

/// Hands on what comes, no faster than the host takes it.
pub(super) async fn read(channel: Channel, lane: Arc<dyn DataChannel>, events: Events) -> Option<Failure> {
    loop {
        match lane.poll().await {
            Some(DataChannelEvent::OnMessage(message)) => {
                events.send(ConnectionEvent::Received { channel, frame: message.data.freeze() }).await;
            }
            // `poll` does not end after `OnClose`: it would wait for ever.
            Some(DataChannelEvent::OnClose) | None => return Some(Failure::ClosedByPeer),
            // Among them `OnBufferedAmountLow`, which also comes without cause.
            Some(_) => {}
        }
    }
}

/// Sends what is queued, no faster than the connection takes it.
pub(super) async fn write(
    channel: Channel,
    lane: Arc<dyn DataChannel>,
    mut queue: mpsc::UnboundedReceiver<Bytes>,
    events: Events,
) -> Option<Failure> {
    while let Some(frame) = queue.recv().await {
        let bytes = frame.len();
        if let Err(error) = lane.send(frame.into()).await {
            return Some(Failure::Send { channel, error });
        }
        events.send(ConnectionEvent::Sent { channel, bytes }).await;
    }
    None
}
