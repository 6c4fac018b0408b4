//! Where data and logs are, and the small disk of which one node has to make do.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

/// Where data and logs are.
pub(crate) enum Directory {
    Chosen(PathBuf),
    Temporary(TempDir),
}

impl Directory {
    pub(crate) fn new(chosen: Option<&Path>) -> Result<Self> {
        let Some(chosen) = chosen else {
            return Ok(Self::Temporary(TempDir::with_prefix("meshwork-chaos-")?));
        };
        fs::create_dir_all(chosen).with_context(|| format!("cannot make {}", chosen.display()))?;
        if fs::read_dir(chosen)?.next().is_some() {
            bail!("{} is not empty", chosen.display());
        }
        Ok(Self::Chosen(std::path::absolute(chosen)?))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Chosen(path) => path,
            Self::Temporary(directory) => directory.path(),
        }
    }

    /// Keeps it; says where it is.
    pub(crate) fn keep(self) -> PathBuf {
        match self {
            Self::Chosen(path) => path,
            Self::Temporary(directory) => directory.keep(),
        }
    }
}

/// A disk in memory that exists only in this run's mount namespace.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    pub(crate) fn mount(within: &Path, bytes: u64) -> Result<Self> {
        let path = within.join("small-disk");
        fs::create_dir(&path)?;
        let size = format!("size={bytes}");
        mount(Some("tmpfs"), &path, Some("tmpfs"), MsFlags::empty(), Some(size.as_str()))
            .with_context(|| format!("cannot mount a tmpfs on {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Saves the data directories on it.
    pub(crate) fn copy_to(&self, directory: &Path) -> Result<()> {
        for data in fs::read_dir(&self.0)? {
            let data = data?;
            if !data.file_type()?.is_dir() {
                continue;
            }
            let to = directory.join(data.file_name());
            fs::create_dir_all(&to)?;
            for file in fs::read_dir(data.path())? {
                let file = file?;
                fs::copy(file.path(), to.join(file.file_name()))?;
            }
        }
        Ok(())
    }

    /// Whoever still uses it is about to end with this process.
    pub(crate) fn unmount(self) -> Result<()> {
        umount2(&self.0, MntFlags::MNT_DETACH).context("cannot unmount the small disk")
    }
}
