//! The yardsticks: appending to a plain file, and sled in bulk.

use crate::process::Ticks;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// The plain file is as large as a journal, and written in a circle like one.
const FILE_BYTES: u64 = 64 << 20;

/// Groups of so many bytes a second, each with a write and an fdatasync, into a file that was written before.
pub(super) fn groups_per_second(directory: &Path, group_bytes: usize, length: Duration) -> f64 {
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
    f64::from(groups) / clock.passed().as_secs_f64()
}

/// What sled alone takes in, in bytes a second: values of 48 KiB, twelve of them for each flush and fdatasync, the
/// oldest taken out behind 64 MiB.
pub(super) fn sled_bytes_per_second(directory: &Path, length: Duration) -> f64 {
    const VALUE_BYTES: usize = 48_000;
    const VALUES_PER_SYNC: u64 = 12;
    const KEPT: u64 = 1_400;
    let path = directory.join("sled-alone");
    let config = sled::Config::new().path(&path).cache_capacity(32 << 20).segment_size(8 << 20).flush_every_ms(None);
    let db = config.open().expect("a database");
    let file = File::open(path.join("db")).expect("its log");
    let value = vec![b'x'; VALUE_BYTES];
    let (clock, mut key) = (Ticks::start(), 0_u64);
    while clock.passed() < length {
        for _ in 0..VALUES_PER_SYNC {
            db.insert(key.to_be_bytes(), value.as_slice()).expect("it takes it");
            if let Some(old) = key.checked_sub(KEPT) {
                db.remove(old.to_be_bytes()).expect("it was there");
            }
            key += 1;
        }
        db.flush().expect("it flushes");
        file.sync_data().expect("it syncs");
    }
    let values = u32::try_from(key).map_or(f64::INFINITY, f64::from);
    values * f64::from(u32::try_from(VALUE_BYTES).expect("it is small")) / clock.passed().as_secs_f64()
}
