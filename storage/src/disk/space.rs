//! How much room is left on the disk, and a little that is held back.
//!
//! ```text
//! free:   0 ───── ROOM_TO_OPEN ───────── low ─────────── 2 × low ──────▶
//!         │ the ballast goes; if that │ nearly full: said │ as it was │ enough: said
//!         │ is not enough: refused    │ in good time      │           │
//! ```
//!
//! Always: a store is opened only with enough room for what opening writes, since sled's panic over a full disk
//! would look like damage. A full disk costs the operator some room to be made, and no data.

use super::error::OpenError;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(super) const BALLAST: &str = "ballast";

/// Opening may write a few of sled's segments again.
const ROOM_TO_OPEN: u64 = 24 << 20;

/// How often a look is taken: the disk does not fill up in a second.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a look has shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Whether the disk is nearly full, if that is different from what was said before.
    pub(super) changed: Option<bool>,
}

/// The room around a store.
#[derive(Debug)]
pub(super) struct Space {
    directory: PathBuf,
    ballast_bytes: u64,
    low_bytes: u64,
    is_low: bool,
    looked: Option<Instant>,
    /// What was free when it was looked at last, for whoever watches.
    seen: Arc<AtomicU64>,
}

impl Space {
    /// The room in a directory's file system.
    pub(super) fn new(directory: &Path, ballast_bytes: u64, low_bytes: u64) -> Space {
        Space {
            directory: directory.to_owned(),
            ballast_bytes,
            low_bytes,
            is_low: false,
            looked: None,
            seen: Arc::default(),
        }
    }

    /// Before a store is opened: gives up the ballast if there is no room without it.
    pub(super) fn make_room(&self) -> Result<(), OpenError> {
        let ballast = self.directory.join(BALLAST);
        if self.free()? < ROOM_TO_OPEN && ballast.exists() {
            fs::remove_file(&ballast).map_err(OpenError::io("remove", &ballast))?;
            log::warn!("the disk is full: {} was removed to make room", ballast.display());
        }
        self.require(0)
    }

    /// Whether there is room to write so much beside what opening a store needs.
    pub(super) fn require(&self, bytes: u64) -> Result<(), OpenError> {
        let (free, needed) = (self.free()?, ROOM_TO_OPEN + bytes);
        if free < needed {
            return Err(OpenError::Full { directory: self.directory.clone(), free, needed });
        }
        Ok(())
    }

    /// Makes the ballast if there is plenty of room for it.
    pub(super) fn keep_ballast(&self) {
        let path = self.directory.join(BALLAST);
        let has_room = self.free().is_ok_and(|free| free > 2 * self.low_bytes + self.ballast_bytes);
        if self.ballast_bytes == 0 || path.exists() || !has_room {
            return;
        }
        let make = || -> io::Result<()> {
            let file = File::create(&path)?;
            fallocate(&file, FallocateFlags::empty(), 0, self.ballast_bytes)?;
            file.sync_all()
        };
        if let Err(error) = make() {
            log::warn!("no room is held back in {}: {error}", path.display());
            // Half a ballast would be taken for a whole one.
            let _ = fs::remove_file(&path);
        }
    }

    /// Looks once in a while.
    pub(super) fn look(&mut self, now: Instant) -> Option<Look> {
        if self.looked.is_some_and(|at| now.saturating_duration_since(at) < LOOK_EVERY) {
            return None;
        }
        self.looked = Some(now);
        let enough = if self.is_low { 2 * self.low_bytes } else { self.low_bytes };
        let free = self.free().ok()?;
        self.seen.store(free, Ordering::Relaxed);
        let is_low = free < enough;
        if !is_low {
            self.keep_ballast();
        }
        let has_changed = std::mem::replace(&mut self.is_low, is_low) != is_low;
        Some(Look { changed: has_changed.then_some(is_low) })
    }

    /// With less than this free the disk is nearly full from now on.
    pub(super) fn mind(&mut self, low_bytes: u64) {
        self.low_bytes = low_bytes;
        self.looked = None;
    }

    /// What was free at the last look, as long as it looks; 0 before the first one.
    pub(super) fn seen(&self) -> Arc<AtomicU64> {
        self.seen.clone()
    }

    /// Whether so much can be written without coming near the end.
    pub(super) fn has(&self, bytes: u64) -> bool {
        self.free().is_ok_and(|free| free > bytes + self.low_bytes)
    }

    fn free(&self) -> Result<u64, OpenError> {
        let stat = statvfs(&self.directory);
        let stat = stat.map_err(|errno| OpenError::io("look for room in", &self.directory)(errno.into()))?;
        Ok(stat.f_bavail * stat.f_frsize)
    }
}
