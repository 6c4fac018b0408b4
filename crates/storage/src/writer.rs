//! The thread that writes.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use meshwork_base::{Row, WriteId};

use crate::{
    Config, StorageError, Store,
    queue::{Batch, Queue},
};

/// What a [`Writer`] tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Every write up to this one is durable.
    Persisted {
        /// The last of them.
        up_to: WriteId,
    },
    /// Nothing becomes durable for now, or not as fast as it is written. Said once, and again when the reason is another
    /// one; the rows are kept and tried again.
    Stalled {
        /// Why, and what to do, for people.
        reason: String,
    },
    /// After [`Stalled`](Self::Stalled): writing goes on.
    Recovered,
    /// The thread has panicked, and this is the last answer: open the store again, with a new writer.
    Failed {
        /// Why, and what is lost, for people.
        reason: String,
    },
}

/// Writes that were not durable when the writer was closed. They were never answered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CloseError {
    /// The disk did not take them.
    #[error("{writes} writes could not be stored: {reason}")]
    Unwritten {
        /// How many.
        writes: usize,
        /// Why.
        reason: StorageError,
    },
    /// The thread panicked.
    #[error("the storage thread failed; what it had not answered may be lost: please report this")]
    Panicked,
}

/// The only writer of a [`Store`], on a thread of its own.
///
/// Everything that waits is committed as one transaction, so the more is written, the less each write costs. Dropping
/// the writer closes it, and like [`close`](Self::close) waits until what is queued was written.
pub struct Writer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<Result<(), CloseError>>>,
}

impl Writer {
    /// Starts writing to `store`. `answers` is called on the writer's thread and should return at once.
    pub fn spawn(store: Box<dyn Store>, answers: impl Fn(Answer) + Send + 'static) -> Self {
        Self::with_config(store, &Config::default(), answers)
    }

    /// As [`spawn`](Self::spawn), with settings.
    pub fn with_config(
        store: Box<dyn Store>,
        config: &Config,
        answers: impl Fn(Answer) + Send + 'static,
    ) -> Self {
        let queue = Arc::new(Queue::default());
        let work = Work { store, queue: queue.clone(), config: config.clone(), answers, stalled: None };
        let thread = thread::spawn(move || work.run());
        Self { queue, thread: Some(thread) }
    }

    /// Queues `rows`, to become durable together. Ids grow from one write to the next. Never waits.
    pub fn write(&self, write: WriteId, rows: Vec<Row>) {
        self.queue.push(write, rows);
    }

    /// How many bytes of keys and values are not durable yet.
    pub fn queued_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// Writes what is queued, and ends the thread. On a disk that takes nothing, tries once more and gives up.
    pub fn close(mut self) -> Result<(), CloseError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), CloseError> {
        self.queue.close();
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap_or(Err(CloseError::Panicked)))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Err(error) = self.join() {
            tracing::error!(%error, "the store was closed with writes left over");
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("queued_bytes", &self.queued_bytes()).finish_non_exhaustive()
    }
}

/// What the thread owns.
struct Work<A> {
    store: Box<dyn Store>,
    queue: Arc<Queue>,
    config: Config,
    answers: A,
    /// Why, as it was told.
    stalled: Option<String>,
}

impl<A: Fn(Answer)> Work<A> {
    /// A panic must not pass for a slow disk: it is told before the thread ends.
    fn run(mut self) -> Result<(), CloseError> {
        catch_unwind(AssertUnwindSafe(|| self.write_all())).unwrap_or_else(|_| {
            tracing::error!("the storage thread panicked");
            (self.answers)(Answer::Failed { reason: CloseError::Panicked.to_string() });
            Err(CloseError::Panicked)
        })
    }

    fn write_all(&mut self) -> Result<(), CloseError> {
        let gather = Duration::from_micros(self.config.gather_us);
        while let Some(batch) = self.queue.take(self.config.commit_bytes_max, gather) {
            self.watch_queue();
            if let Err(reason) = self.commit(&batch) {
                let writes = batch.writes + self.queue.waiting();
                return Err(CloseError::Unwritten { writes, reason });
            }
            self.queue.done(&batch);
            (self.answers)(Answer::Persisted { up_to: batch.up_to });
            self.recover();
        }
        Ok(())
    }

    /// Tries until the store takes the batch; only while closing, once more and no longer.
    fn commit(&mut self, batch: &Batch) -> Result<(), StorageError> {
        let longest = Duration::from_millis(self.config.retry_max_ms);
        let mut wait = Duration::from_millis(self.config.retry_first_ms);
        let mut last_try = false;
        loop {
            let Err(error) = self.store.commit(&batch.rows) else { return Ok(()) };
            self.stall(format!("{error}; it is tried again until it works"));
            if last_try {
                return Err(error);
            }
            last_try = self.queue.closed_within(wait);
            wait = longest.min(wait * 2);
        }
    }

    fn watch_queue(&mut self) {
        let (queued, bound) = (self.queue.bytes(), self.config.queue_bytes_max);
        // How much waits changes with every write; that is no other reason.
        if queued > bound && self.stalled.is_none() {
            self.stall(format!("the disk is too slow: {queued} bytes wait to be written, more than {bound}"));
        }
    }

    fn stall(&mut self, reason: String) {
        if self.stalled.as_ref() != Some(&reason) {
            self.stalled = Some(reason.clone());
            tracing::warn!(reason, "storage has stalled");
            (self.answers)(Answer::Stalled { reason });
        }
    }

    fn recover(&mut self) {
        if self.stalled.is_some() && self.queue.bytes() <= self.config.queue_bytes_max {
            self.stalled = None;
            tracing::info!("storage has recovered");
            (self.answers)(Answer::Recovered);
        }
    }
}
