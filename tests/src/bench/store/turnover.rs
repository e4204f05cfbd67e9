//! Disk in use while much more goes through the log than is kept of it.

use super::{Bench, disk_bytes, options};
use crate::process::Ticks;
use crate::torture::snapshot;
use ftq_core::ids::Slot;
use ftq_core::store::Job;
use ftq_storage::disk::Options;
use std::path::Path;

/// Slots in a group, bytes in a slot.
const GROUP: u64 = 64;
const SLOT_BYTES: usize = 1_024;

/// So many groups are under way at once.
const UNDER_WAY: u64 = 8;

/// A snapshot is taken every so many slots.
const SNAPSHOT_EVERY: u64 = 20_000;

/// How much of the log is kept.
const LOG_KEEP_BYTES: u64 = 128 << 20;

/// Puts so many bytes through the log, while what a snapshot covers is popped, and prints what the store takes.
pub fn turnover(directory: &Path, bytes: u64) {
    let store_options = Options { log_keep_bytes: LOG_KEEP_BYTES, ..options(64 << 20) };
    let store = directory.join("store");
    let (mut bench, _) = Bench::open(&store, &store_options);
    let (clock, mut most, mut next) = (Ticks::start(), 0, SNAPSHOT_EVERY);
    let slots = bytes / SLOT_BYTES as u64;
    while bench.end.0 < slots {
        while bench.end.0 < bench.durable + UNDER_WAY * GROUP {
            bench.append(GROUP, SLOT_BYTES);
        }
        bench.wait();
        bench.deliver(bench.durable);
        if bench.end.0 >= next {
            next += SNAPSHOT_EVERY;
            let (slot, digest) = bench.end;
            bench.deliver(slot);
            bench.submit(Job::Snapshot { snapshot: snapshot(Slot(slot), digest) });
            bench.submit(Job::Cut { below: Slot(slot) });
            most = most.max(disk_bytes(&store));
        }
    }
    let took = clock.passed().as_secs_f64();
    drop(bench);
    let bound = 3 * LOG_KEEP_BYTES + (256 << 20) + (64 << 20);
    println!(
        "turnover: {} MiB through the log in {took:.0} s, {} MiB of it kept: at most {} MiB on the disk, {} MiB at \
         the end (bound: {} MiB, and {} MiB more during a move)",
        bytes >> 20,
        LOG_KEEP_BYTES >> 20,
        most >> 20,
        disk_bytes(&store) >> 20,
        bound >> 20,
        LOG_KEEP_BYTES >> 20
    );
}
