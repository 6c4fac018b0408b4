//! The WebRTC performer against itself: two of them in one process, over 127.0.0.1.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use meshwork_base::Bytes;
use meshwork_transport::{
    ConnectionAction, ConnectionEvent, Fingerprints, LinkId,
    webrtc::{IceServer, WebRtc, WebRtcConfig},
};
use meshwork_wire::{Channel, DATAGRAM_BYTES_MAX, FRAME_BYTES_MAX};
use tokio::{sync::mpsc, time::timeout};
use webrtc::{
    data_channel::RTCDataChannelInit,
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCSessionDescription,
    },
};

/// So long that only something that never happens takes longer.
const NEVER: Duration = Duration::from_secs(20);

const LINK: LinkId = LinkId(1);

/// One performer with the events it tells.
struct End {
    webrtc: WebRtc,
    events: mpsc::Receiver<(LinkId, ConnectionEvent)>,
}

impl End {
    fn new() -> Self {
        Self::with(config())
    }

    fn with(config: WebRtcConfig) -> Self {
        let (sender, events) = mpsc::channel(64);
        Self { webrtc: WebRtc::new(config, sender).unwrap(), events }
    }

    fn perform(&mut self, action: ConnectionAction) {
        self.webrtc.perform(LINK, action);
    }

    async fn event(&mut self) -> ConnectionEvent {
        let (link, event) = timeout(NEVER, self.events.recv()).await.expect("an event").expect("a performer");
        assert_eq!(link, LINK);
        event
    }

    /// The next event but for candidates.
    async fn news(&mut self) -> ConnectionEvent {
        loop {
            match self.event().await {
                ConnectionEvent::Candidate(_) => {}
                event => return event,
            }
        }
    }

    async fn described(&mut self) -> String {
        match self.news().await {
            ConnectionEvent::Described(sdp) => sdp,
            event => panic!("{event:?}"),
        }
    }

    async fn opened(&mut self) -> Fingerprints {
        match self.news().await {
            ConnectionEvent::Opened(fingerprints) => fingerprints,
            event => panic!("{event:?}"),
        }
    }

    async fn closed(&mut self) -> String {
        match self.news().await {
            ConnectionEvent::Closed { reason } => reason,
            event => panic!("{event:?}"),
        }
    }

    /// Waits until nothing more can come: the performer, and with it every sender of events, is gone.
    async fn end(self) -> Vec<ConnectionEvent> {
        let Self { webrtc, mut events } = self;
        timeout(NEVER, webrtc.close()).await.expect("closed");
        let mut rest = Vec::new();
        while let Some((_, event)) = timeout(NEVER, events.recv()).await.expect("the end of events") {
            rest.push(event);
        }
        rest
    }
}

fn config() -> WebRtcConfig {
    WebRtcConfig { bind: vec![Ipv4Addr::LOCALHOST.into()], ..WebRtcConfig::default() }
}

