//! The directory of a store: locked by one process, with small files that change all at once.

use super::error::OpenError;
use rustix::fs::{Advice, fadvise};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

pub(super) const LOCK: &str = "lock";

/// A file that is there for whoever opens the store, and no part of it.
pub const ADDRESSES: &str = "addresses";

/// A directory that this process holds until it is dropped.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// The system lets go of the lock when the file is closed, however the process ends.
    _lock: File,
}

impl Directory {
    /// Takes the directory, makes it if it is not there.
    pub(super) fn lock(path: &Path) -> Result<Directory, OpenError> {
        if !path.is_dir() {
            fs::create_dir_all(path).map_err(OpenError::io("create the directory", path))?;
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync(parent).map_err(OpenError::io("sync the directory", parent))?;
            }
        }
        let at = path.join(LOCK);
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let mut lock = options.open(&at).map_err(OpenError::io("open", &at))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message: an unreadable lock file is a lock all the same.
                let _ = lock.read_to_string(&mut holder);
                return Err(OpenError::InUse { directory: path.to_owned(), holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(OpenError::io("lock", &at)(error)),
        }
        let says = format!("process {}\n", std::process::id());
        lock.set_len(0).and_then(|()| lock.write_all(says.as_bytes())).map_err(OpenError::io("write", &at))?;
        Ok(Directory { path: path.to_owned(), _lock: lock })
    }

    /// Writes a file so that after a power cut it is the old one or the new one.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), OpenError> {
        replace(&self.path, name, bytes).map_err(OpenError::io("write", &self.path.join(name)))
    }

    /// Reads a small file; `None` if it is not there.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, OpenError> {
        let path = self.path.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(OpenError::io("read", &path)(error)),
        }
    }

    /// Gives something in it another name, durably.
    pub(super) fn rename(&self, name: &str, to: &str) -> Result<(), OpenError> {
        let (from, to) = (self.at(name), self.at(to));
        let rename = || {
            fs::rename(&from, &to)?;
            for parent in [&to, &from].into_iter().filter_map(|path| path.parent()) {
                sync(parent)?;
            }
            sync(&self.path)
        };
        rename().map_err(OpenError::io("rename", &from))
    }

    /// Removes something in it, if it is there, with all that is below it.
    pub(super) fn remove(&self, name: &str) -> Result<(), OpenError> {
        let path = self.at(name);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::io("remove", &path)(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The names of what is in it.
    pub(super) fn names(&self) -> Result<Vec<String>, OpenError> {
        let read = || fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>();
        let names = read().map_err(OpenError::io("read", &self.path))?;
        Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }

    /// Makes all names in it durable.
    pub(super) fn sync(&self) -> Result<(), OpenError> {
        sync(&self.path).map_err(OpenError::io("sync the directory", &self.path))
    }

    /// The directory itself.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where something in it is.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Makes a file hold what will be read of it: what a killed process has written is synced, and what never got to
/// the disk is forgotten. For after a sync that failed the system takes its copy for clean, shows it to whoever
/// reads, and the next sync says that all is well; only a power cut would bring the truth out.
pub(super) fn settle(file: &File) -> io::Result<()> {
    file.sync_all()?;
    fadvise(file, 0, None, Advice::DontNeed)?;
    Ok(())
}

/// Writes a file in a directory so that after a power cut it is the old one or the new one.
pub fn replace(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let staged = directory.join(format!("{name}.new"));
    let mut file = File::create(&staged)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&staged, directory.join(name))?;
    sync(directory)
}

/// Makes the names in a directory durable.
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
