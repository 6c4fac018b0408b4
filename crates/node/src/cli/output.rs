//! Standard output and standard error.

use std::{
    fmt::Display,
    io::{ErrorKind, Write as _, stderr, stdout},
};

use anyhow::{Context as _, Result};

/// Whoever read our output has had enough, as in `meshwork status | head -1`. The program ends without a word.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads any more")]
pub(crate) struct NobodyReads;

/// Prints a line. Everything that goes to standard output goes through here.
pub(crate) fn say(line: impl Display) -> Result<()> {
    match writeln!(stdout().lock(), "{line}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(NobodyReads.into()),
        written => written.context("cannot write to standard output"),
    }
}

/// Tells a person on standard error, if anybody reads it: nothing depends on that.
pub(crate) fn warn(line: impl Display) {
    let _ = writeln!(stderr().lock(), "meshwork: {line}");
}