/// A runtime as the host's: one thread.
fn on_one_thread(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

async fn connect(a: &mut End, b: &mut End) -> (Fingerprints, Fingerprints) {
    a.perform(ConnectionAction::Offer);
    let offer = a.described().await;
    b.perform(ConnectionAction::Answer { offer });
    let answer = b.described().await;
    a.perform(ConnectionAction::Accept { answer });
    (a.opened().await, b.opened().await)
}

/// A frame that shows truncation, corruption and a wrong order.
fn frame(number: usize, bytes: usize) -> Bytes {
    (0..bytes).map(|at| (number * 31 + at * 7) as u8).collect()
}

#[test]
fn both_sides_open_and_know_the_same_certificates() {
    on_one_thread(async {
        let (mut a, mut b) = (End::new(), End::new());
        let (at_a, at_b) = connect(&mut a, &mut b).await;
        assert_eq!((&at_a.local, &at_a.remote), (&at_b.remote, &at_b.local));
        assert_ne!(at_a.local, at_a.remote);
        let bytes = at_a.local.strip_prefix("sha-256 ").expect("the algorithm");
        assert_eq!(bytes.split(':').count(), 32);
        assert!(bytes.split(':').all(|byte| byte.len() == 2 && byte == byte.to_lowercase()));
    });
}

#[test]
fn local_candidates_spare_the_hub_messages() {
    on_one_thread(async {
        let mut a = End::new();
        a.perform(ConnectionAction::Offer);
        assert!(a.described().await.contains("a=candidate:"));
        assert_eq!(a.end().await, vec![]);
    });
}

#[test]
fn candidates_that_come_by_themselves_connect_too() {
    on_one_thread(async {
        let (mut a, mut b) = (End::new(), End::new());
        a.perform(ConnectionAction::Offer);
        let (offer, of_a) = split(&a.described().await);
        b.perform(ConnectionAction::Answer { offer });
        let (answer, of_b) = split(&b.described().await);
        assert!(!of_a.is_empty() && !of_b.is_empty());
        // Before the description they belong to.
        for candidate in of_b {
            a.perform(ConnectionAction::AddCandidate(candidate));
        }
        a.perform(ConnectionAction::Accept { answer });
        // Without them b cannot dial, but answers.
        for candidate in
            ["", "garbage", "candidate:1 1 udp x y z", "candidate:1 1 tcp 1 127.0.0.1 9 typ host"]
        {
            b.perform(ConnectionAction::AddCandidate(candidate.into()));
        }
        for candidate in of_a {
            b.perform(ConnectionAction::AddCandidate(candidate));
        }
        a.opened().await;
        b.opened().await;
    });
}

/// A description without its candidates, and these.
fn split(sdp: &str) -> (String, Vec<String>) {
    let (candidates, rest): (Vec<_>, Vec<_>) =
        sdp.split_inclusive("\r\n").partition(|line| line.starts_with("a=candidate:"));
    (rest.concat(), candidates.into_iter().map(|line| line.trim()[2..].to_owned()).collect())
}

#[test]
fn what_was_handed_over_before_the_close_still_arrives() {
    on_one_thread(async {
        let (mut a, mut b) = (End::new(), End::new());
        connect(&mut a, &mut b).await;
        a.perform(ConnectionAction::Transmit { channel: Channel::Control, frame: frame(1, 100) });
        a.perform(ConnectionAction::Close);
        assert_eq!(
            b.news().await,
            ConnectionEvent::Received { channel: Channel::Control, frame: frame(1, 100) }
        );
        b.closed().await;
        assert_eq!(a.end().await, vec![]);
    });
}

#[test]
fn frames_of_all_sizes_arrive_in_order_on_the_reliable_channels_both_ways() {
    on_one_thread(async {
        let (mut a, mut b) = (End::new(), End::new());
        connect(&mut a, &mut b).await;
        let sizes = [1, 2, 255, 1_000, 1_191, 1_192, 16 * 1024, 65_535, FRAME_BYTES_MAX, 1, FRAME_BYTES_MAX];
        for end in [&mut a, &mut b] {
            for (number, bytes) in sizes.into_iter().enumerate() {
                for channel in Channel::RELIABLE {
                    end.perform(ConnectionAction::Transmit { channel, frame: frame(number, bytes) });
                }
            }
        }
        // Side by side: a host that did not drain its events would slow down the other one.
        let (at_a, at_b) = tokio::join!(collect(&mut a, &sizes), collect(&mut b, &sizes));
        for received in [at_a, at_b] {
            for frames in received {
                assert_eq!(frames.len(), sizes.len());
                for (number, (got, bytes)) in frames.into_iter().zip(sizes).enumerate() {
                    assert!(got == frame(number, bytes), "frame {number} of {bytes} bytes");
                }
            }
        }
    });
}

/// Everything that comes and everything that is told to be sent, until there was as much of it as `sizes`
/// on every reliable channel.
async fn collect(end: &mut End, sizes: &[usize]) -> [Vec<Bytes>; 3] {
    let mut received = [const { Vec::new() }; 3];
    let mut sent = [const { Vec::new() }; 3];
    while received.iter().any(|frames| frames.len() < sizes.len())
        || sent.iter().any(|it| it.len() < sizes.len())
    {
        match end.news().await {
            ConnectionEvent::Received { channel, frame } => received[channel.index()].push(frame),
            ConnectionEvent::Sent { channel, bytes } => sent[channel.index()].push(bytes),
            event => panic!("{event:?}"),
        }
    }
    for sent in sent {
        assert_eq!(sent, sizes);
    }
    received
}

#[test]
fn datagrams_arrive_both_ways_in_any_order() {
    on_one_thread(async {
        let (mut a, mut b) = (End::new(), End::new());
        connect(&mut a, &mut b).await;
        for end in [&mut a, &mut b] {
            for number in 0..20 {
                let frame = frame(number, DATAGRAM_BYTES_MAX - number);
                end.perform(ConnectionAction::Transmit { channel: Channel::Lossy, frame });
            }
        }
        for end in [&mut a, &mut b] {
            let (mut sent, mut received) = (0, Vec::new());
            while sent < 20 || received.len() < 20 {
                match end.news().await {
                    ConnectionEvent::Received { channel: Channel::Lossy, frame } => received.push(frame),
                    ConnectionEvent::Sent { channel: Channel::Lossy, .. } => sent += 1,
                    event => panic!("{event:?}"),
                }
            }
            received.sort_by_key(|frame| DATAGRAM_BYTES_MAX - frame.len());
            for (number, got) in received.into_iter().enumerate() {
                assert_eq!(got, frame(number, DATAGRAM_BYTES_MAX - number));
            }
        }
    });
}

#[test]
fn datagrams_for_a_host_that_takes_none_are_dropped_and_hold_up_nothing() {
    on_one_thread(async {
        let (mut a, mut b) = (End::new(), End::new());
        connect(&mut a, &mut b).await;
        // Far more than all buffers in between.
        const DATAGRAMS: usize = 20_000;
        for _ in 0..DATAGRAMS {
            let frame = frame(0, DATAGRAM_BYTES_MAX);
            a.perform(ConnectionAction::Transmit { channel: Channel::Lossy, frame });
        }
        for _ in 0..DATAGRAMS {
            let sent = ConnectionEvent::Sent { channel: Channel::Lossy, bytes: DATAGRAM_BYTES_MAX };
            assert_eq!(a.news().await, sent);
        }
        a.perform(ConnectionAction::Transmit { channel: Channel::Live, frame: frame(7, 100) });
        let mut received = 0;
        loop {
            match b.news().await {
                ConnectionEvent::Received { channel: Channel::Lossy, .. } => received += 1,
                ConnectionEvent::Received { channel: Channel::Live, frame: got } => {
                    assert_eq!(got, frame(7, 100));
                    break;
                }
                event => panic!("{event:?}"),
            }
        }
        assert!(received < DATAGRAMS / 2, "{received}");
    });
}

#[test]
fn a_host_that_does_not_drain_its_events_stops_the_other_side() {
    on_one_thread(async {
        let (mut a, mut b) = (End::new(), End::new());
        connect(&mut a, &mut b).await;
        // Far more than all buffers in between: ours of 64 events, the library's of 512, SCTP's of a
        // megabyte.
        const FRAMES: usize = 4_000;
        for _ in 0..FRAMES {
            a.perform(ConnectionAction::Transmit { channel: Channel::Bulk, frame: frame(0, 16 * 1024) });
        }
        let mut sent = 0;
        while let Ok(Some((_, event))) = timeout(Duration::from_secs(2), a.events.recv()).await {
            assert_eq!(event, ConnectionEvent::Sent { channel: Channel::Bulk, bytes: 16 * 1024 });
            sent += 1;
        }
        assert!(sent < FRAMES / 2, "{sent} frames left for a host that takes none");
        // And nothing is lost.
        let drain_a = async {
            while sent < FRAMES {
                a.news().await;
                sent += 1;
            }
        };
        let drain_b = async {
            for _ in 0..FRAMES {
                assert!(matches!(b.news().await, ConnectionEvent::Received { .. }));
            }
        };
        tokio::join!(drain_a, drain_b);
    });
}

#[test]
fn after_close_nothing_comes_and_the_other_side_learns_of_it() {
    on_one_thread(async {
        let (mut a, mut b) = (End::new(), End::new());
        connect(&mut a, &mut b).await;
        b.perform(ConnectionAction::Transmit { channel: Channel::Live, frame: frame(0, 100) });
        a.perform(ConnectionAction::Close);
        assert_eq!(a.webrtc.connections(), 0);
        assert_eq!(a.end().await, vec![]);
        let reason = loop {
            match b.news().await {
                ConnectionEvent::Closed { reason } => break reason,
                ConnectionEvent::Sent { .. } => {}
                event => panic!("{event:?}"),
            }
        };
        assert_eq!(reason, "the other side closed the connection");
        assert_eq!(b.end().await, vec![]);
    });
}

#[test]
fn a_host_that_has_stopped_listening_can_close() {
    on_one_thread(async {
        let address = own_address(1);
        let (sender, _events) = mpsc::channel(1);
        let config = WebRtcConfig { bind: vec![address.into()], ..config() };
        let mut webrtc = WebRtc::new(config, sender.clone()).unwrap();
        for number in 0..4 {
            webrtc.perform(LinkId(number), ConnectionAction::Answer { offer: "garbage".into() });
        }
        // One has told of its end, the others wait for room to do so.
        let released = async {
            while sender.capacity() > 0 || sockets(address) > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(NEVER, released).await.expect("sockets released");
        assert_eq!(webrtc.connections(), 3);
        timeout(NEVER, webrtc.close()).await.expect("closed");
    });
}

#[test]
fn a_server_that_does_not_answer_holds_up_nothing() {
    on_one_thread(async {
        let ice_servers = vec![IceServer { urls: vec!["stun:127.0.0.1:9".into()], ..IceServer::default() }];
        let config = WebRtcConfig { ice_servers, ..config() };
        let (mut a, mut b) = (End::with(config.clone()), End::with(config));
        connect(&mut a, &mut b).await;
    });
}

#[test]
fn a_peer_that_falls_silent_is_noticed() {
    on_one_thread(async {
        let mut a = End::new();
        // The other side lives in a runtime of its own, which is stopped: its sockets stay open and say
        // nothing more.
        let (to_b, mut at_b) = mpsc::channel::<String>(1);
        let (to_a, mut at_a) = mpsc::channel::<String>(1);
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let b = runtime.block_on(async {
                let mut b = End::new();
                b.perform(ConnectionAction::Answer { offer: at_b.recv().await.unwrap() });
                to_a.send(b.described().await).await.unwrap();
                b.opened().await;
                b
            });
            stopped.recv().unwrap();
            runtime.block_on(b.end());
        });
        a.perform(ConnectionAction::Offer);
        to_b.send(a.described().await).await.unwrap();
        a.perform(ConnectionAction::Accept { answer: at_a.recv().await.unwrap() });
        a.opened().await;
        assert_eq!(a.closed().await, "no way leads to the other side, or it has fallen silent");
        stop.send(()).unwrap();
        other.join().unwrap();
    });
}

