//! Back-pressure for those outside the node.

use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::Semaphore;

use crate::Tell;

/// The actor has ended; nothing can be told it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node has stopped")]
pub struct Stopped;

/// Sends inputs to a host, with at most `capacity` unhandled at a time.
pub struct Inbox<I: Send + 'static> {
    host: Recipient<Tell<I>>,
    credits: Arc<Semaphore>,
}

impl<I: Send + 'static> Clone for Inbox<I> {
    fn clone(&self) -> Self {
        Self { host: self.host.clone(), credits: self.credits.clone() }
    }
}

impl<I: Send + 'static> Inbox<I> {
    /// An inbox of `host` with `capacity` credits.
    pub fn new(host: Recipient<Tell<I>>, capacity: usize) -> Self {
        Self { host, credits: Arc::new(Semaphore::new(capacity)) }
    }

    /// Waits for a credit, then hands `input` over.
    pub async fn send(&self, input: I) -> Result<(), Stopped> {
        let credit = self.credits.clone().acquire_owned().await.map_err(|_| Stopped)?;
        if !self.host.connected() {
            return Err(Stopped);
        }
        self.host.do_send(Tell::with_credit(input, credit));
        Ok(())
    }
}
