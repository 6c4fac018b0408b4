//! One data channel of a connection.

use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::{Rc, Weak},
};

use meshwork::Bytes;
use meshwork_transport::ConnectionEvent;
use meshwork_wire::{Channel, FRAME_BYTES_MAX};
use wasm_bindgen::prelude::*;
use web_sys::{
    MessageEvent, RtcDataChannel, RtcDataChannelInit, RtcDataChannelState, RtcDataChannelType,
    RtcPeerConnection,
};

use super::link::Link;
use crate::browser::words;

/// A channel with what the browser calls.
pub(super) struct Lane {
    data: RtcDataChannel,
    sending: Rc<RefCell<Sending>>,
    _opened: Closure<dyn Fn()>,
    _received: Closure<dyn Fn(MessageEvent)>,
    _drained: Closure<dyn Fn()>,
    _closed: Closure<dyn Fn()>,
}

/// Frames that the browser has and that have not left it.
#[derive(Default)]
struct Sending {
    frames: VecDeque<usize>,
    bytes: usize,
}

impl Sending {
    /// Takes note that `buffered` bytes are left; returns how many have gone since the last time.
    ///
    /// The browser tells of bytes; what counts is whole frames.
    fn settle(&mut self, buffered: usize) -> usize {
        let before = self.bytes;
        while let Some(first) = self.frames.front().copied().filter(|first| self.bytes - first >= buffered) {
            self.frames.pop_front();
            self.bytes -= first;
        }
        before - self.bytes
    }

    /// How few bytes have to be left for the first frame to have gone.
    fn threshold(&self) -> usize {
        self.bytes - self.frames.front().copied().unwrap_or(0)
    }
}

impl Lane {
    /// Opens a channel, on the side that offers.
    pub(super) fn open(connection: &RtcPeerConnection, channel: Channel, link: &Weak<Link>) -> Self {
        let settings = RtcDataChannelInit::new();
        if channel == Channel::Lossy {
            settings.set_ordered(false);
            settings.set_max_retransmits(0);
        }
        let data = connection.create_data_channel_with_data_channel_dict(channel.label(), &settings);
        Self::new(data, channel, link)
    }

    /// Takes a channel that the other side opened.
    pub(super) fn admit(data: RtcDataChannel, link: &Weak<Link>) -> Result<(Channel, Self), String> {
        let label = data.label();
        let Some(channel) = Channel::ALL.into_iter().find(|channel| channel.label() == label) else {
            let label: String = label.chars().take(40).collect();
            return Err(format!(
                "the other side opened a data channel `{label}` that does not belong to a link"
            ));
        };
        let ordered = js_sys::Reflect::get(&data, &"ordered".into()).is_ok_and(|ordered| ordered.is_truthy());
        match (channel, ordered) {
            (Channel::Lossy, true) => Err("data channel `lossy` is ordered".into()),
            (Channel::Control | Channel::Live | Channel::Bulk, false) => {
                Err(format!("data channel `{label}` is not ordered"))
            }
            _ => Ok((channel, Self::new(data, channel, link))),
        }
    }

    fn new(data: RtcDataChannel, channel: Channel, link: &Weak<Link>) -> Self {
        data.set_binary_type(RtcDataChannelType::Arraybuffer);
        let sending = Rc::<RefCell<Sending>>::default();
        let opened = {
            let link = link.clone();
            Closure::<dyn Fn()>::new(move || with(&link, |link| link.lane_opened()))
        };
        let received = {
            let link = link.clone();
            Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
                with(&link, |link| match frame(&event) {
                    Some(frame) => link.received(channel, frame),
                    None => link.fail("the other side sent what is no frame"),
                });
            })
        };
        let drained = {
            let (link, data, sending) = (link.clone(), data.clone(), sending.clone());
            Closure::<dyn Fn()>::new(move || {
                let bytes = settle(&data, &mut sending.borrow_mut());
                if bytes > 0 {
                    with(&link, |link| link.tell(ConnectionEvent::Sent { channel, bytes }));
                }
            })
        };
        let closed = {
            let link = link.clone();
            Closure::<dyn Fn()>::new(move || {
                with(&link, |link| link.fail("the other side closed the connection"))
            })
        };
        data.set_onopen(Some(opened.as_ref().unchecked_ref()));
        data.set_onmessage(Some(received.as_ref().unchecked_ref()));
        data.set_onbufferedamountlow(Some(drained.as_ref().unchecked_ref()));
        data.set_onclose(Some(closed.as_ref().unchecked_ref()));
        Self { data, sending, _opened: opened, _received: received, _drained: drained, _closed: closed }
    }

    pub(super) fn is_open(&self) -> bool {
        self.data.ready_state() == RtcDataChannelState::Open
    }

    /// Hands a frame to the browser. It has been sent when the browser's buffer has shrunk past it, which is told then.
    pub(super) fn transmit(&self, frame: &[u8]) -> Result<(), String> {
        self.data.send_with_u8_array(frame).map_err(|thrown| words(&thrown))?;
        let mut sending = self.sending.borrow_mut();
        sending.frames.push_back(frame.len());
        sending.bytes += frame.len();
        if sending.frames.len() == 1 {
            set_threshold(&self.data, &sending);
        }
        Ok(())
    }
}

/// The browser may call until the connection is closed, which is a little later.
impl Drop for Lane {
    fn drop(&mut self) {
        self.data.set_onopen(None);
        self.data.set_onmessage(None);
        self.data.set_onbufferedamountlow(None);
        self.data.set_onclose(None);
    }
}

fn settle(data: &RtcDataChannel, sending: &mut Sending) -> usize {
    let bytes = sending.settle(data.buffered_amount() as usize);
    set_threshold(data, sending);
    bytes
}

fn set_threshold(data: &RtcDataChannel, sending: &Sending) {
    data.set_buffered_amount_low_threshold(u32::try_from(sending.threshold()).unwrap_or(u32::MAX));
}

fn with(link: &Weak<Link>, action: impl FnOnce(&Link)) {
    if let Some(link) = link.upgrade() {
        action(&link);
    }
}

fn frame(event: &MessageEvent) -> Option<Bytes> {
    let buffer = event.data().dyn_into::<js_sys::ArrayBuffer>().ok()?;
    let bytes = js_sys::Uint8Array::new(&buffer);
    (bytes.length() as usize <= FRAME_BYTES_MAX).then(|| bytes.to_vec().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_frames_count_as_sent() {
        let mut sending = Sending { frames: VecDeque::from([10, 20, 30]), bytes: 60 };
        assert_eq!(sending.threshold(), 50);
        let steps = [(60, 0), (51, 0), (50, 10), (31, 0), (30, 20), (0, 30), (0, 0)];
        for (buffered, gone) in steps {
            assert_eq!(sending.settle(buffered), gone, "{buffered} left");
        }
        assert_eq!((sending.bytes, sending.threshold()), (0, 0));
    }
}
