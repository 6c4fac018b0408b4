//! Two whole nodes and a hub: whatever happens between them, afterwards they agree.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| meshwork_fuzz::worlds::mesh::run(data));
