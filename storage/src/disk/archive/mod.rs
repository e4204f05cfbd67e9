//! The archive: what is delivered, and snapshots, in sled, within the bounds that keep sled whole.
//!
//! Always (each of these was measured to matter, see FORMAT.md):
//! - durable is what sled has flushed *and* we have synced: sled's own flush does not sync;
//! - at most [`UNSYNCED_BYTES_MAX`] lie between two syncs;
//! - no value is larger than [`VALUE_BYTES_MAX`], so that sled never puts one into a file of its own;
//! - every value carries a checksum over its key and its bytes;
//! - what nobody waits for (snapshots, trimming, moving) is done in small steps between the orders.

mod database;
mod heard;
mod log;
mod moving;
mod saving;
mod snapshots;
#[cfg(test)]
mod tests;
mod trim;
mod values;

use super::error::{OpenError, Part};
use super::journal::{ArchiveEnd, Point};
use crate::disk::opening::Contents;
use crate::disk::vitals::Vitals;
use ftq_core::ids::Slot;
use ftq_core::store::{Fetch, Fetched};
use log::Extent;
use moving::Moving;
use saving::Saving;
use snapshots::Kept;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use trim::Trim;
use values::{VALUE_BYTES_MAX, Values, checked};

/// Why the archive can't go on.
#[derive(Debug)]
pub(super) enum Trouble {
    /// sled failed.
    Sled(sled::Error),
    /// Our own sync failed.
    Sync(io::Error),
    /// A value is not what was written.
    Damaged(String),
    /// There is no fresh database to move into.
    Fresh(String),
    /// Slots or a snapshot that contradict what was delivered.
    Differs,
}

impl Trouble {
    /// The same for the one who opens the store. A refusal of the system is no damage: nothing is set aside for it.
    fn at(self, path: &Path) -> OpenError {
        match self {
            Trouble::Sync(error) => OpenError::io("sync", path)(error),
            Trouble::Sled(sled::Error::Io(error)) if error.raw_os_error().is_some() => {
                OpenError::io("read", path)(error)
            }
            Trouble::Sled(_) | Trouble::Damaged(_) | Trouble::Fresh(_) | Trouble::Differs => {
                OpenError::damaged(Part::Archive, self.to_string())
            }
        }
    }
}

impl From<sled::Error> for Trouble {
    fn from(error: sled::Error) -> Trouble {
        Trouble::Sled(error)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Sled(error) => plainly(error, f),
            Trouble::Sync(error) => write!(f, "sync: {error}"),
            Trouble::Damaged(what) | Trouble::Fresh(what) => write!(f, "{what}"),
            Trouble::Differs => write!(f, "what should be delivered contradicts what was"),
        }
    }
}

/// What sled means, for whoever runs ftqd: its own words are for its authors, and go to the log if those are wanted.
fn plainly(error: &sled::Error, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    ::log::debug!("sled says: {error}");
    match error {
        sled::Error::Io(error) => write!(f, "{error}"),
        sled::Error::Corruption { .. } => write!(f, "what its database holds is not what was written"),
        sled::Error::Unsupported(_) => write!(f, "its database was made by another version of sled"),
        sled::Error::CollectionNotFound(_) | sled::Error::ReportableBug(_) => {
            write!(f, "its database is in a state that sled can't go on from")
        }
    }
}

/// How much an archive keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Delivered slots below the newest snapshot stay until they are more than this, for slow members.
    pub(super) log_keep_bytes: u64,
    /// What the database may take beyond twice of what is in it before everything moves into a fresh one.
    pub(super) slack_bytes: u64,
}

/// An open archive.
pub(super) struct Archive {
    values: Values,
    bounds: Bounds,
    /// Seeds the digests of pieces.
    salt: u64,
    /// The last delivered slot.
    end: Point,
    /// The newest snapshot.
    snapshot: Option<Kept>,
    log: Extent,
    trim: Trim,
    saving: Saving,
    moving: Moving,
}

impl Archive {
    /// Makes an empty one.
    pub(super) fn create(path: &Path) -> Result<(), OpenError> {
        Values::open(path).map(drop)
    }

    /// Its syncs are seen from now on.
    pub(super) fn watched_by(mut self, vitals: Vitals) -> Archive {
        self.values.vitals = vitals;
        self
    }

