//! Heartbeats and rumours from a stranger: taken or refused, and the machine stays content.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meshwork_base::{SessionId, Timestamp};
use meshwork_fuzz::{Driven, OWN, STRANGER, pieces, read};
use meshwork_presence::{Capabilities, Config, Context, Input, Message, Presence};

fuzz_target!(|data: &[u8]| {
    let context = Context {
        session: SessionId([1; 16]),
        node: OWN,
        name: "ada".into(),
        capabilities: Capabilities::default(),
    };
    let mut presence = Driven::new(Presence::new(Config::default(), context, Timestamp::default()));
    let (peer, node) = STRANGER;
    presence.feed(Input::PeerUp { peer, node });
    for message in pieces(data).into_iter().filter_map(read::<Message>) {
        presence.feed(Input::Received { from: peer, message });
    }
    presence.feed(Input::PeerDown { peer, left: false });
    presence.feed(Input::Leave);
});
