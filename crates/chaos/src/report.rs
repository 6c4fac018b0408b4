//! What the run prints.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::Result;
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde::Serialize;

use crate::{
    ledger::{Verdict, Wait},
    plan::Kind,
    record::{Edits, Injected},
    weather::Packets,
};

/// Everything, as `--json` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) seconds: f64,
    /// None: the nodes never agreed.
    pub(crate) settled: Option<Settled>,
    pub(crate) faults: BTreeMap<Kind, Injected>,
    pub(crate) members: Vec<Row>,
    pub(crate) packets: Packets,
    pub(crate) promises: Verdict,
    /// Empty when all holds.
    pub(crate) complaints: Vec<String>,
}

/// How the nodes came to agree.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Settled {
    /// From the end of the last fault until all agreed.
    pub(crate) seconds: f64,
    /// What took longest.
    pub(crate) last: Option<String>,
}

/// One process, through all its lives.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) starts: u64,
    pub(crate) edits: Edits,
    pub(crate) events: BTreeMap<String, u64>,
    /// Operations held at the end; none on the hub.
    pub(crate) operations: Option<u64>,
    /// The most memory resident.
    pub(crate) peak_mib: u64,
    /// What it may have.
    pub(crate) bound_mib: u64,
}

impl Report {
    pub(crate) fn passed(&self) -> bool {
        self.complaints.is_empty()
    }

    pub(crate) fn code(&self) -> ExitCode {
        if self.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    pub(crate) fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
        } else {
            println!("{}\n{}\n{}", self.faults(), self.members(), self.promises());
        }
        for complaint in &self.complaints {
            eprintln!("error: {complaint}");
        }
        Ok(())
    }

    fn faults(&self) -> Table {
        let mut table = table(["fault", "times", "seconds"]);
        for kind in Kind::ALL {
            let fault = self.faults.get(&kind).copied().unwrap_or_default();
            table.add_row([kind.to_string(), fault.times.to_string(), format!("{:.1}", fault.seconds)]);
        }
        table
    }

    fn members(&self) -> Table {
        let header = [
            "process",
            "starts",
            "links up",
            "disk stalled",
            "stored",
            "confirmed",
            "visible",
            "no answer",
            "operations",
            "peak MiB",
        ];
        let mut table = table(header);
        for row in &self.members {
            let answered = |wait| row.edits.answered.get(&wait).copied().unwrap_or(0).to_string();
            let event = |name| row.events.get(name).copied().unwrap_or(0).to_string();
            let [visible, stored, confirmed] = Wait::ALL.map(answered);
            table.add_row([
                row.name.clone(),
                row.starts.to_string(),
                event("link_up"),
                event("storage_stalled"),
                stored,
                confirmed,
                visible,
                row.edits.unanswered.to_string(),
                row.operations.map_or_else(String::new, |operations| operations.to_string()),
                format!("{} of {}", row.peak_mib, row.bound_mib),
            ]);
        }
        table
    }

    fn promises(&self) -> Table {
        let mut table = table(["", "made or seen", "broken"]);
        let Verdict { acknowledged, missing_acknowledged, confirmed, missing_confirmed, excused, .. } =
            &self.promises;
        let Packets { forwarded, cut, lost, delayed, overflowed } = self.packets;
        let settled = self.settled.as_ref().map_or("never".to_owned(), |settled| {
            let last = settled.last.as_ref().map_or(String::new(), |last| format!("; last: {last}"));
            format!("{:.1} s{last}", settled.seconds)
        });
        let rows = [
            ("edits acknowledged as stored", acknowledged.to_string(), missing_acknowledged.to_string()),
            ("operations confirmed", confirmed.to_string(), missing_confirmed.to_string()),
            ("  stored only on a disk that was lost", excused.to_string(), String::new()),
            ("packets carried", format!("{forwarded}, {delayed} late"), String::new()),
            ("packets not carried", format!("{cut} cut, {lost} lost, {overflowed} over"), String::new()),
            ("all agreed after the last fault", settled, String::new()),
            ("complaints", String::new(), self.complaints.len().to_string()),
            ("seed, seconds", format!("{}, {:.1}", self.seed, self.seconds), String::new()),
        ];
        for (what, made, broken) in rows {
            table.add_row([what.to_owned(), made, broken]);
        }
        table
    }
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    table
}
