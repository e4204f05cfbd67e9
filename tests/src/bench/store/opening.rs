//! Opening a store of many slots: time and memory.

use super::{Bench, options};
use crate::process::Ticks;
use crate::torture::snapshot;
use ftq_core::ids::{Digest, Slot};
use ftq_core::store::Job;
use ftq_storage::disk::Options;
use std::fs;
use std::path::Path;

/// Slots in a group, and bytes in a slot.
const GROUP: u64 = 16;
const SLOT_BYTES: usize = 100;

/// So many groups are under way at once: this is not what is measured.
const UNDER_WAY: u64 = 64;

/// So many slots stand above the snapshot.
const ABOVE_SNAPSHOT: u64 = 10_000;

/// Everything is kept, whatever the snapshot covers.
fn kept() -> Options {
    Options { log_keep_bytes: u64::MAX, ..options(64 << 20) }
}

/// Makes a store of so many slots in groups of 16, with a snapshot near its end.
pub fn fill(directory: &Path, slots: u64) {
    let (mut bench, _) = Bench::open(directory, &kept());
    let mut at: Option<(u64, Digest)> = None;
    while bench.end.0 < slots {
        while bench.end.0 < slots && bench.end.0 < bench.durable + UNDER_WAY * GROUP {
            bench.append(GROUP, SLOT_BYTES);
            if bench.end.0 + ABOVE_SNAPSHOT >= slots && at.is_none() {
                at = Some(bench.end);
            }
        }
        bench.wait();
        bench.deliver(bench.durable);
    }
    while bench.durable < bench.end.0 {
        bench.wait();
    }
    bench.deliver(bench.end.0);
    let (slot, digest) = at.unwrap_or(bench.end);
    bench.submit(Job::Snapshot { snapshot: snapshot(Slot(slot), digest) });
    while bench.delivered < bench.end.0 || bench.snapshotted < slot {
        bench.wait();
    }
}

/// Opens it, in a process of its own, and prints how long it took and how much memory.
pub fn open(directory: &Path) {
    let clock = Ticks::start();
    let (bench, opened) = Bench::open(directory, &kept());
    let took = clock.passed();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?").trim();
    let (end, above) = (bench.end.0, opened.delivered.len() + opened.tail.len());
    println!("opening {end} slots, {above} of them above the snapshot: {:.2} s, {peak} at most", took.as_secs_f64());
}
