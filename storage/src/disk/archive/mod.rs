//! The archive: what is delivered, and snapshots, in sled, within the bounds that keep sled whole.
//!
//! Always (each of these was measured to matter, see FORMAT.md):
//! - durable is what sled has flushed *and* we have synced: sled's own flush does not sync;
//! - at most [`UNSYNCED_BYTES_MAX`] lie between two syncs;
//! - no value is larger than [`VALUE_BYTES_MAX`], so that sled never puts one into a file of its own;
//! - every value carries a checksum over its key and its bytes.

mod heard;
mod log;
mod snapshots;
#[cfg(test)]
mod tests;

use super::error::{OpenError, Part};
use super::journal::{ArchiveEnd, Point};
use crate::disk::opening::Contents;
use bytes::Bytes;
use ftq_core::store::{Fetch, Fetched};
use snapshots::Kept;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The largest value: sixteen of them, a leaf of sled's tree, stay below a quarter of a segment.
const VALUE_BYTES_MAX: usize = 48 << 10;

/// The most that may be written between two syncs: a quarter of a segment.
const UNSYNCED_BYTES_MAX: usize = 2 << 20;

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

/// Why the archive can't go on.
#[derive(Debug)]
pub(super) enum Trouble {
    /// sled failed.
    Sled(sled::Error),
    /// Our own sync failed.
    Sync(io::Error),
    /// A value is not what was written.
    Damaged(String),
    /// Slots or a snapshot that contradict what was delivered.
    Differs,
}

impl From<sled::Error> for Trouble {
    fn from(error: sled::Error) -> Trouble {
        Trouble::Sled(error)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Sled(error) => write!(f, "sled: {error}"),
            Trouble::Sync(error) => write!(f, "sync: {error}"),
            Trouble::Damaged(what) => write!(f, "{what}"),
            Trouble::Differs => write!(f, "what should be delivered contradicts what was"),
        }
    }
}

/// An open archive.
pub(super) struct Archive {
    values: Values,
    /// Seeds the digests of pieces.
    salt: u64,
    /// The last delivered slot.
    end: Point,
    /// The newest snapshot.
    snapshot: Option<Kept>,
}

impl Archive {
    /// Opens it, makes it if it is not there, and takes out what a write that was cut short has left.
    pub(super) fn open(path: &Path, salt: u64) -> Result<Archive, OpenError> {
        let damaged = |what: String| OpenError::damaged(Part::Archive, what);
        let values = Values::open(path)?;
        // sled panics over damage that it does not expect; that must not take the process with it.
        let read = catch_unwind(AssertUnwindSafe(move || {
            let mut archive = Archive { values, salt, end: Point::default(), snapshot: None };
            archive.snapshot = archive.load_head()?;
            archive.sweep_pieces()?;
            archive.end = archive.find_end()?;
            archive.values.sync()?;
            Ok(archive)
        }));
        match read {
            Ok(Ok(archive)) => Ok(archive),
            Ok(Err(trouble)) => Err(damaged(Trouble::to_string(&trouble))),
            Err(_) => Err(damaged("sled panicked while it was read".to_owned())),
        }
    }

    /// What a replica needs to start.
    pub(super) fn contents(&self) -> Result<Contents, OpenError> {
        let read = catch_unwind(AssertUnwindSafe(|| {
            let snapshot = self.load_snapshot()?;
            let base = snapshot.as_ref().map_or(Point::default(), |s| Point { slot: s.slot, digest: s.digest });
            Ok((snapshot, self.delivered_above(base)?, self.heard()?))
        }));
        let damaged = |what: String| OpenError::damaged(Part::Archive, what);
        match read {
            Ok(contents) => contents.map_err(|trouble: Trouble| damaged(trouble.to_string())),
            Err(_) => Err(damaged("sled panicked while it was read".to_owned())),
        }
    }

    /// What the journal must know of it.
    pub(super) fn archive_end(&self, is_rebuilding: bool) -> ArchiveEnd {
        let adopted = self.snapshot.as_ref().filter(|kept| kept.adopted && kept.head.slot == self.end.slot);
        ArchiveEnd { end: self.end, adopted: adopted.map(|kept| kept.head.configuration.clone()), is_rebuilding }
    }

    /// Makes everything durable.
    pub(super) fn sync(&mut self) -> Result<(), Trouble> {
        self.values.sync()
    }

    /// Reads something back.
    pub(super) fn fetched(&self, fetch: Fetch) -> Result<Fetched, Trouble> {
        match fetch {
            Fetch::Slots { from, bytes_max } => Ok(Fetched::Slots(self.slots(from, bytes_max)?)),
            Fetch::Piece { slot, index } => Ok(Fetched::Piece(self.piece(slot, index)?)),
        }
    }

    /// The last delivered slot.
    pub(super) fn end(&self) -> Point {
        self.end
    }
}

/// sled, with checksums, a bound on what is unsynced, and syncs that sync.
struct Values {
    db: sled::Db,
    /// sled's log file, opened once more for our own sync.
    file: File,
    unsynced: usize,
}

impl Values {
    fn open(path: &Path) -> Result<Values, OpenError> {
        let new = !path.join("db").exists();
        remove_unfinished(path).map_err(OpenError::io("clean up", path))?;
        let db = open_sled(path)?;
        let log = path.join("db");
        let file = File::open(&log).map_err(OpenError::io("open", &log))?;
        let mut values = Values { db, file, unsynced: 0 };
        values.sync().map_err(|trouble| OpenError::damaged(Part::Archive, trouble.to_string()))?;
        if new {
            // sled syncs neither its settings nor any directory when it creates a database.
            let settings = path.join("conf");
            File::open(&settings).and_then(|file| file.sync_all()).map_err(OpenError::io("sync", &settings))?;
            super::directory::sync(path).map_err(OpenError::io("sync", path))?;
        }
        Ok(values)
    }

    fn put(&mut self, key: &[u8], body: &[u8]) -> Result<(), Trouble> {
        self.spend(key.len() + body.len() + WRITE_OVERHEAD_BYTES)?;
        let mut value = Vec::with_capacity(8 + body.len());
        value.extend_from_slice(&checksum(key, body).to_le_bytes());
        value.extend_from_slice(body);
        assert!(value.len() <= VALUE_BYTES_MAX, "large things are written in parts");
        self.db.insert(key, value)?;
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Trouble> {
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

    fn sync(&mut self) -> Result<(), Trouble> {
        self.db.flush()?;
        self.file.sync_data().map_err(Trouble::Sync)?;
        self.unsynced = 0;
        Ok(())
    }

    fn read(&self, key: &[u8]) -> Result<Option<Bytes>, Trouble> {
        self.db.get(key)?.map(|value| checked(key, &value)).transpose()
    }
}

/// The body of a value, if it is the one that was written under this key.
fn checked(key: &[u8], value: &[u8]) -> Result<Bytes, Trouble> {
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
