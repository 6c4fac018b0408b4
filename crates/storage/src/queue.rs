//! What waits to be written.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use meshwork_base::{Row, WriteId};

/// Rows to be committed as one, up to and including a write.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) up_to: WriteId,
    pub(crate) writes: usize,
    pub(crate) rows: Vec<Row>,
    pub(crate) bytes: usize,
}

#[derive(Debug)]
struct Write {
    id: WriteId,
    rows: Vec<Row>,
    bytes: usize,
}

#[derive(Default, Debug)]
struct State {
    waiting: VecDeque<Write>,
    /// Of all writes that wait or are being committed.
    bytes: usize,
    closing: bool,
}

/// Hands writes from their callers to the thread that commits them.
#[derive(Default, Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

impl Queue {
    /// No code panics while it holds the lock, so the state behind a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, id: WriteId, rows: Vec<Row>) {
        let bytes = rows.iter().map(bytes_of).sum();
        let mut state = self.lock();
        let was_empty = state.waiting.is_empty();
        state.bytes = state.bytes.saturating_add(bytes);
        state.waiting.push_back(Write { id, rows, bytes });
        drop(state);
        // Nobody waits for a second write.
        if was_empty {
            self.changed.notify_one();
        }
    }

    /// Waits for writes, and takes the oldest up to `bytes_max` together, but at least one. When there was none at
    /// first, `gather` is left for others to join it. `None` when the queue is closed and empty.
    pub(crate) fn take(&self, bytes_max: usize, gather: Duration) -> Option<Batch> {
        let mut state = self.lock();
        if state.waiting.is_empty() && !state.closing {
            while state.waiting.is_empty() && !state.closing {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let gathered = self.changed.wait_timeout_while(state, gather, |state| !state.closing);
            state = gathered.unwrap_or_else(PoisonError::into_inner).0;
        }
        let first = state.waiting.pop_front()?;
        let mut batch = Batch { up_to: first.id, writes: 1, rows: first.rows, bytes: first.bytes };
        while let Some(next) =
            state.waiting.pop_front_if(|next| batch.bytes.saturating_add(next.bytes) <= bytes_max)
        {
            batch.up_to = next.id;
            batch.writes += 1;
            batch.rows.extend(next.rows);
            batch.bytes += next.bytes;
        }
        Some(batch)
    }

    /// The batch is durable: its bytes are given back.
    pub(crate) fn done(&self, batch: &Batch) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_sub(batch.bytes);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// How many writes wait, besides those taken.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_one();
    }

    /// Waits for `span`, or until the queue is closed. Returns whether it is.
    pub(crate) fn closed_within(&self, span: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), span, |state| !state.closing);
        waited.unwrap_or_else(PoisonError::into_inner).0.closing
    }
}

fn bytes_of(row: &Row) -> usize {
    row.key.len() + row.value.as_ref().map_or(0, |value| value.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork_base::Table;

    fn push(queue: &Queue, id: u64, bytes: usize) {
        queue.push(WriteId(id), vec![Row::put(Table::Blocks, vec![0; bytes], "")]);
    }

    #[test]
    fn writes_are_taken_together_in_order_up_to_the_bound_and_never_split() {
        let queue = Queue::default();
        for (id, bytes) in [(1, 40), (2, 60), (3, 1), (4, 500), (5, 10)] {
            push(&queue, id, bytes);
        }
        assert_eq!(queue.bytes(), 611);
        queue.close();
        let mut taken = Vec::new();
        while let Some(batch) = queue.take(100, Duration::ZERO) {
            queue.done(&batch);
            taken.push((batch.up_to.0, batch.writes, batch.rows.len(), queue.bytes()));
        }
        assert_eq!(taken, [(2, 2, 2, 511), (3, 1, 1, 510), (4, 1, 1, 10), (5, 1, 1, 0)]);
    }

    #[test]
    fn what_comes_while_gathering_is_taken_together_and_closing_ends_the_wait() {
        let queue = std::sync::Arc::new(Queue::default());
        let taker = queue.clone();
        let taken = std::thread::spawn(move || taker.take(100, Duration::from_secs(600)));
        for id in 1..=3 {
            push(&queue, id, 10);
        }
        queue.close();
        let batch = taken.join().unwrap().unwrap();
        assert_eq!((batch.up_to, batch.writes), (WriteId(3), 3));
    }

    #[test]
    fn an_empty_write_is_a_write() {
        let queue = Queue::default();
        queue.push(WriteId(1), vec![]);
        let batch = queue.take(100, Duration::ZERO).unwrap();
        assert_eq!((batch.up_to, batch.rows.len()), (WriteId(1), 0));
    }
}
