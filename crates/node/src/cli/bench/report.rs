//! What the benchmark shows: a table for people, JSON for programs, markdown for the figures page.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::cli::{output::say, table::table};

/// One measure.
pub(crate) struct Measure {
    /// What is measured.
    what: &'static str,
    /// What is to be reached, for people.
    reach: String,
    /// What was measured, for people.
    measured: String,
    /// `None` where nothing is to be reached.
    met: Option<bool>,
    /// How it was measured: how many samples of what.
    how: String,
    /// The numbers, for programs.
    figures: Map<String, Value>,
}

impl Measure {
    pub(crate) fn new(what: &'static str) -> Self {
        let (reach, measured, how) = ("–".to_owned(), String::new(), String::new());
        Self { what, reach, measured, met: None, how, figures: Map::new() }
    }

    /// Says what is to be reached, and whether it was.
    pub(crate) fn reach(mut self, reach: impl Into<String>, met: bool) -> Self {
        (self.reach, self.met) = (reach.into(), Some(met));
        self
    }

    pub(crate) fn measured(mut self, measured: impl Into<String>) -> Self {
        self.measured = measured.into();
        self
    }

    pub(crate) fn how(mut self, how: impl Into<String>) -> Self {
        self.how = how.into();
        self
    }

    /// Adds a number, with its unit in its name.
    pub(crate) fn figure(mut self, name: &str, value: f64) -> Self {
        self.figures.insert(name.to_owned(), json!((value * 1000.0).round() / 1000.0));
        self
    }

    fn met(&self) -> &'static str {
        match self.met {
            Some(true) => "yes",
            Some(false) => "no",
            None => "–",
        }
    }

    fn to_json(&self) -> Value {
        let Self { what, reach, measured, met, how, figures } = self;
        json!({ "measure": what, "reach": reach, "measured": measured, "met": met, "how": how, "figures": figures })
    }
}

/// All measures of a run.
pub(crate) struct Report {
    pub(crate) quick: bool,
    pub(crate) measures: Vec<Measure>,
}

impl Report {
    pub(crate) fn print(&self) -> Result<()> {
        let mut lines = table(["measure", "reach", "measured", "met"]);
        for measure in &self.measures {
            lines.add_row([measure.what, &measure.reach, &measure.measured, measure.met()]);
        }
        say(lines)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "system": std::env::consts::OS,
            "architecture": std::env::consts::ARCH,
            "cores": std::thread::available_parallelism().map_or(1, usize::from),
            "optimized": !cfg!(debug_assertions),
            "quick": self.quick,
            "measures": self.measures.iter().map(Measure::to_json).collect::<Vec<_>>(),
        })
    }

    pub(crate) fn to_markdown(&self) -> String {
        let mut text = String::from("| measure | reach | measured | met | how |\n|---|---|---|---|---|\n");
        for measure in &self.measures {
            let Measure { what, reach, measured, how, .. } = measure;
            // Writing to a string does not fail.
            let _ = writeln!(text, "| {what} | {reach} | {measured} | {} | {how} |", measure.met());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measure_is_shown_alike_in_every_form() {
        let measure =
            Measure::new("jump").reach("1 m", false).measured("0.5 m").how("one").figure("height_m", 0.5);
        let report = Report { quick: true, measures: vec![measure, Measure::new("rest").measured("long")] };
        let markdown = report.to_markdown();
        assert!(
            markdown.contains("| jump | 1 m | 0.5 m | no | one |\n| rest | – | long | – |  |"),
            "{markdown}"
        );
        let json = report.to_json();
        assert_eq!(json["measures"][0]["figures"]["height_m"], 0.5);
        assert_eq!(json["measures"][0]["met"], false);
        assert_eq!(json["measures"][1]["met"], Value::Null);
    }
}
