//! When is an operation safe?

use serde::{Deserialize, Serialize};

/// Who must hold an operation durably before it is confirmed. In a configuration file: `policy = { count = 2 }`.
///
/// `Majority` and `All` will come with a roster that has an epoch; they never mean "of those present".
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Policy {
    /// This many distinct nodes, this one included when it is durable.
    Count(u16),
}

impl Policy {
    /// The highest sequence at which the policy is met, when one durable node each holds everything up to these.
    pub(crate) fn frontier(self, mut held: Vec<u64>) -> u64 {
        match self {
            Self::Count(count) => {
                held.sort_unstable_by(|a, b| b.cmp(a));
                usize::from(count).checked_sub(1).and_then(|last| held.get(last)).copied().unwrap_or(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_takes_the_nth_longest() {
        let table: [(u16, &[u64], u64); 6] = [
            (1, &[3, 9], 9),
            (2, &[3, 9], 3),
            (2, &[9], 0),
            (3, &[5, 1, 5, 5], 5),
            (1, &[], 0),
            (0, &[4], 0),
        ];
        for (count, held, expected) in table {
            assert_eq!(Policy::Count(count).frontier(held.to_vec()), expected, "{count} of {held:?}");
        }
    }
}
