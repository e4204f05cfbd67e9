//! sled, with checksums, a bound on what is unsynced, and syncs that sync.

use super::{Trouble, database};
use crate::disk::error::OpenError;
use crate::disk::vitals::Vitals;
use bytes::Bytes;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The largest value. Sixteen of them, a leaf of sled's tree, stay far below a quarter of a segment; and each of the 256
/// shards of sled's cache keeps at least one leaf, however large it is.
pub(super) const VALUE_BYTES_MAX: usize = 16 << 10;

/// What stands in front of each value's bytes.
pub(super) const CHECKSUM_BYTES: u64 = 8;

/// When so much is unsynced it is synced: a quarter of a segment.
pub(super) const UNSYNCED_BYTES_MAX: usize = 2 << 20;

/// When so much was probably changed, sled is asked how much it was: each flush waits for the disk.
const UNFLUSHED_BYTES_MAX: usize = 1 << 20;

/// A value makes sled write so many times its bytes, about.
const SPREAD: usize = 3;

/// Each change, however small, makes sled write so much besides: about every tenth a leaf of sixteen values is
/// written again, which may be large ones.
const LEAF_SHARE_BYTES: usize = LEAF_SHARE * VALUE_BYTES_MAX;
const LEAF_SHARE: usize = 2;

/// A new value is looked at so many times. A shard of sled's cache forgets nothing before its leaves were visited 64
/// times, and a log that only grows visits a leaf a few times: several in each shard would stay for that reason alone.
const LOOKS: usize = 3;

/// One database.
pub(super) struct Values {
    pub(super) db: sled::Db,
    path: PathBuf,
    /// sled's log file, opened once more for our own sync.
    file: File,
    unflushed: usize,
    pub(super) unsynced: usize,
    pub(super) vitals: Vitals,
}

impl Values {
    pub(super) fn open(path: &Path) -> Result<Values, OpenError> {
        let db = database::open(path)?;
        let log = path.join(database::LOG);
        let file = File::open(&log).map_err(OpenError::io("open", &log))?;
        let mut values =
            Values { db, path: path.to_owned(), file, unflushed: 0, unsynced: 0, vitals: Vitals::default() };
        values.sync().map_err(|trouble| trouble.at(path))?;
        Ok(values)
    }

    pub(super) fn put(&mut self, key: &[u8], body: &[u8]) -> Result<(), Trouble> {
        assert!(8 + body.len() <= VALUE_BYTES_MAX, "large things are written in parts");
        self.copy(key, body)
    }

    /// The same for what another database holds already: builds before this one wrote values of up to 48 KiB.
    pub(super) fn copy(&mut self, key: &[u8], body: &[u8]) -> Result<(), Trouble> {
        let mut value = Vec::with_capacity(8 + body.len());
        value.extend_from_slice(&checksum(key, body).to_le_bytes());
        value.extend_from_slice(body);
        let bytes = value.len();
        self.db.insert(key, value)?;
        for _ in 0..LOOKS {
            self.db.get(key)?;
        }
        self.spend(SPREAD * bytes + LEAF_SHARE_BYTES.max(LEAF_SHARE * bytes))
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Result<(), Trouble> {
        let bytes = self.db.remove(key)?.map_or(0, |value| value.len());
        self.spend(LEAF_SHARE_BYTES.max(LEAF_SHARE * bytes))
    }

    /// Syncs when much is unsynced. How much a change makes sled write can't be told from outside: a leaf is
    /// written again with all of its values, and others with it. So a few changes at a time are flushed, and sled
    /// says how much it was.
    fn spend(&mut self, reckoned: usize) -> Result<(), Trouble> {
        self.unflushed += reckoned;
        if self.unflushed > UNFLUSHED_BYTES_MAX {
            self.unsynced += self.db.flush()?;
            self.unflushed = 0;
        }
        if self.unsynced > UNSYNCED_BYTES_MAX { self.sync() } else { Ok(()) }
    }

    pub(super) fn sync(&mut self) -> Result<(), Trouble> {
        let Values { db, file, vitals, .. } = self;
        vitals.timed(|| {
            db.flush()?;
            file.sync_data().map_err(Trouble::Sync)
        })?;
        (self.unflushed, self.unsynced) = (0, 0);
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
