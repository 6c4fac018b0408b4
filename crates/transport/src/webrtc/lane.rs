//! One open data channel: the task that reads it and the task that writes it. Each ends with the reason why
//! the connection is of no use any more; the writer also ends, without one, when the host has let go and
//! everything is handed over.

use std::sync::Arc;

use meshwork_base::Bytes;
use meshwork_wire::Channel;
use tokio::sync::mpsc;
use webrtc::{
    data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit},
    error::Error,
};

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
    match (channel, lane.ordered().await.map_err(closed)?) {
        (Channel::Lossy, true) => Err(Failure::OrderedChannel(channel.label())),
        (Channel::Control | Channel::Live | Channel::Bulk, false) => {
            Err(Failure::UnorderedChannel(channel.label()))
        }
        _ => Ok((channel, lane)),
    }
}

/// How the offering side opens a channel.
pub(super) fn settings(channel: Channel) -> Option<RTCDataChannelInit> {
    (channel == Channel::Lossy).then(|| RTCDataChannelInit {
        ordered: false,
        max_retransmits: Some(0),
        ..Default::default()
    })
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

/// Sends what is queued, no faster than the connection takes it; on the lossy channel, what it takes at once.
pub(super) async fn write(
    channel: Channel,
    lane: Arc<dyn DataChannel>,
    mut queue: mpsc::UnboundedReceiver<Bytes>,
    events: Events,
) -> Option<Failure> {
    while let Some(frame) = queue.recv().await {
        let bytes = frame.len();
        let sent = match channel {
            // What finds no room is out of date by the time that there is some.
            Channel::Lossy => match lane.try_send(frame.into()).await {
                Err(Error::ErrSendBufferFull) => Ok(()),
                sent => sent,
            },
            Channel::Control | Channel::Live | Channel::Bulk => lane.send(frame.into()).await,
        };
        if let Err(error) = sent {
            return Some(Failure::Send { channel, error });
        }
        events.send(ConnectionEvent::Sent { channel, bytes }).await;
    }
    None
}