#[test]
fn a_bad_description_closes_with_a_reason() {
    on_one_thread(async {
        let valid = {
            let mut a = End::new();
            a.perform(ConnectionAction::Offer);
            a.described().await
        };
        let candidate = "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n";
        for (offer, expected) in [
            ("garbage".to_owned(), "not usable"),
            (String::new(), "not usable"),
            ("v=0\r\n".to_owned(), "not usable"),
            (valid.replace("a=fingerprint", "a=nothing"), "not usable"),
            (valid.replace("a=ice-ufrag", "a=nothing"), "not usable"),
            (format!("{valid}a=x:{}\r\n", "x".repeat(20_000)), "bytes, 16384 are allowed"),
            (format!("{valid}{}", candidate.repeat(33)), "candidates, 32 are allowed"),
        ] {
            let mut b = End::new();
            b.perform(ConnectionAction::Answer { offer: offer.clone() });
            let reason = b.closed().await;
            assert!(reason.contains(expected), "{reason} for {offer:.80}");
            assert_eq!(b.webrtc.connections(), 0);
            // What comes late for it does nothing.
            b.perform(ConnectionAction::Transmit { channel: Channel::Live, frame: frame(0, 1) });
            b.perform(ConnectionAction::Close);
            assert_eq!(b.end().await, vec![]);

            let mut a = End::new();
            a.perform(ConnectionAction::Offer);
            a.described().await;
            a.perform(ConnectionAction::Accept { answer: offer });
            assert!(a.closed().await.contains(expected));
        }
    });
}

