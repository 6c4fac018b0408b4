//! Room codes that somebody typed: a code or an error, and a code is the same after it was shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meshwork_identity::RoomCode;

fuzz_target!(|text: &str| {
    match text.parse::<RoomCode>() {
        Ok(code) => {
            assert_eq!(code.to_string(), text.to_ascii_uppercase());
            assert_eq!(code.to_string().parse(), Ok(code));
        }
        Err(error) => assert!(error.to_string().len() < 1024),
    }
});
