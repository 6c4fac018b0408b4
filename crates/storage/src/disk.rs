//! A store on disk.

use std::{
    io,
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use meshwork_base::{Bytes, Row, Table};
use redb::{
    Builder, Database, Durability, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageBackend,
    TableDefinition, TableError, TableHandle, WriteTransaction,
};

use crate::{Config, Folder, Medium, Stats, StorageError, Store, failure::Failure, gate::Gate};

/// Every table, in the order in which they are read back.
const TABLES: [Table; 3] = [Table::Blocks, Table::Meta, Table::Proofs];

/// The format that this program reads and writes.
pub const FORMAT_VERSION: u32 = 2;

/// Says that the file is ours, and which format it has.
const FORMAT: TableDefinition<&str, u32> = TableDefinition::new("meshwork format");
const FORMAT_KEY: &str = "version";
/// Says which store it is.
const IDENTITY: TableDefinition<&str, &[u8]> = TableDefinition::new("meshwork identity");
const ID_KEY: &str = "id";

/// No file is larger before the first commit to it.
const UNBORN_BYTES_MAX: u64 = 16 << 20;
/// redb's header: what comes after it was committed.
const HEADER_BYTES: usize = 4096;
/// How redb's files begin.
const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";

/// Keeps rows in a file of redb's, one table of it for each [`Table`].
///
/// A commit is one flush: redb checks the pages of the last commit by their checksums when it finds that the file was
/// not closed, and goes back to the one before if they did not all arrive.
///
/// redb wants a file opened again after any failure to read or write. The next commit does so, therefore a store that
/// failed is used on as if nothing had happened. It is never made anew then: were the file gone, what it held would be
/// gone in silence.
#[derive(Debug)]
pub struct RedbStore<M: Medium = Folder> {
    medium: M,
    cache_bytes: usize,
    /// `None` until it was open for the first time.
    id: Option<StoreId>,
    /// Where it lay when it was opened.
    place: Option<(u64, u64)>,
    /// `None` after a failure.
    database: Option<Database>,
    rows: u64,
}

/// Tells one store from all others: random, made with it and kept in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreId([u8; 16]);

impl RedbStore {
    /// Opens the store in `folder`, or makes both.
    pub fn open(folder: &Path) -> Result<Self, StorageError> {
        Self::with_config(folder, &Config::default())
    }

    /// As [`open`](Self::open), with settings.
    pub fn with_config(folder: &Path, config: &Config) -> Result<Self, StorageError> {
        RedbStore::on(Folder::new(folder), config)
    }

    /// Opens the store that this process had open before, and makes none: [`StorageError::Gone`] if it is not there.
    pub fn reopen(folder: &Path, config: &Config, id: StoreId) -> Result<Self, StorageError> {
        RedbStore::opened(Folder::new(folder), config, Some(id))
    }
}

impl<M: Medium> RedbStore<M> {
    /// Opens the store on `medium`, or makes it there.
    pub fn on(medium: M, config: &Config) -> Result<Self, StorageError> {
        Self::opened(medium, config, None)
    }

    fn opened(medium: M, config: &Config, id: Option<StoreId>) -> Result<Self, StorageError> {
        let mut store =
            Self { medium, cache_bytes: config.cache_bytes, id, place: None, database: None, rows: 0 };
        match store.open_database() {
            Ok(_) => Ok(store),
            Err(failure) => Err(failure.at(store.medium.path())),
        }
    }

    /// Which store it is; known once it was open.
    pub fn id(&self) -> Option<StoreId> {
        self.id
    }

    /// Where the store lay that was open, any file that is none is another one.
    fn open_database(&mut self) -> Result<&Database, Failure> {
        let known = self.id.is_some();
        self.open_redb_and_check().map_err(|failure| match failure {
            Failure::Foreign if known => Failure::Gone,
            failure => failure,
        })
    }

    fn open_redb_and_check(&mut self) -> Result<&Database, Failure> {
        if self.database.is_none() {
            let (opened, gate) = match self.id {
                None => self.create_or_clear()?,
                Some(_) => self.open_existing()?,
            };
            // Kept even if it turns out to be of no use, so that it is closed with care.
            let database = self.database.insert(opened);
            let (id, rows) = check_format(database, self.id)?;
            gate.open()?;
            self.medium.created()?;
            self.place = Some(self.medium.place()?);
            (self.id, self.rows) = (Some(id), rows);
        }
        self.database.as_ref().ok_or_else(|| Failure::Io(io::Error::other("the store is closed")))
    }

    /// A crash while the file is being made leaves one that redb takes for another program's. Nothing was ever
    /// committed to it, so it is made again.
    fn create_or_clear(&self) -> Result<(Database, Gate<M::Backend>), Failure> {
        match self.open_redb(self.medium.create()?) {
            Err(Failure::Foreign) if clear_if_unborn(&self.medium.create()?)? => {
                self.open_redb(self.medium.create()?)
            }
            result => result,
        }
    }

    /// redb would make a database of an empty file.
    fn open_existing(&self) -> Result<(Database, Gate<M::Backend>), Failure> {
        let backend = self.medium.open().map_err(gone)?;
        if backend.len()? == 0 {
            backend.close()?;
            return Err(Failure::Gone);
        }
        self.open_redb(backend)
    }

    /// Whether what was written can be found again.
    fn still_there(&self) -> Result<(), Failure> {
        let place = self.medium.place().map_err(gone)?;
        if self.place == Some(place) { Ok(()) } else { Err(Failure::Gone) }
    }

    /// redb writes when it is closed, and may find the damage only then.
    fn close_database(&mut self) {
        let database = self.database.take();
        let closing = contained(|| {
            drop(database);
            Ok(())
        });
        if let Err(failure) = closing {
            tracing::error!(?failure, path = %self.medium.path().display(), "closing the store failed");
        }
    }

    fn open_redb(&self, backend: M::Backend) -> Result<(Database, Gate<M::Backend>), Failure> {
        let gate = Gate::new(backend);
        let mut builder = Builder::new();
        builder.set_cache_size(self.cache_bytes);
        // redb panics on some kinds of damage.
        let database = contained(|| Ok(builder.create_with_backend(gate.clone())?))?;
        Ok((database, gate))
    }
}

impl<M: Medium> Drop for RedbStore<M> {
    fn drop(&mut self) {
        self.close_database();
    }
}

impl<M: Medium> Store for RedbStore<M> {
    fn visit(&self, row: &mut dyn FnMut(Row)) -> Result<(), StorageError> {
        let Some(database) = &self.database else {
            let failure = Failure::Io(io::Error::other("the last commit failed and was not repeated"));
            return Err(failure.at(self.medium.path()));
        };
        contained(|| visit(database, row)).map_err(|failure| failure.at(self.medium.path()))
    }

    fn commit(&mut self, rows: &[Row]) -> Result<(), StorageError> {
        let result = self.open_database().and_then(|database| contained(|| commit(database, rows)));
        let result = result.and_then(|rows| self.still_there().map(|()| rows));
        match result {
            Ok(rows) => {
                self.rows = rows;
                Ok(())
            }
            Err(failure) => {
                self.close_database();
                Err(failure.at(self.medium.path()))
            }
        }
    }

    fn stats(&self) -> Stats {
        Stats { rows: self.rows, bytes: self.medium.bytes().unwrap_or(0) }
    }

    fn durable(&self) -> bool {
        true
    }
}

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(match table {
        Table::Blocks => "blocks",
        Table::Meta => "meta",
        Table::Proofs => "proofs",
    })
}

