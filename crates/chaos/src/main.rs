//! The program `meshwork-chaos`; `cargo xtask chaos` builds and runs it.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    meshwork_chaos::main().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("error: this run needs Linux: it puts each process into a network namespace");
    ExitCode::FAILURE
}