#[test]
fn descriptions_cut_and_twisted_do_no_harm() {
    on_one_thread(async {
        let mut a = End::new();
        a.perform(ConnectionAction::Offer);
        let valid = a.described().await;
        for at in (0..valid.len()).step_by(7) {
            for offer in [valid[..at].to_owned(), format!("{}\u{0}9{}", &valid[..at], &valid[at..])] {
                let mut b = End::new();
                b.perform(ConnectionAction::Answer { offer });
                // Whatever it is, it is not a panic.
                if let ConnectionEvent::Closed { reason } = b.news().await {
                    assert!(!reason.contains("panicked"), "{reason}");
                }
                b.end().await;
            }
        }
    });
}

#[test]
fn a_swapped_certificate_never_opens() {
    on_one_thread(async {
        let config = WebRtcConfig { open_ms: 1_500, ..config() };
        let (mut a, mut b) = (End::with(config.clone()), End::with(config));
        a.perform(ConnectionAction::Offer);
        let offer = a.described().await;
        b.perform(ConnectionAction::Answer { offer });
        let answer = b.described().await;
        let line = answer.lines().find(|line| line.starts_with("a=fingerprint:")).unwrap().to_owned();
        let (start, last) = line.split_at(line.len() - 1);
        let other = if last == "0" { "1" } else { "0" };
        a.perform(ConnectionAction::Accept { answer: answer.replace(&line, &format!("{start}{other}")) });
        // Neither side tells of an opening.
        a.closed().await;
        b.closed().await;
    });
}

