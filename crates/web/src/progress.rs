//! How far a tab is that others have very much for.

use std::time::Duration;

use meshwork::{Mesh, Monotonic};
use serde_json::{Value as Json, json};

/// Listeners hear of progress at most this often.
const TOLD_EVERY: Duration = Duration::from_millis(50);

/// How many operations the documents show, and how many are known of: held, or said to be by linked members.
pub(crate) fn of(mesh: &Mesh) -> (u64, u64) {
    let machines = mesh.machines();
    let applied = machines.documents.applied_version();
    let shown = applied.iter().map(|(_, sequence)| sequence).sum();
    (shown, machines.op_log.known_operations())
}

/// What was told of it.
#[derive(Default)]
pub(crate) struct Progress {
    behind: bool,
    last: Option<Monotonic>,
}

impl Progress {
    /// `told`: listeners have heard already that there is more to come.
    pub(crate) fn after(told: bool) -> Self {
        Self { behind: told, last: None }
    }

    /// An event, if there is news. `waits`: the documents do not show all that the log holds.
    pub(crate) fn look(&mut self, now: Monotonic, mesh: &Mesh, waits: bool) -> Option<Json> {
        let behind = waits || mesh.machines().op_log.lacks_any();
        self.tell(now, behind, || of(mesh))
    }

    /// `behind`: perhaps; `count` knows, and takes its time.
    fn tell(&mut self, now: Monotonic, behind: bool, count: impl FnOnce() -> (u64, u64)) -> Option<Json> {
        let soon = self.last.is_some_and(|last| now.since(last) < TOLD_EVERY);
        // That all is there is told at once.
        if (behind && soon) || (!behind && !self.behind) {
            return None;
        }
        let (shown, known) = count();
        let before = std::mem::replace(&mut self.behind, shown < known);
        self.last = Some(now);
        (before || self.behind).then(|| json!({"type": "progress", "shown": shown, "known": known}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_now_and_then_and_its_end_at_once() {
        let mut progress = Progress::default();
        let mut told = |ms: u64, shown: u64, known: u64| {
            progress.tell(Monotonic(ms * 1_000), shown < known, || (shown, known)).is_some()
        };
        assert!(!told(1, 5, 5));
        assert!(told(2, 5, 9));
        assert!(!told(3, 6, 9));
        assert!(told(52, 7, 9));
        assert!(told(53, 9, 9));
        assert!(!told(54, 9, 9));
        // Somebody has more, of a replica that is closed.
        assert!(progress.tell(Monotonic(200_000), true, || (9, 9)).is_none());
        // All that was known of while the log was opened is shown at once.
        assert!(Progress::after(true).tell(Monotonic(1), false, || (9, 9)).is_some());
    }
}
