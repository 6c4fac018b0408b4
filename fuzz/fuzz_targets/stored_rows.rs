//! A log's rows after damage: an error that says what to do, or nothing but what was written.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| meshwork_fuzz::worlds::stored_rows::run(data));
