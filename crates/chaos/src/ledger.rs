//! What the nodes promised, and whether they kept it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many complaints of one sort are spelt out.
const SHOWN_MAX: usize = 3;

/// What a reply to an edit promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wait {
    /// Nothing: it may be gone after a crash.
    Visible,
    /// It outlives crashes of the node.
    Stored,
    /// It outlives the node's disk.
    Confirmed,
}

impl Wait {
    pub(crate) const ALL: [Self; 3] = [Self::Visible, Self::Stored, Self::Confirmed];

    /// As the local API takes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Visible => "visible",
            Self::Stored => "stored",
            Self::Confirmed => "confirmed",
        }
    }
}

/// The operation that an edit became.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Dot {
    pub(crate) replica: String,
    pub(crate) sequence: u64,
}

/// An edit that a node answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) node: usize,
    /// Which life of the node took the edit.
    pub(crate) life: u64,
    /// The key of the entry that the edit made; no other edit makes it.
    pub(crate) entry: String,
    pub(crate) dot: Dot,
    pub(crate) wait: Wait,
}

/// What a node holds at the end.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) name: String,
    pub(crate) vector_clock: BTreeMap<String, u64>,
    pub(crate) document: Value,
}

/// All that was promised.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    replies: Vec<Reply>,
    confirmed: BTreeMap<String, u64>,
    /// For nodes whose disk was lost, the last life on that disk.
    disks_lost: BTreeMap<usize, u64>,
}

/// Promises, how many were made and how many were broken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Verdict {
    /// Replies to edits that were to be on the node's disk.
    pub(crate) acknowledged: u64,
    pub(crate) missing_acknowledged: u64,
    /// Operations that some node called confirmed, in a reply or an event.
    pub(crate) confirmed: u64,
    pub(crate) missing_confirmed: u64,
    /// Acknowledged only on a disk that was lost.
    pub(crate) excused: u64,
    /// All that is wrong, for people; the report has it among all other complaints.
    #[serde(skip)]
    pub(crate) complaints: Vec<String>,
}

impl Ledger {
    pub(crate) fn replied(&mut self, reply: Reply) {
        self.replies.push(reply);
    }

    /// A node said that a replica's operations up to this one are confirmed.
    pub(crate) fn confirmed(&mut self, replica: String, up_to: u64) {
        let known = self.confirmed.entry(replica).or_default();
        *known = up_to.max(*known);
    }

    /// What this node acknowledged in its lives up to this one, and nobody confirmed, may be gone.
    pub(crate) fn disk_lost(&mut self, node: usize, life: u64) {
        self.disks_lost.insert(node, life);
    }

    /// Compares what was promised with what the nodes hold.
    pub(crate) fn judge(&self, held: &[Held]) -> Verdict {
        let mut verdict = Verdict::default();
        let mut confirmed = self.confirmed.clone();
        for reply in self.replies.iter().filter(|reply| reply.wait == Wait::Confirmed) {
            let known = confirmed.entry(reply.dot.replica.clone()).or_default();
            *known = reply.dot.sequence.max(*known);
        }
        verdict.confirmed = confirmed.values().sum();
        let mut missing = Vec::new();
        for (replica, up_to) in &confirmed {
            for node in held {
                let holds = node.vector_clock.get(replica).copied().unwrap_or(0);
                if holds < *up_to {
                    verdict.missing_confirmed += up_to - holds;
                    missing.push(format!(
                        "{} holds {holds} of the {up_to} confirmed operations of replica {replica}",
                        node.name
                    ));
                }
            }
        }
        verdict.complain(missing);
        self.judge_replies(&confirmed, held, &mut verdict);
        verdict.complain(disagreements(held));
        verdict.complain(held.iter().filter_map(torn).collect());
        verdict
    }

    fn judge_replies(&self, confirmed: &BTreeMap<String, u64>, held: &[Held], verdict: &mut Verdict) {
        let mut missing = Vec::new();
        for reply in self.replies.iter().filter(|reply| reply.wait >= Wait::Stored) {
            verdict.acknowledged += 1;
            let Dot { replica, sequence } = &reply.dot;
            let missed = held.iter().find(|node| {
                node.vector_clock.get(replica).is_none_or(|holds| holds < sequence)
                    || entry(&node.document, &reply.entry).is_none()
            });
            let Some(node) = missed else { continue };
            let lost_with_disk = self.disks_lost.get(&reply.node).is_some_and(|life| reply.life <= *life);
            if lost_with_disk && confirmed.get(replica).is_none_or(|up_to| up_to < sequence) {
                verdict.excused += 1;
                continue;
            }
            verdict.missing_acknowledged += 1;
            missing.push(format!(
                "{} lacks entry {} (operation {sequence} of replica {replica}), which was acknowledged as {}",
                node.name,
                reply.entry,
                reply.wait.name()
            ));
        }
        verdict.complain(missing);
    }
}

impl Verdict {
    fn complain(&mut self, complaints: Vec<String>) {
        let more = complaints.len().saturating_sub(SHOWN_MAX);
        self.complaints.extend(complaints.into_iter().take(SHOWN_MAX));
        if more > 0 {
            self.complaints.push(format!("… and {more} more of the same sort"));
        }
    }
}

