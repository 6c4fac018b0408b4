//! The log: anything that peers, the disk and this node may do, in any order.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| meshwork_fuzz::worlds::op_log::run(data));
