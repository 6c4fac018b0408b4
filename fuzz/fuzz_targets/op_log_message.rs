//! Messages to a log from a stranger whose every signature holds: taken or refused; and whatever was stored
//! on the way can be opened again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meshwork_fuzz::{
    STRANGER,
    log::{Disk, Log},
    pieces, read,
};
use meshwork_op_log::{Input, Message};

fuzz_target!(|data: &[u8]| {
    let mut log = Log::open(Disk::new()).expect("an empty disk opens");
    let (peer, _) = STRANGER;
    log.write(b"one");
    log.feed(Input::PeerUp { peer });
    for message in pieces(data).into_iter().filter_map(read::<Message>) {
        log.feed(Input::Received { from: peer, message });
        log.pass(2);
    }
    log.write(b"two");
    if let Err(error) = Log::open(log.disk.clone()) {
        panic!("after a crash: {error}");
    }
    log.feed(Input::PeerDown { peer });
    if let Err(error) = Log::open(log.close()) {
        panic!("after a clean close: {error}");
    }
});
