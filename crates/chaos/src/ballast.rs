//! A file that takes all the room that a disk has left.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

const CHUNK_BYTES: usize = 4_096;

pub(crate) struct Ballast {
    path: PathBuf,
    file: File,
}

impl Ballast {
    /// On the disk that holds the directory.
    pub(crate) fn new(directory: &Path) -> Result<Self> {
        let path = directory.join("ballast");
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path, file })
    }

    /// Grows until nothing more fits.
    pub(crate) fn fill(&mut self) -> Result<()> {
        let chunk = [0; CHUNK_BYTES];
        loop {
            match self.file.write(&chunk) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error).context("cannot fill the disk"),
            }
        }
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        // The disk is gone with the run in any case.
        let _ = fs::remove_file(&self.path);
    }
}
