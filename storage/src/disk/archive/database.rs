//! Opening a database of sled so that neither a kill nor a power cut on the way loses it.
//!
//! ```text
//! our sync of the log ─▶ snapshot finished or removed ─▶ sled opens ─▶ our sync of the directory
//!                                                          │ writes snap.N.generating, syncs it, names it snap.N,
//!                                                          │ removes the former one, overwrites what snap.N frees
//! ```
//!
//! Always:
//! - a snapshot of sled's page table tells of nothing that is not synced: what a killed process has written is
//!   synced before sled reads it, and what a disk has refused is not read at all;
//! - once sled may have overwritten what only the former snapshot needs, the new one is in force. sled does not
//!   sync its name, so a power cut can bring the former one back, beside the new one under its first name: if that
//!   is whole, it is given its name here. Without that the former one leads into overwritten space, and the whole
//!   database can't be read any more.

use crate::disk::directory;
use crate::disk::error::{OpenError, Part};
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

/// sled's unit of space. It must never change for a directory that exists.
const SEGMENT_BYTES: usize = 8 << 20;

/// sled's cache. Its default is 1 GiB.
const CACHE_BYTES: u64 = 32 << 20;

/// A store that was just closed may hold sled's lock for a moment longer.
const LOCK_TRIES: u32 = 50;

/// How long to wait between two of these tries.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// sled's log, its settings, and how it calls a snapshot that is being written.
pub(super) const LOG: &str = "db";
const SETTINGS: &str = "conf";
const UNFINISHED: &str = ".generating";

/// What sled writes behind a snapshot: its length, and a checksum of what comes before the length.
const SNAPSHOT_TRAILER: usize = 12;

/// Opens the database in a directory, makes it if it is not there.
pub(super) fn open(path: &Path) -> Result<sled::Db, OpenError> {
    let log = path.join(LOG);
    let new = !log.exists();
    if !new {
        File::open(&log).and_then(|log| directory::settle(&log)).map_err(OpenError::io("sync", &log))?;
        finish_snapshots(path).map_err(OpenError::io("clean up", path))?;
    }
    let db = open_when_free(path)?;
    if new {
        let settings = path.join(SETTINGS);
        File::open(&settings).and_then(|settings| settings.sync_all()).map_err(OpenError::io("sync", &settings))?;
    }
    directory::sync(path).map_err(OpenError::io("sync", path))?;
    Ok(db)
}

/// A snapshot that sled has written to its end gets its name; one that is cut off goes, or each opening would fail.
fn finish_snapshots(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let Some(finished) = name.strip_suffix(UNFINISHED) else { continue };
        let unfinished = path.join(&name);
        if is_whole(&fs::read(&unfinished)?) {
            // Its bytes may be in memory alone.
            File::open(&unfinished)?.sync_all()?;
            fs::rename(&unfinished, path.join(finished))?;
        } else {
            fs::remove_file(&unfinished)?;
        }
    }
    directory::sync(path)
}

fn is_whole(snapshot: &[u8]) -> bool {
    let Some(at) = snapshot.len().checked_sub(SNAPSHOT_TRAILER) else { return false };
    let (body, trailer) = snapshot.split_at(at);
    trailer[8..] == crc32fast::hash(body).to_le_bytes()
}

/// Opens sled, waits a moment for its lock, and survives its panics.
fn open_when_free(path: &Path) -> Result<sled::Db, OpenError> {
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
