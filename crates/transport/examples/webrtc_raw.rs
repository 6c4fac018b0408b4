//! How fast are the data channels themselves, without anything of ours above the performer? Two performers
//! in one process, over 127.0.0.1, on one thread. Run it with `--release`.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program to be looked at")]

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use meshwork_base::Bytes;
use meshwork_transport::{
    ConnectionAction, ConnectionEvent, LinkId,
    webrtc::{WebRtc, WebRtcConfig},
};
use meshwork_wire::{Channel, FRAME_BYTES_MAX};
use tokio::sync::mpsc;

const CONNECTS: u64 = 50;
const ROUND_TRIPS: usize = 5_000;
const THROUGHPUT_BYTES: usize = 256 * 1024 * 1024;
const SMALL_BYTES: usize = 256;

/// What a sender leaves outstanding, as the machine does.
const IN_FLIGHT_BYTES: usize = 256 * 1024;

struct End {
    webrtc: WebRtc,
    events: mpsc::Receiver<(LinkId, ConnectionEvent)>,
}

impl End {
    fn new() -> Self {
        let config = WebRtcConfig { bind: vec![Ipv4Addr::LOCALHOST.into()], ..WebRtcConfig::default() };
        let (sender, events) = mpsc::channel(1024);
        Self { webrtc: WebRtc::new(config, sender).expect("a valid configuration"), events }
    }

    async fn event(&mut self) -> ConnectionEvent {
        self.events.recv().await.expect("a performer").1
    }

    async fn described(&mut self) -> String {
        loop {
            if let ConnectionEvent::Described(sdp) = self.event().await {
                return sdp;
            }
        }
    }

    async fn opened(&mut self) {
        while !matches!(self.event().await, ConnectionEvent::Opened(_)) {}
    }

    fn transmit(&mut self, link: LinkId, channel: Channel, frame: Bytes) {
        self.webrtc.perform(link, ConnectionAction::Transmit { channel, frame });
    }
}

/// Connects, and says how long it took since both descriptions were applied, and in all.
async fn connect(a: &mut End, b: &mut End, link: LinkId) -> (Duration, Duration) {
    let start = Instant::now();
    a.webrtc.perform(link, ConnectionAction::Offer);
    let offer = a.described().await;
    b.webrtc.perform(link, ConnectionAction::Answer { offer });
    let answer = b.described().await;
    let described = Instant::now();
    a.webrtc.perform(link, ConnectionAction::Accept { answer });
    a.opened().await;
    b.opened().await;
    (described.elapsed(), start.elapsed())
}

async fn round_trips(a: &mut End, b: &mut End, link: LinkId) -> Vec<Duration> {
    let frame = Bytes::from(vec![7; SMALL_BYTES]);
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let start = Instant::now();
        a.transmit(link, Channel::Live, frame.clone());
        while !matches!(b.event().await, ConnectionEvent::Received { .. }) {}
        b.transmit(link, Channel::Live, frame.clone());
        while !matches!(a.event().await, ConnectionEvent::Received { .. }) {}
        times.push(start.elapsed());
    }
    times
}

/// Sends `bytes` on each of `channels` in frames of `size`, and says how long it took until they were there.
async fn one_way(
    a: &mut End,
    b: &mut End,
    link: LinkId,
    channels: &[Channel],
    size: usize,
    bytes: usize,
) -> Duration {
    let start = Instant::now();
    let frame = Bytes::from(vec![7; size]);
    let send = async {
        let mut left = [0; Channel::ALL.len()];
        let mut in_flight = [0; Channel::ALL.len()];
        channels.iter().for_each(|channel| left[channel.index()] = bytes);
        loop {
            for channel in channels {
                let at = channel.index();
                while left[at] > 0 && in_flight[at] + size <= IN_FLIGHT_BYTES {
                    a.transmit(link, *channel, frame.clone());
                    left[at] -= size;
                    in_flight[at] += size;
                }
            }
            if in_flight.iter().all(|bytes| *bytes == 0) {
                break;
            }
            if let ConnectionEvent::Sent { channel, bytes } = a.event().await {
                in_flight[channel.index()] -= bytes;
            }
        }
    };
    let receive = async {
        let mut received = 0;
        while received < bytes * channels.len() {
            if let ConnectionEvent::Received { frame, .. } = b.event().await {
                received += frame.len();
            }
        }
    };
    tokio::join!(send, receive);
    start.elapsed()
}

fn row(what: &str, mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    format!("| {what} | {:.3} | {:.3} | {:.3} |", at(50), at(99), at(100))
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (mut a, mut b) = (End::new(), End::new());

    let (mut opening, mut whole) = (Vec::new(), Vec::new());
    for number in 0..CONNECTS {
        let (since_described, since_start) = connect(&mut a, &mut b, LinkId(number)).await;
        opening.push(since_described);
        whole.push(since_start);
        a.webrtc.perform(LinkId(number), ConnectionAction::Close);
        while !matches!(b.event().await, ConnectionEvent::Closed { .. }) {}
    }

    let link = LinkId(CONNECTS);
    connect(&mut a, &mut b, link).await;
    let trips = round_trips(&mut a, &mut b, link).await;
    let mut speeds = Vec::new();
    for (channels, size, bytes) in [
        (&Channel::ALL[1..2], FRAME_BYTES_MAX, THROUGHPUT_BYTES),
        (&Channel::ALL[1..2], 16 * 1024, THROUGHPUT_BYTES),
        (&Channel::ALL[1..2], SMALL_BYTES, THROUGHPUT_BYTES / 8),
        (&Channel::RELIABLE[..], FRAME_BYTES_MAX, THROUGHPUT_BYTES / 2),
    ] {
        let time = one_way(&mut a, &mut b, link, channels, size, bytes).await.as_secs_f64();
        let all = (bytes * channels.len()) as f64;
        speeds.push(format!(
            "| {} x {size} bytes | {:.0} | {:.0} |",
            channels.len(),
            all / time / 1e6,
            all / size as f64 / time
        ));
    }

    println!("| milliseconds | p50 | p99 | worst |\n|---|---|---|---|");
    println!("{}", row(&format!("connect, {CONNECTS} times: answer there to both open"), opening));
    println!("{}", row("connect: offer asked for to both open", whole));
    println!("{}", row("round trip of 256 bytes", trips));
    println!("\n| one way: channels and frame size | MB/s | frames/s |\n|---|---|---|");
    println!("{}", speeds.join("\n"));
    a.webrtc.close().await;
    b.webrtc.close().await;
}
