//! What a store lies on.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use redb::{DatabaseError, StorageBackend, StorageError as RedbError, backends::FileBackend};

/// What a [`RedbStore`](crate::RedbStore) lies on: a file in a folder, or what a test puts in its place.
///
/// A store opens its medium again after a failure. What it finds then must be what it left there: a medium that is
/// gone, or another one in its place, must not pass for an empty one.
pub trait Medium: Send + 'static {
    /// How redb reads and writes it.
    type Backend: StorageBackend;

    /// Opens it, empty if it never was.
    fn create(&self) -> io::Result<Self::Backend>;

    /// Opens it, and makes nothing: an error of the kind `NotFound` if it is not there.
    fn open(&self) -> io::Result<Self::Backend>;

    /// Tells what lies there now from whatever else may lie there later. Writes to a file that was removed while it was
    /// open succeed, and nobody finds them again. An error of the kind `NotFound` if nothing is there.
    fn place(&self) -> io::Result<(u64, u64)>;

    /// What to call it in messages.
    fn path(&self) -> &Path;

    /// How many bytes it takes.
    fn bytes(&self) -> io::Result<u64>;

    /// Makes its name durable, after something was first written to it.
    fn created(&self) -> io::Result<()>;
}

/// The file `meshwork.redb` in a folder.
#[derive(Clone, Debug)]
pub struct Folder {
    folder: PathBuf,
    file: PathBuf,
}

impl Folder {
    /// The file in `folder`, which is made when the store is opened.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.into(), file: folder.join("meshwork.redb") }
    }
}

fn backend(file: File) -> io::Result<FileBackend> {
    FileBackend::new(file).map_err(|error| match error {
        DatabaseError::Storage(RedbError::Io(error)) => error,
        other => io::Error::other(other),
    })
}

impl Medium for Folder {
    type Backend = FileBackend;

    fn create(&self) -> io::Result<FileBackend> {
        fs::create_dir_all(&self.folder)?;
        backend(OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.file)?)
    }

    fn open(&self) -> io::Result<FileBackend> {
        backend(OpenOptions::new().read(true).write(true).open(&self.file)?)
    }

    #[cfg(unix)]
    fn place(&self) -> io::Result<(u64, u64)> {
        use std::os::unix::fs::MetadataExt as _;
        let file = fs::metadata(&self.file)?;
        Ok((file.dev(), file.ino()))
    }

    /// Elsewhere a file that is open is not removed.
    #[cfg(not(unix))]
    fn place(&self) -> io::Result<(u64, u64)> {
        fs::metadata(&self.file).map(|_| (0, 0))
    }

    fn path(&self) -> &Path {
        &self.file
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(fs::metadata(&self.file)?.len())
    }

    /// A file's name is an entry of its folder, and the folder's an entry of the one above: each is flushed by itself.
    /// Windows flushes them with the file. A folder that this user cannot open was there before.
    fn created(&self) -> io::Result<()> {
        if cfg!(unix) {
            for folder in self.folder.canonicalize()?.ancestors().take(2) {
                match File::open(folder) {
                    Ok(folder) => folder.sync_all()?,
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}
