//! Documents: edits and operations in any order; who has the same operations holds the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| meshwork_fuzz::worlds::documents::run(data));
