//! Presence: anything that peers may say, in any order.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| meshwork_fuzz::worlds::presence::run(data));
