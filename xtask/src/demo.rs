//! The demo, and whether its report says what it should.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    process::{cargo, output},
    workspace::Workspace,
};

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut command = cargo("cargo", &workspace.workspace_root);
    let printed = output(command.args(["run", "-q", "--release", "-p", "meshwork", "--", "demo", "--json"]))?;
    eprintln!("{}", printed.trim_end());
    check(&printed)
}

/// A healthy mesh has converged, and has lost nothing that it had confirmed.
fn check(printed: &str) -> Result<()> {
    let values: Vec<Value> = serde_json::Deserializer::from_str(printed)
        .into_iter()
        .collect::<Result<_, _>>()
        .context("the demo printed something that is not JSON")?;
    let report = values
        .iter()
        .rfind(|value| value.get("converged").is_some())
        .context("the demo's report lacks `converged`")?;
    if report["converged"].as_bool() != Some(true) {
        bail!("the demo's replicas have not converged");
    }
    if report["lost_confirmed"].as_u64() != Some(0) {
        bail!("the demo reports `lost_confirmed`: {}, not 0", report["lost_confirmed"]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_healthy_report_passes() {
        let table = [
            ("{\"event\":1}\n{\"converged\": true, \"lost_confirmed\": 0, \"nodes\": 4}\n", Ok(())),
            ("{\"converged\": false, \"lost_confirmed\": 0}", Err("the demo's replicas have not converged")),
            (
                "{\"converged\": true, \"lost_confirmed\": 2}",
                Err("the demo reports `lost_confirmed`: 2, not 0"),
            ),
            ("{\"converged\": true}", Err("the demo reports `lost_confirmed`: null, not 0")),
            ("{}", Err("the demo's report lacks `converged`")),
            ("done", Err("the demo printed something that is not JSON")),
        ];
        for (printed, expected) in table {
            assert_eq!(
                check(printed).map_err(|error| error.to_string()),
                expected.map_err(str::to_owned),
                "{printed}"
            );
        }
    }
}
