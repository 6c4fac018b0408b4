//! The text of a configuration file: settings, or an error that names what is wrong.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| meshwork_fuzz::worlds::settings::run(text));
