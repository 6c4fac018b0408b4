//! Real `meshwork` processes under faults, and whether their promises held.
//!
//! Each process runs on a *host*: a network namespace whose only way out is a TUN device that this program holds.
//! The *router* carries packets from host to host as the *weather* permits: it delays them, loses them or cuts the way,
//! each direction for itself. So WebRTC's UDP and the hub's TCP meet the same faults, and ICE needs no tricks. The
//! *plan*, drawn from a seed, says what goes wrong and when; the *workload* edits through every node's local API; the
//! *ledger* keeps what the nodes promised, and judges at the end.
//!
//! Everything lives in one PID namespace and one mount namespace, whose first process is this program: when that ends,
//! however it ends, the kernel ends and removes all the rest.

#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout, reason = "a program prints")]

mod api;
mod arguments;
mod ballast;
mod directory;
mod host;
mod ledger;
mod member;
mod plan;
mod record;
mod report;
mod router;
mod run;
mod sandbox;
mod watch;
mod weather;
mod workload;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use arguments::Arguments;

/// The whole program: outside of the sandbox it makes one and starts itself in there.
pub fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.inside {
        sandbox::furnish()?;
        run::run(arguments)
    } else {
        arguments.check()?;
        sandbox::enter()
    }
}
