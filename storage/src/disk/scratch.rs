//! A copy of an archive, to be looked at: sled repairs what it opens, and what is only looked at stays as it is.

use super::Options;
use super::archive::{Archive, Bounds};
use super::directory::Directory;
use super::error::OpenError;
use super::identity::Identity;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the copy is for the time being.
const NAME: &str = "verify.new";

/// A copy of a directory, gone when this is dropped.
pub(super) struct Scratch(PathBuf);

/// Opens a copy of the archive of a store. The copy is there as long as it is held.
pub(super) fn open(directory: &Directory, identity: &Identity) -> Result<(Scratch, Archive), OpenError> {
    directory.remove(NAME)?;
    let scratch = Scratch(directory.at(NAME));
    let from = directory.at(&identity.archive_name());
    copy(&from, &scratch.0).map_err(OpenError::io("copy the archive to", &scratch.0))?;
    let Options { log_keep_bytes, slack_bytes, .. } = Options::default();
    let archive = Archive::open(&scratch.0, identity.salt, Bounds { log_keep_bytes, slack_bytes })?;
    Ok((scratch, archive))
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is taken out by the next look, or by the next opening.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How much a copy takes.
pub(super) fn bytes(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { self::bytes(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
