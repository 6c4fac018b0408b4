//! How connections end, and that nothing is left of them.

use std::net::Ipv4Addr;

use meshwork_transport::{
    ConnectionAction, ConnectionEvent, LinkId,
    webrtc::{IceServer, WebRtc, WebRtcConfig},
};
use meshwork_wire::Channel;
use tokio::{sync::mpsc, time::timeout};

use crate::end::{End, NEVER, config, connect, frame, on_one_thread};

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