    /// Opens it, makes it if it is not there, and takes out what a write that was cut short has left.
    pub(super) fn open(path: &Path, salt: u64, bounds: Bounds) -> Result<Archive, OpenError> {
        let values = Values::open(path)?;
        checked_open(path, move || {
            let mut archive = Archive {
                values,
                bounds,
                salt,
                end: Point::default(),
                snapshot: None,
                log: Extent::default(),
                trim: Trim::default(),
                saving: Saving::default(),
                moving: Moving::default(),
            };
            archive.snapshot = archive.load_head()?;
            archive.sweep_pieces()?;
            archive.end = archive.find_end()?;
            archive.log = archive.find_extent()?;
            archive.sync()?;
            Ok(archive)
        })
    }

    /// What a replica needs to start.
    pub(super) fn contents(&self) -> Result<Contents, OpenError> {
        checked_open(self.values.path(), || {
            let snapshot = self.load_snapshot()?;
            let base = snapshot.as_ref().map_or(Point::default(), |s| Point { slot: s.slot, digest: s.digest });
            Ok((snapshot, self.delivered_above(base)?, self.heard()?))
        })
    }

    /// Walks everything, and says what is not what was written.
    pub(super) fn damaged_values(&self) -> Result<Vec<String>, OpenError> {
        checked_open(self.values.path(), || {
            let mut damaged = Vec::new();
            for entry in self.values.db.iter() {
                let (key, value) = entry?;
                damaged.extend(checked(&key, &value).err().map(|trouble| trouble.to_string()));
            }
            Ok(damaged)
        })
    }

    /// What the journal must know of it.
    pub(super) fn archive_end(&self, is_rebuilding: bool) -> ArchiveEnd {
        let adopted = self.snapshot.as_ref().filter(|kept| kept.adopted && kept.head.slot == self.end.slot);
        ArchiveEnd { end: self.end, adopted: adopted.map(|kept| kept.head.configuration.clone()), is_rebuilding }
    }

    /// So much of the delivered log below the newest snapshot is kept from now on.
    pub(super) fn keep_log(&mut self, log_keep_bytes: u64) {
        self.bounds.log_keep_bytes = log_keep_bytes;
    }

    /// Makes everything durable.
    pub(super) fn sync(&mut self) -> Result<(), Trouble> {
        self.values.sync()
    }

    /// Reads something back. What is damaged is not there for whoever asks: others may have it.
    pub(super) fn fetched(&self, fetch: Fetch) -> Result<Fetched, Trouble> {
        let (read, nothing) = match fetch {
            Fetch::Slots { from, bytes_max } => {
                (self.slots(from, bytes_max).map(Fetched::Slots), Fetched::Slots(vec![]))
            }
            Fetch::Oldest { bytes_max } => (self.oldest(bytes_max).map(Fetched::Slots), Fetched::Slots(vec![])),
            Fetch::Piece { slot, index } => (self.piece(slot, index).map(Fetched::Piece), Fetched::Piece(None)),
        };
        match read {
            Err(Trouble::Damaged(what)) => {
                ::log::error!("the archive is damaged: {what}. Whoever asked for it gets nothing from here");
                Ok(nothing)
            }
            read => read,
        }
    }

    /// Does a little of the work that nobody waits for: about a millisecond, so that others get their turn.
    pub(super) fn step(&mut self) -> Result<Step, Trouble> {
        if let Some(step) = self.step_saving()? {
            return Ok(step);
        }
        if self.step_trim()? {
            return Ok(Step::Working);
        }
        self.step_moving()
    }

    /// The last delivered slot.
    pub(super) fn end(&self) -> Point {
        self.end
    }

    fn put(&mut self, key: &[u8], body: &[u8]) -> Result<(), Trouble> {
        self.values.put(key, body)?;
        self.moving.mirror(key, |to| to.put(key, body))
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Trouble> {
        self.values.remove(key)?;
        self.moving.mirror(key, |to| to.remove(key))
    }
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is nothing to do.
    Idle,
    /// There is more to do.
    Working,
    /// This replica's snapshot at this slot is durable.
    Snapshotted(Slot),
    /// The fresh database holds everything, synced: once it is named the current one, the move can be ended.
    Copied,
}

/// sled panics over damage that it does not expect; that must not take the process with it. A refusal of the
/// system is no damage.
fn checked_open<T>(path: &Path, read: impl FnOnce() -> Result<T, Trouble>) -> Result<T, OpenError> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(|trouble| trouble.at(path)),
        Err(_) => Err(OpenError::damaged(Part::Archive, "sled panicked while it was read")),
    }
}
