//! Heartbeats, rumours and datagrams from a stranger: taken or refused, and the machine stays content.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use meshwork_base::{SessionId, Timestamp};
use meshwork_fuzz::{Driven, OWN, STRANGER, pieces, read};
use meshwork_presence::{Capabilities, Config, Context, Datagram, Input, Message, Presence};

fuzz_target!(|data: &[u8]| {
    let context = Context {
        session: SessionId([1; 16]),
        node: OWN,
        name: "ada".into(),
        capabilities: Capabilities::default(),
    };
    let mut presence =
        Driven::new(|| Presence::new(Config::default(), context.clone(), Timestamp::default()));
    let (peer, node) = STRANGER;
    presence.feed(Input::PeerUp { peer, node });
    for piece in pieces(data) {
        if let Some(message) = read::<Message>(piece) {
            presence.feed(Input::Received { from: peer, message });
        }
        if let Some(datagram) = read::<Datagram>(piece) {
            presence.feed(Input::Seen { from: peer, datagram });
        }
        presence.wait(Duration::from_millis(40));
    }
    presence.feed(Input::PeerDown { peer, left: false });
    presence.feed(Input::Leave);
});
