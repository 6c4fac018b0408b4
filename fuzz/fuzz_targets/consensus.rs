//! Consensus: anything that peers and this node's storage may tell it, in any order.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| meshwork_fuzz::worlds::consensus::run(data));
