//! Why a store cannot be opened, read or written.

use std::path::PathBuf;

/// What is wrong with a store, which one, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Another process, or another part of this one, has the file open.
    #[error("{}: another node has this store open; stop it, or start this one in another folder", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file was not made by meshwork.
    #[error(
        "{}: this is not a meshwork store; it was left as it is: move it away, or start in another folder", .path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was made by another version of meshwork.
    #[error(
        "{}: the store has format {found}, and this program knows format {known}; use the version of meshwork \
         that wrote it, or start in another folder", .path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: u32,
        /// The format of this program.
        known: u32,
    },
    /// The file that was opened is not there any more, or another one lies in its place.
    #[error(
        "{}: the store has gone: it was open, and now there is no such file, or another one; put it back", .path.display()
    )]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error(
        "{}: the store is damaged ({detail}); restore it from a backup, or move it away and start anew: what other \
         members hold is fetched from them", .path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The folder or the file cannot be written to.
    #[error(
        "{}: cannot be written ({detail}); give this user the right to write there, or choose another folder", .path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
    /// There is no room left.
    #[error("{}: the disk is full ({detail}); make room", .path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
    /// Reading or writing failed in another way.
    #[error("{}: reading or writing failed ({detail}); check the disk and its connection", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
}
