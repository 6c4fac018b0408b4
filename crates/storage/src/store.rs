//! Where rows are kept.

use meshwork_base::Row;

use crate::StorageError;

/// How much is kept.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stats {
    /// Rows in all tables.
    pub rows: u64,
    /// Bytes that they take: of the file, or of keys and values in memory.
    pub bytes: u64,
}

/// Keeps rows by table and key.
pub trait Store: Send {
    /// Shows every row, by table and in key order, one at a time: a store may be larger than memory.
    fn visit(&self, row: &mut dyn FnMut(Row)) -> Result<(), StorageError>;

    /// Every row, by table and in key order.
    fn load(&self) -> Result<Vec<Row>, StorageError> {
        let mut rows = Vec::with_capacity(usize::try_from(self.stats().rows).unwrap_or(0));
        self.visit(&mut |row| rows.push(row))?;
        Ok(rows)
    }

    /// Writes all `rows`, in order, or none. Once this returns `Ok` they are [durable](Self::durable). After an error
    /// the same rows can be committed again, whether or not they had arrived.
    fn commit(&mut self, rows: &[Row]) -> Result<(), StorageError>;

    /// How much is kept.
    fn stats(&self) -> Stats;

    /// Whether rows outlive the process.
    fn durable(&self) -> bool;
}
