//! How full buffers are.

/// How full one of a machine's buffers is, or the fullest of several of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fill {
    /// What it holds, and the setting that bounds it.
    pub buffer: &'static str,
    /// How much it holds.
    pub held: usize,
    /// How much it may hold.
    pub bound: usize,
}

impl Fill {
    /// The fullest of several buffers.
    pub fn fullest(buffer: &'static str, held: impl IntoIterator<Item = usize>, bound: usize) -> Self {
        Self { buffer, held: held.into_iter().max().unwrap_or(0), bound }
    }

    /// Whether it keeps its bound.
    pub fn is_within(&self) -> bool {
        self.held <= self.bound
    }
}
