//! `replay`: what happened in a run, in words.

use std::{
    io::{ErrorKind, Write as _},
    process::ExitCode,
};

use anyhow::Result;
use clap::Args;
use meshwork::{Effect, Input};
use meshwork_sim::{Entry, Trace, What, World};
use meshwork_transport::{ConnectionAction, ConnectionEvent};

use super::setting::Setting;

/// The longest line, in characters: what a node is told can be megabytes.
const LINE_MAX: usize = 200;

/// Arguments of `replay`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    setting: Setting,
    /// From this event on
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// So many events at the most
    #[arg(long)]
    events: Option<u64>,
    /// Only what happens to this node, and to the world
    #[arg(long)]
    node: Option<usize>,
    /// Pings, frames and writes too
    #[arg(long)]
    all: bool,
}

/// Replays it.
pub(crate) fn run(Arguments { setting, from, events, node, all }: &Arguments) -> Result<ExitCode> {
    let (from, node, all) = (*from, *node, *all);
    let to = events.map_or(u64::MAX, |events| from.saturating_add(events));
    let mut number = 0;
    let trace = Trace::with_listener(move |entry: Entry| {
        let wanted = entry.node.is_none() || node.is_none() || entry.node == node;
        if number >= from && number < to && wanted && (all || !is_traffic(&entry.what)) {
            print(number, &entry);
        }
        number += 1;
    });
    let outcome = World::new(setting.plan()?, trace).run();
    if let Some(violation) = &outcome.violation {
        println!("{violation}");
    }
    Ok(if outcome.violation.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(number: u64, entry: &Entry) {
    let node = entry.node.map_or_else(|| "world".into(), |node| format!("node {node}"));
    let words: String = words(&entry.what).chars().take(LINE_MAX).collect();
    let line = format!("#{number:<8} {:>12.6} s  {node:<8} {words}\n", entry.at.0 as f64 / 1e6);
    // A reader who has seen enough ends the program.
    if let Err(error) = std::io::stdout().write_all(line.as_bytes())
        && error.kind() == ErrorKind::BrokenPipe
    {
        std::process::exit(0);
    }
}

/// Whether it is one of the many small things of which only their sum matters.
fn is_traffic(what: &What) -> bool {
    match what {
        What::Frame { .. } | What::Input(Input::Persisted { .. }) | What::Effect(Effect::Persist { .. }) => {
            true
        }
        What::Input(Input::Connection { event, .. }) => {
            matches!(event, ConnectionEvent::Received { .. } | ConnectionEvent::Sent { .. })
        }
        What::Effect(Effect::Connection { action, .. }) => {
            matches!(action, ConnectionAction::Transmit { .. })
        }
        _ => false,
    }
}

fn words(what: &What) -> String {
    match what {
        What::Input(Input::Command(command)) => format!("is asked: {command:?}"),
        What::Input(Input::Connection { link, event: ConnectionEvent::Received { channel, frame } }) => {
            format!("receives {} bytes on {}, {link:?}", frame.len(), channel.label())
        }
        What::Input(Input::Connection { link, event: ConnectionEvent::Sent { channel, bytes } }) => {
            format!("{bytes} bytes have left on {}, {link:?}", channel.label())
        }
        What::Input(Input::Connection { link, event }) => format!("{link:?} tells: {event:?}"),
        What::Input(Input::Hub { event, .. }) => format!("the hub tells: {event:?}"),
        What::Input(Input::Persisted { write }) => format!("{write:?} is durable"),
        What::Effect(Effect::Connection { link, action: ConnectionAction::Transmit { channel, frame } }) => {
            format!("sends {} bytes on {}, {link:?}", frame.len(), channel.label())
        }
        What::Effect(Effect::Connection { link, action }) => format!("asks {link:?}: {action:?}"),
        What::Effect(Effect::Hub { action, .. }) => format!("asks the hub: {action:?}"),
        What::Effect(Effect::Persist { write, rows }) => format!("writes {} rows, {write:?}", rows.len()),
        What::Effect(Effect::Event(event)) => format!("says: {event:?}"),
        What::Effect(effect) => format!("{effect:?}"),
        What::Frame { from, sent, bytes } => {
            format!("gets {bytes} bytes that node {from} sent at {:.6} s", sent.0 as f64 / 1e6)
        }
        What::Attacks { to, attack, bytes } => format!("attacks node {to}: {attack:?}, {bytes} bytes"),
        What::Begins(fault) => format!("begins: {fault:?}"),
        What::Ends(fault) => format!("ends: {fault:?}"),
        What::Starts => "starts".into(),
        What::Dies => "is gone".into(),
        What::Heals => "all faults end".into(),
    }
}