/// Turns a panic over damaged data into an error.
fn contained<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Failure::Corrupt(text.unwrap_or("it makes no sense").into()))
    })
}

/// Checks that the file is ours, of our format and, if one is `expected`, that very store; makes it so if it is new.
/// Returns which one it is, and the number of rows.
fn check_format(database: &Database, expected: Option<StoreId>) -> Result<(StoreId, u64), Failure> {
    contained(|| {
        let transaction = database.begin_write()?;
        let tables: Vec<_> = transaction.list_tables()?.map(|table| table.name().to_string()).collect();
        if tables.is_empty() && transaction.list_multimap_tables()?.next().is_none() {
            return if expected.is_some() { Err(Failure::Gone) } else { make_format(transaction) };
        }
        if !tables.iter().any(|table| table == FORMAT.name()) {
            return Err(Failure::Foreign);
        }
        let found = {
            let format = transaction.open_table(FORMAT).map_err(foreign)?;
            format.get(FORMAT_KEY)?.map(|version| version.value())
        };
        match found {
            Some(FORMAT_VERSION) => {}
            Some(other) => return Err(Failure::Version(other)),
            None => return Err(Failure::Foreign),
        }
        let id = read_id(&transaction)?;
        if expected.is_some_and(|expected| expected != id) {
            return Err(Failure::Gone);
        }
        let rows = count(&transaction)?;
        transaction.abort()?;
        Ok((id, rows))
    })
}