fn entry<'a>(document: &'a Value, key: &str) -> Option<&'a Value> {
    document.get("entries")?.get(key)
}

/// Replicas that have received the same operations are in the same state.
fn disagreements(held: &[Held]) -> Vec<String> {
    let Some((first, others)) = held.split_first() else { return vec!["no node is left".to_owned()] };
    let mut complaints = Vec::new();
    for other in others {
        if first.vector_clock != other.vector_clock {
            complaints.push(format!("{} and {} hold different operations", first.name, other.name));
        } else if first.document != other.document {
            complaints.push(format!(
                "{} and {} hold the same operations and differ in their documents",
                first.name, other.name
            ));
        }
    }
    complaints
}

/// Each edit makes one entry and counts it in one transaction, so a document holds as many as it counts.
fn torn(held: &Held) -> Option<String> {
    let entries = held.document.get("entries").and_then(Value::as_object).map_or(0, |entries| entries.len());
    let total = held.document.get("total").and_then(Value::as_u64).unwrap_or(0);
    (entries as u64 != total).then(|| format!("{} holds {entries} entries and counts {total}", held.name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply(node: usize, life: u64, sequence: u64, wait: Wait) -> Reply {
        let dot = Dot { replica: format!("r{node}"), sequence };
        Reply { node, life, entry: format!("{node}.{sequence}"), dot, wait }
    }

    fn held(name: &str, clock: &[(&str, u64)]) -> Held {
        let keys = clock.iter().flat_map(|(replica, up_to)| {
            (1..=*up_to).map(move |sequence| (format!("{}.{sequence}", &replica[1..]), json!(sequence)))
        });
        let entries: serde_json::Map<String, Value> = keys.collect();
        let document = json!({ "total": entries.len(), "entries": entries });
        let vector_clock = clock.iter().map(|(replica, up_to)| ((*replica).to_owned(), *up_to)).collect();
        Held { name: name.into(), vector_clock, document }
    }

    /// Three replies of node 1 and a confirmation of the first.
    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.replied(reply(1, 0, 1, Wait::Stored));
        ledger.replied(reply(1, 0, 2, Wait::Stored));
        ledger.replied(reply(1, 1, 3, Wait::Visible));
        ledger.confirmed("r1".into(), 1);
        ledger
    }

    #[test]
    fn kept_promises_leave_nothing_to_complain_of() {
        let verdict = ledger().judge(&[held("a", &[("r1", 2)]), held("b", &[("r1", 2)])]);
        let expected = Verdict { acknowledged: 2, confirmed: 1, ..Verdict::default() };
        assert_eq!(verdict, expected, "what was only visible may be gone");
    }

    #[test]
    fn a_missing_operation_is_a_broken_promise_unless_its_disk_was_lost() {
        let nodes = [held("a", &[("r1", 1)]), held("b", &[("r1", 1)])];
        let mut ledger = ledger();
        let verdict = ledger.judge(&nodes);
        assert_eq!((verdict.missing_acknowledged, verdict.missing_confirmed), (1, 0));
        assert!(verdict.complaints[0].contains("a lacks entry 1.2"), "{verdict:?}");
        ledger.disk_lost(1, 0);
        let verdict = ledger.judge(&nodes);
        assert_eq!((verdict.excused, verdict.complaints.len()), (1, 0));
        // Not in a later life on a new disk.
        ledger.replied(reply(1, 1, 4, Wait::Stored));
        assert_eq!(ledger.judge(&nodes).missing_acknowledged, 1);
    }

    #[test]
    fn confirmed_outlives_the_disk() {
        let nodes = [held("a", &[("r2", 1)]), held("b", &[("r2", 1)])];
        for confirm in [true, false] {
            let mut ledger = Ledger::default();
            ledger.disk_lost(1, 9);
            if confirm {
                ledger.confirmed("r1".into(), 2);
            } else {
                ledger.replied(reply(1, 0, 2, Wait::Confirmed));
            }
            let verdict = ledger.judge(&nodes);
            assert_eq!(verdict.missing_confirmed, 4, "two operations on two nodes: {verdict:?}");
            assert_eq!(verdict.excused, 0);
        }
    }

    #[test]
    fn nodes_must_agree_and_transactions_be_whole() {
        let complaints = |held: &[Held]| Ledger::default().judge(held).complaints;
        let a = held("a", &[("r1", 2)]);
        assert!(complaints(&[a.clone(), held("b", &[("r1", 1)])])[0].contains("different operations"));
        let mut b = held("b", &[("r1", 2)]);
        b.document["entries"]["1.1"] = json!("else");
        assert!(complaints(&[a.clone(), b])[0].contains("differ in their documents"));
        let mut torn = a.clone();
        torn.document["total"] = json!(1);
        assert!(complaints(&[torn])[0].contains("2 entries and counts 1"));
        assert_eq!(complaints(&[]), ["no node is left"]);
        assert_eq!(complaints(&[a.clone(), a]), Vec::<String>::new());
    }
}
