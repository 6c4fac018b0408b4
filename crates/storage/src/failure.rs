//! What redb's errors mean for the owner of a store.

use std::{io, path::Path};

use redb::{CommitError, DatabaseError, StorageError as RedbError, TableError, TransactionError};

use crate::StorageError;

/// An error on its way from redb or the system to a [`StorageError`], which also knows the path.
#[derive(Debug)]
pub(crate) enum Failure {
    InUse,
    Foreign,
    Version(u32),
    Gone,
    Corrupt(String),
    Io(io::Error),
}

impl Failure {
    /// Names the store.
    pub(crate) fn at(self, path: &Path) -> StorageError {
        let path = path.to_path_buf();
        match self {
            Self::InUse => StorageError::InUse { path },
            Self::Foreign => StorageError::Foreign { path },
            Self::Version(found) => StorageError::Version { path, found, known: crate::FORMAT_VERSION },
            Self::Gone => StorageError::Gone { path },
            Self::Corrupt(detail) => StorageError::Corrupt { path, detail },
            Self::Io(error) => {
                let detail = error.to_string();
                match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        StorageError::Full { path, detail }
                    }
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                        StorageError::ReadOnly { path, detail }
                    }
                    _ => StorageError::Io { path, detail },
                }
            }
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<RedbError> for Failure {
    fn from(error: RedbError) -> Self {
        match error {
            RedbError::Corrupted(detail) => Self::Corrupt(detail),
            RedbError::Io(error) => Self::Io(error),
            other => Self::Io(io::Error::other(other)),
        }
    }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Self::InUse,
            // redb's only error of this kind: the file does not begin as its files do.
            DatabaseError::Storage(RedbError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Self::Foreign
            }
            // An older redb's format: no released meshwork wrote it.
            DatabaseError::UpgradeRequired(_) => Self::Foreign,
            DatabaseError::Storage(error) => error.into(),
            other => Self::Io(io::Error::other(other)),
        }
    }
}

impl From<TransactionError> for Failure {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(error) => error.into(),
            other => Self::Io(io::Error::other(other)),
        }
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => error.into(),
            other => Self::Corrupt(other.to_string()),
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(error) => error.into(),
            other => Self::Io(io::Error::other(other)),
        }
    }
}
