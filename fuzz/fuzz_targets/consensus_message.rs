//! Receipts from a stranger whose every signature holds: taken or refused, and the machine stays content.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use meshwork_base::{Hash, ReplicaId, Tip};
use meshwork_consensus::{Config, Consensus, Context, Effect, Input, Message};
use meshwork_fuzz::{Driven, Gullible, SPACE, STRANGER, pieces, read};

fuzz_target!(|data: &[u8]| {
    let context =
        Context { space: SPACE, durable: true, signer: Gullible::signer(), verifier: Gullible::verifier() };
    let mut consensus = Driven::new(|| Consensus::new(Config::default(), context.clone()));
    let (peer, node) = STRANGER;
    let replica = ReplicaId([1; 16]);
    let stored = [(replica, Tip { sequence: 5, hash: Hash::of(&5u64.to_le_bytes()) })].into_iter().collect();
    consensus.feed(Input::Incarnation { replica, epoch: 1 });
    consensus.feed(Input::Stored { version: stored });
    consensus.feed(Input::PeerUp { peer, node });
    for message in pieces(data).into_iter().filter_map(read::<Message>) {
        for effect in consensus.feed(Input::Received { from: peer, message }) {
            if let Effect::Confirmed { from, up_to } = effect {
                assert!(up_to.replica == replica && from <= up_to.sequence && up_to.sequence <= 5, "{up_to}");
            }
        }
        consensus.wait(Duration::from_millis(40));
    }
    consensus.feed(Input::PeerDown { peer });
});