#[test]
fn a_peer_that_opens_other_channels_is_refused() {
    struct Deaf;
    impl PeerConnectionEventHandler for Deaf {}

    let unordered = RTCDataChannelInit { ordered: false, ..Default::default() };
    on_one_thread(async {
        for (label, init, expected) in [
            ("strange", None, "opened a data channel `strange`"),
            ("live", Some(unordered), "`live` is not ordered"),
            ("lossy", None, "`lossy` is ordered"),
        ] {
            let peer = PeerConnectionBuilder::new()
                .with_handler(Arc::new(Deaf))
                .with_udp_addrs(vec!["127.0.0.1:0"])
                .build()
                .await
                .unwrap();
            peer.create_data_channel("control", None).await.unwrap();
            peer.create_data_channel(label, init).await.unwrap();
            let offer = peer.create_offer(None).await.unwrap();
            peer.set_local_description(offer).await.unwrap();
            let offer = loop {
                let description = peer.local_description().await.unwrap();
                if description.sdp.contains("a=candidate:") {
                    break description.sdp;
                }
                tokio::task::yield_now().await;
            };
            let mut b = End::new();
            b.perform(ConnectionAction::Answer { offer });
            let answer = RTCSessionDescription::answer(b.described().await).unwrap();
            peer.set_remote_description(answer).await.unwrap();
            let reason = b.closed().await;
            assert!(reason.contains(expected), "{reason}");
            peer.close().await.unwrap();
        }
    });
}

#[test]
fn connections_leave_no_sockets_behind() {
    on_one_thread(async {
        let address = own_address(2);
        let config = WebRtcConfig { bind: vec![address.into()], ..config() };
        let (mut a, mut b) = (End::with(config.clone()), End::with(config));
        for _ in 0..50 {
            connect(&mut a, &mut b).await;
            assert_eq!(b.webrtc.connections(), 1);
            // The kernel's list may skip an entry while those of other tests come and go.
            let seen = async {
                while sockets(address) < 2 {
                    tokio::task::yield_now().await;
                }
            };
            timeout(NEVER, seen).await.expect("two sockets");
            a.perform(ConnectionAction::Close);
            b.closed().await;
        }
        // And some that never get anywhere, closed in the midst of it or with the whole.
        for number in 100..110 {
            a.webrtc.perform(LinkId(number), ConnectionAction::Offer);
            b.webrtc.perform(LinkId(number), ConnectionAction::Answer { offer: "garbage".into() });
            a.webrtc.perform(LinkId(number), ConnectionAction::Close);
        }
        a.webrtc.perform(LinkId(200), ConnectionAction::Offer);
        a.end().await;
        b.end().await;
        assert_eq!(sockets(address), 0);
    });
}

/// An address that no other test uses, so that the sockets of this one can be told from theirs.
fn own_address(test: u8) -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 76 + test, high, low)
}

/// How many UDP sockets are bound to `address`.
fn sockets(address: Ipv4Addr) -> usize {
    let local = format!(" {:08X}:", u32::from_le_bytes(address.octets()));
    std::fs::read_to_string("/proc/self/net/udp")
        .unwrap()
        .lines()
        .filter(|line| line.contains(&local))
        .count()
}
