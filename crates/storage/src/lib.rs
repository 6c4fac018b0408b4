//! Performs `Persist`: what machines want kept is kept.
//!
//! ```text
//! machine ── Persist { write, rows } ──► Writer::write ──► queue ──► its thread ──► Store::commit ──► disk
//!         ◄── Persisted { write } ◄───── Answer::Persisted { up_to } ◄───┘
//! ```
//!
//! - [`Store`] keeps [`Row`](meshwork_base::Row)s by table and key. [`MemoryStore`] keeps them as long as the process
//!   lives; [`RedbStore`] keeps them in one file, `meshwork.redb`, that one process has open at a time.
//! - [`Writer`] is the only writer of a store, on a thread of its own. It never blocks its callers, commits whatever
//!   waits as one transaction, and answers once that is durable.
//!
//! Invariants:
//! - a commit is whole or absent after a crash or a power cut, and everything is there that was answered for;
//! - writes become durable, and are answered, in the order in which they were asked for;
//! - nothing is dropped: a disk that is full or failing stalls the writer, which says so once, keeps the rows and goes
//!   on when the disk takes them;
//! - a file that is gone, or replaced by another one, stalls the writer until it is back, and is never made anew;
//! - a file of another version, of another program, or damaged is refused and left as it is.
//!
//! What the disk itself loses after a commit returned (a drive that lies about flushing, bits that rot) is beyond this
//! crate; blocks carry signatures, by which their reader notices.
#![cfg_attr(feature = "native", doc = "```")]
#![cfg_attr(not(feature = "native"), doc = "```ignore")]
//! use meshwork_base::{Row, Table, WriteId};
//! use meshwork_storage::{Answer, RedbStore, Store, Writer};
//! use std::sync::mpsc;
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let (tell, answers) = mpsc::channel();
//! let writer = Writer::spawn(Box::new(RedbStore::open(folder)?), move |answer| _ = tell.send(answer));
//! writer.write(WriteId(1), vec![Row::put(Table::Meta, "owner", "Ada")]);
//! assert_eq!(answers.recv()?, Answer::Persisted { up_to: WriteId(1) });
//! writer.close()?;
//!
//! let rows = RedbStore::open(folder)?.load()?;
//! assert_eq!(rows, [Row::put(Table::Meta, "owner", "Ada")]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
#[cfg(feature = "native")]
mod disk;
mod error;
#[cfg(feature = "native")]
mod failure;
#[cfg(feature = "native")]
mod gate;
#[cfg(feature = "native")]
mod medium;
mod memory;
#[cfg(feature = "native")]
mod queue;
mod store;
#[cfg(feature = "native")]
mod writer;

pub use config::Config;
#[cfg(feature = "native")]
pub use disk::{FORMAT_VERSION, RedbStore, StoreId};
pub use error::StorageError;
#[cfg(feature = "native")]
pub use medium::{Folder, Medium};
pub use memory::MemoryStore;
pub use store::{Stats, Store};
#[cfg(feature = "native")]
pub use writer::{Answer, CloseError, Writer};
