//! The yardsticks: appending to a plain file, and sled in bulk.

use crate::process::Ticks;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// The plain file is as large as a journal, and written in a circle like one.
const FILE_BYTES: u64 = 64 << 20;

/// Groups of so many bytes, each with a write and an fdatasync, into a file that was written before: how many, and
/// how many seconds it took.
pub(super) fn groups(directory: &Path, group_bytes: usize, length: Duration) -> (f64, f64) {
    let path = directory.join("plain");
    let file = File::options().create(true).write(true).truncate(false).open(&path).expect("a file");
    if file.metadata().expect("it is there").len() < FILE_BYTES {
        let zeros = vec![0; 1 << 20];
        (0..FILE_BYTES >> 20).for_each(|at| file.write_all_at(&zeros, at << 20).expect("room"));
        file.sync_all().expect("it syncs");
    }
    let group = vec![b'x'; group_bytes];
    let (clock, mut at, mut groups) = (Ticks::start(), 0, 0_u32);
    while clock.passed() < length {
        file.write_all_at(&group, at).expect("it writes");
        file.sync_data().expect("it syncs");
        at += group_bytes as u64;
        if at + group_bytes as u64 > FILE_BYTES {
            at = 0;
        }
        groups += 1;
    }
    (f64::from(groups), clock.passed().as_secs_f64())
}

const VALUE_BYTES: usize = 48_000;
const VALUES_PER_SYNC: u64 = 12;

/// So many values are kept, about as much as a journal holds.
const VALUES_KEPT: u64 = 1_400;

/// sled alone, in bulk: values of 48 KiB, twelve of them for each flush and fdatasync, the oldest taken out.
pub(super) struct Sled {
    db: sled::Db,
    log: File,
    next: u64,
}

impl Sled {
    pub(super) fn open(directory: &Path) -> Sled {
        let path = directory.join("sled-alone");
        let config =
            sled::Config::new().path(&path).cache_capacity(32 << 20).segment_size(8 << 20).flush_every_ms(None);
        let db = config.open().expect("a database");
        Sled { db, log: File::open(path.join("db")).expect("its log"), next: 0 }
    }

    /// How many bytes it takes in, and how many seconds that took.
    pub(super) fn take_in(&mut self, length: Duration) -> (f64, f64) {
        let value = vec![b'x'; VALUE_BYTES];
        let (clock, mut values) = (Ticks::start(), 0_u32);
        while clock.passed() < length {
            for _ in 0..VALUES_PER_SYNC {
                self.db.insert(self.next.to_be_bytes(), value.as_slice()).expect("it takes it");
                if let Some(old) = self.next.checked_sub(VALUES_KEPT) {
                    self.db.remove(old.to_be_bytes()).expect("it was there");
                }
                self.next += 1;
                values += 1;
            }
            self.db.flush().expect("it flushes");
            self.log.sync_data().expect("it syncs");
        }
        let value_bytes = f64::from(u32::try_from(VALUE_BYTES).unwrap_or(u32::MAX));
        (f64::from(values) * value_bytes, clock.passed().as_secs_f64())
    }
}
