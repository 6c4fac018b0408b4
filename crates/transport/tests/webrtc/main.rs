//! The WebRTC performer against itself: two of them in one process, over 127.0.0.1.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod end;
mod endings;
mod hostile;

use std::time::Duration;

use end::{End, connect, frame, on_one_thread};
use meshwork_base::Bytes;
use meshwork_transport::{ConnectionAction, ConnectionEvent};
use meshwork_wire::{Channel, DATAGRAM_BYTES_MAX, FRAME_BYTES_MAX};
use tokio::time::timeout;

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
