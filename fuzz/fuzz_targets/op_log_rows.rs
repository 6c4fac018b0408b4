//! Any rows on a disk: a log or an error that says what to do; and a log that opened can be used, closed and
//! opened again.
//!
//! Every piece is a row: its table, the length of its key, the key, the value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meshwork_base::{Bytes, Table};
use meshwork_fuzz::{
    log::{Disk, Log},
    pieces,
};

fuzz_target!(|data: &[u8]| {
    let disk: Disk = pieces(data).into_iter().filter_map(row).collect();
    match Log::open(disk) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(mut log) => {
            log.write(b"one");
            if let Err(error) = Log::open(log.close()) {
                panic!("after a clean close: {error}");
            }
        }
    }
});

fn row(piece: &[u8]) -> Option<((Table, Bytes), Bytes)> {
    let [table, key_length, rest @ ..] = piece else { return None };
    let table = [Table::Blocks, Table::Meta, Table::Proofs][usize::from(*table) % 3];
    let (key, value) = rest.split_at_checked(usize::from(*key_length))?;
    Some(((table, Bytes::copy_from_slice(key)), Bytes::copy_from_slice(value)))
}
