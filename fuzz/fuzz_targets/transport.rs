//! Transport: an honest pair on a network that fails and forges, in any order.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| meshwork_fuzz::worlds::transport::run(data));
