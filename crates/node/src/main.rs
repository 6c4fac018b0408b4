//! The program `meshwork`: hubs, nodes, their client, the demo and the benchmark.

#![warn(clippy::print_stderr, reason = "what fails on a closed pipe; `output::warn` does not")]

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    cli::start_logging(arguments.command.is_service());
    // actix and everything beside it runs on one thread; a node has a thread of its own.
    match actix_web::rt::System::new().block_on(cli::run(arguments.command)) {
        Ok(code) => code,
        Err(error) if error.is::<cli::NobodyReads>() => ExitCode::SUCCESS,
        Err(error) => {
            cli::warn(explain(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error with its causes, but for those that it quotes already.
fn explain(error: &anyhow::Error) -> String {
    error.chain().skip(1).map(ToString::to_string).fold(error.to_string(), |text, cause| {
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}