fn make_format(transaction: WriteTransaction) -> Result<(StoreId, u64), Failure> {
    let mut id = StoreId([0; 16]);
    getrandom::fill(&mut id.0).map_err(|error| io::Error::other(error.to_string()))?;
    transaction.open_table(FORMAT)?.insert(FORMAT_KEY, FORMAT_VERSION)?;
    transaction.open_table(IDENTITY)?.insert(ID_KEY, &id.0[..])?;
    let rows = count(&transaction)?;
    transaction.commit()?;
    Ok((id, rows))
}

fn read_id(transaction: &WriteTransaction) -> Result<StoreId, Failure> {
    let table = transaction.open_table(IDENTITY).map_err(foreign)?;
    let id = table.get(ID_KEY)?.and_then(|id| id.value().try_into().ok());
    id.map(StoreId).ok_or_else(|| Failure::Corrupt("it does not say which store it is".into()))
}

fn gone(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Failure::Gone,
        _ => Failure::Io(error),
    }
}

/// A table of our name that holds something else.
fn foreign(error: TableError) -> Failure {
    match error {
        TableError::Storage(error) => error.into(),
        _ => Failure::Foreign,
    }
}

fn count(transaction: &WriteTransaction) -> Result<u64, Failure> {
    TABLES.iter().try_fold(0, |rows, table| Ok(rows + transaction.open_table(definition(*table))?.len()?))
}

fn visit(database: &Database, row: &mut dyn FnMut(Row)) -> Result<(), Failure> {
    let transaction = database.begin_read()?;
    for table in TABLES {
        for entry in transaction.open_table(definition(table))?.iter()? {
            let (key, value) = entry?;
            row(Row::put(table, Bytes::copy_from_slice(key.value()), Bytes::copy_from_slice(value.value())));
        }
    }
    Ok(())
}

/// Returns the number of rows there are now.
fn commit(database: &Database, rows: &[Row]) -> Result<u64, Failure> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate).map_err(io::Error::other)?;
    for table in TABLES {
        let mut open = transaction.open_table(definition(table))?;
        for row in rows.iter().filter(|row| row.table == table) {
            match &row.value {
                Some(value) => _ = open.insert(row.key.as_ref(), value.as_ref())?,
                None => _ = open.remove(row.key.as_ref())?,
            }
        }
    }
    let count = count(&transaction)?;
    transaction.commit()?;
    Ok(count)
}

/// Whether nothing was ever committed; if so, makes the file empty. Only ever a file that begins like redb's, or with
/// zeros, and holds nothing but zeros after the header.
fn clear_if_unborn(backend: &impl StorageBackend) -> Result<bool, Failure> {
    let everything = (Bound::Unbounded, Bound::Unbounded);
    let unborn = match backend.try_lock_range(everything.0, everything.1) {
        Ok(false) => return Err(Failure::InUse),
        Err(redb::BackendError::Io(error)) => Err(error),
        Ok(true) | Err(_) => is_unborn(backend),
    };
    let cleared = unborn.and_then(|unborn| {
        if unborn {
            backend.set_len(0)?;
        }
        Ok(unborn)
    });
    backend.close()?;
    Ok(cleared?)
}

fn is_unborn(backend: &impl StorageBackend) -> io::Result<bool> {
    let length = backend.len()?;
    if length > UNBORN_BYTES_MAX {
        return Ok(false);
    }
    let mut bytes = vec![0; length as usize];
    backend.read(0, &mut bytes)?;
    let written = bytes.iter().zip(MAGIC).take_while(|(byte, magic)| byte == magic).count();
    let begins_like_ours = bytes.iter().take(MAGIC.len()).skip(written).all(|byte| *byte == 0);
    Ok(begins_like_ours && bytes.iter().skip(HEADER_BYTES).all(|byte| *byte == 0))
}
