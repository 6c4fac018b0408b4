//! A block from anywhere: operations or an error, and bytes are kept as they came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meshwork_base::Bytes;
use meshwork_fuzz::{Gullible, SPACE};
use meshwork_op_log::Entry;
use meshwork_wire::{BLOCK_OPERATIONS_MAX, OPERATION_BYTES_MAX};

fuzz_target!(|data: &[u8]| {
    let Ok(entry) = Entry::read(SPACE, Bytes::copy_from_slice(data)) else { return };
    assert_eq!(entry.bytes(), data);
    assert!(entry.verify(&*Gullible::verifier()).is_ok());
    let operations = entry.operations();
    assert!(!operations.is_empty() && operations.len() <= BLOCK_OPERATIONS_MAX);
    assert!(operations.iter().all(|operation| operation.body.len() <= OPERATION_BYTES_MAX));
    let gapless = |pair: &[meshwork_op_log::Operation]| pair[0].dot.sequence + 1 == pair[1].dot.sequence;
    assert!(operations.windows(2).all(gapless));
});
