//! The profile as the file `profile.json` of a data directory.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use meshwork_base::Seed;

use crate::{Profile, ProfileTextError};

const FILE_NAME: &str = "profile.json";

/// What a data directory cannot be used for.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The file system refuses.
    #[error("cannot use {path}: {source}; check that the directory exists, is writable and has room")]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A log without the key that it belongs to.
    #[error(
        "{path} is missing, but there is a log, which belongs to the key that it held; restore it from a backup, or use another --data"
    )]
    Lost {
        /// The profile.
        path: PathBuf,
    },
    /// Written by another version, damaged, or not a profile.
    #[error(
        "{path} {source}; restore it from a backup, use the meshwork that wrote it, or use another --data"
    )]
    Text {
        /// Which file.
        path: PathBuf,
        /// What it is instead.
        source: ProfileTextError,
    },
}

impl Profile {
    /// The profile in `directory`; a new one, written there, if the directory has neither that nor a log. Only for
    /// whoever has the store in that directory open: of two that write one at the same time, one loses its key.
    pub(crate) fn open(directory: &Path, seed: &Seed, has_log: bool) -> Result<Self, ProfileError> {
        match Self::find(directory)? {
            Some(profile) => Ok(profile),
            None if has_log => Err(ProfileError::Lost { path: directory.join(FILE_NAME) }),
            None => {
                let profile = Self::generate(seed);
                fs::create_dir_all(directory)
                    .map_err(|source| ProfileError::Io { path: directory.to_owned(), source })?;
                profile.write(directory)?;
                Ok(profile)
            }
        }
    }

    /// The profile in `directory`, if it has one.
    pub(crate) fn find(directory: &Path) -> Result<Option<Self>, ProfileError> {
        match Self::read(directory) {
            Ok(profile) => Ok(Some(profile)),
            Err(ProfileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The profile in `directory`, which must have one.
    pub fn read(directory: &Path) -> Result<Self, ProfileError> {
        let path = directory.join(FILE_NAME);
        let bytes = fs::read(&path).map_err(|source| ProfileError::Io { path: path.clone(), source })?;
        Self::from_json(&String::from_utf8_lossy(&bytes))
            .map_err(|source| ProfileError::Text { path, source })
    }

    /// Writes the profile so that a crash leaves the old one or the new one. Only the owner may read it.
    pub fn write(&self, directory: &Path) -> Result<(), ProfileError> {
        let path = directory.join(FILE_NAME);
        let temporary = directory.join(format!("{FILE_NAME}.new"));
        let write = || -> io::Result<()> {
            let mut file = private_file(&temporary)?;
            writeln!(file, "{}", self.to_json())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            File::open(directory)?.sync_all()
        };
        write().map_err(|source| ProfileError::Io { path: path.clone(), source })
    }
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Membership;
    use meshwork_base::SpaceId;
    use meshwork_identity::{Signer as _, SpaceSecret};

    #[test]
    fn a_profile_is_made_once_and_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let mut first = Profile::open(directory.path(), &Seed::from_number(1), false).unwrap();
        first.membership =
            Some(Membership { space: SpaceId([1; 16]), secret: SpaceSecret::from_bytes([2; 32]) });
        first.write(directory.path()).unwrap();
        let again = Profile::open(directory.path(), &Seed::from_number(2), true).unwrap();
        assert_eq!(again.key.node(), first.key.node());
        assert_eq!(again.membership, first.membership);
    }

    #[test]
    fn a_damaged_or_foreign_profile_is_refused_and_left_alone() {
        let table = [
            ("{\"format\": 7}", "has format 7, this build reads format 1"),
            ("not json", "is not a meshwork profile"),
            ("{\"format\": 1, \"key\": \"xx\", \"space\": null, \"secret\": null}", "the key is damaged"),
        ];
        for (content, expected) in table {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(FILE_NAME);
            fs::write(&path, content).unwrap();
            let error =
                Profile::open(directory.path(), &Seed::from_number(1), false).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_path_that_is_a_file_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Profile::open(file.path(), &Seed::from_number(1), false).unwrap_err().to_string();
        let path = file.path().join(FILE_NAME);
        assert!(error.starts_with(&format!("cannot use {}", path.display())), "{error}");
    }
}
