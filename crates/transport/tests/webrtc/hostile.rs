//! What the other side may do wrong.

use std::sync::Arc;

use meshwork_transport::{ConnectionAction, ConnectionEvent, webrtc::WebRtcConfig};
use meshwork_wire::Channel;
use webrtc::{
    data_channel::RTCDataChannelInit,
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCSessionDescription,
    },
};

use crate::end::{End, config, frame, on_one_thread};

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
