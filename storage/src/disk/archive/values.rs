//! sled, with checksums, a bound on what is unsynced, and syncs that sync.

use super::Trouble;
use crate::disk::error::{OpenError, Part};
use bytes::Bytes;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The largest value: sixteen of them, a leaf of sled's tree, stay below a quarter of a segment.
pub(super) const VALUE_BYTES_MAX: usize = 48 << 10;

/// What stands in front of each value's bytes.
pub(super) const CHECKSUM_BYTES: u64 = 8;

/// The most that may be written between two syncs: a quarter of a segment.
pub(super) const UNSYNCED_BYTES_MAX: usize = 2 << 20;

/// sled's unit of space. It must never change for a directory that exists.
const SEGMENT_BYTES: usize = 8 << 20;

/// sled's cache. Its default is 1 GiB.
const CACHE_BYTES: u64 = 32 << 20;

/// What a write costs sled besides the bytes themselves, about.
const WRITE_OVERHEAD_BYTES: usize = 128;

/// What a removal counts for: sled may write the leaf again from which it is gone.
const REMOVAL_BYTES: usize = 4 << 10;

/// A store that was just closed may hold sled's lock for a moment longer.
const LOCK_TRIES: u32 = 50;

/// How long to wait between two of these tries.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// One database.
pub(super) struct Values {
    pub(super) db: sled::Db,
    path: PathBuf,
    /// sled's log file, opened once more for our own sync.
    file: File,
    pub(super) unsynced: usize,
}

impl Values {
    pub(super) fn open(path: &Path) -> Result<Values, OpenError> {
        let new = !path.join("db").exists();
        remove_unfinished(path).map_err(OpenError::io("clean up", path))?;
        let db = open_sled(path)?;
        let log = path.join("db");
        let file = File::open(&log).map_err(OpenError::io("open", &log))?;
        let mut values = Values { db, path: path.to_owned(), file, unsynced: 0 };
        values.sync().map_err(|trouble| OpenError::damaged(Part::Archive, trouble.to_string()))?;
        if new {
            // sled syncs neither its settings nor any directory when it creates a database.
            let settings = path.join("conf");
            File::open(&settings).and_then(|file| file.sync_all()).map_err(OpenError::io("sync", &settings))?;
            crate::disk::directory::sync(path).map_err(OpenError::io("sync", path))?;
        }
        Ok(values)
    }

    pub(super) fn put(&mut self, key: &[u8], body: &[u8]) -> Result<(), Trouble> {
        self.spend(key.len() + body.len() + WRITE_OVERHEAD_BYTES)?;
        let mut value = Vec::with_capacity(8 + body.len());
        value.extend_from_slice(&checksum(key, body).to_le_bytes());
        value.extend_from_slice(body);
        assert!(value.len() <= VALUE_BYTES_MAX, "large things are written in parts");
        self.db.insert(key, value)?;
        Ok(())
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Result<(), Trouble> {
        self.spend(REMOVAL_BYTES)?;
        self.db.remove(key)?;
        Ok(())
    }

    /// Syncs first if this much more would be too much at once.
    fn spend(&mut self, bytes: usize) -> Result<(), Trouble> {
        if self.unsynced + bytes > UNSYNCED_BYTES_MAX {
            self.sync()?;
        }
        self.unsynced += bytes;
        Ok(())
    }

    pub(super) fn sync(&mut self) -> Result<(), Trouble> {
        self.db.flush()?;
        self.file.sync_data().map_err(Trouble::Sync)?;
        self.unsynced = 0;
        Ok(())
    }

    /// What it takes on the disk.
    pub(super) fn disk_bytes(&self) -> io::Result<u64> {
        // A block is 512 bytes here, whatever the file system's are.
        Ok(self.file.metadata()?.blocks() * 512)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn read(&self, key: &[u8]) -> Result<Option<Bytes>, Trouble> {
        self.db.get(key)?.map(|value| checked(key, &value)).transpose()
    }
}

/// The body of a value, if it is the one that was written under this key.
pub(super) fn checked(key: &[u8], value: &[u8]) -> Result<Bytes, Trouble> {
    let whole = value.split_at_checked(8).filter(|(check, body)| **check == checksum(key, body).to_le_bytes());
    match whole {
        Some((_, body)) => Ok(Bytes::copy_from_slice(body)),
        None => Err(Trouble::Damaged(format!("the value under {key:02x?} is not what was written"))),
    }
}

fn checksum(key: &[u8], body: &[u8]) -> u64 {
    xxh3_64_with_seed(body, xxh3_64(key))
}

/// Takes out sled's own snapshots that were not written to their end: they make each opening fail.
fn remove_unfinished(path: &Path) -> io::Result<()> {
    if path.exists() {
        for entry in fs::read_dir(path)? {
            let name = entry?.file_name();
            if name.to_string_lossy().ends_with(".generating") {
                fs::remove_file(path.join(name))?;
            }
        }
    }
    Ok(())
}

/// Opens sled, waits a moment for its lock, and survives its panics.
fn open_sled(path: &Path) -> Result<sled::Db, OpenError> {
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(CACHE_BYTES)
        .segment_size(SEGMENT_BYTES)
        .flush_every_ms(None)
        .use_compression(false);
    let mut tries = 0;
    loop {
        match catch_unwind(AssertUnwindSafe(|| config.open())) {
            Ok(Ok(db)) => return Ok(db),
            Ok(Err(sled::Error::Io(error))) if tries < LOCK_TRIES && is_lock(&error) => {
                tries += 1;
                #[expect(
                    clippy::disallowed_methods,
                    reason = "a lock may outlive its holder for a moment; opening may wait"
                )]
                std::thread::sleep(LOCK_PAUSE);
            }
            // What the system says has a number; the rest is sled's word for bytes that make no sense.
            Ok(Err(sled::Error::Io(error))) if error.raw_os_error().is_some() || is_lock(&error) => {
                return Err(OpenError::io("open", path)(error));
            }
            Ok(Err(error)) => return Err(OpenError::damaged(Part::Archive, error.to_string())),
            Err(_) => return Err(OpenError::damaged(Part::Archive, "sled panicked while it was opened")),
        }
    }
}

/// sled wraps the system's answer into a text of its own.
fn is_lock(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}
