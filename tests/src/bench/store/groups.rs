//! Durable groups a second: while the journal has room, and over ten times its size.

use super::{Bench, options, plain, written_bytes};
use crate::bench::usage::cpu_seconds;
use crate::process::Ticks;
use crate::torture::snapshot;
use ftq_core::ids::{Digest, Slot};
use ftq_core::store::Job;
use std::path::Path;
use std::time::Duration;

/// How long each measurement of a group lasts at most.
const MEASURED: Duration = Duration::from_secs(2);

/// How long the sustained ones last at most.
const SUSTAINED: Duration = Duration::from_secs(15);

/// The yardsticks are measured before and after: on a shared machine the two differ.
const YARDSTICK: Duration = Duration::from_millis(1_000);

/// One group is synced while the next one waits, so that the disk never does.
const UNDER_WAY: u64 = 2;

/// A snapshot is taken every so many bytes, and lets the log behind it go.
const SNAPSHOT_EVERY_BYTES: u64 = 32 << 20;

/// Groups of so many slots with so many bytes.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Slots in a group.
    pub slots: u64,
    /// Bytes in a slot.
    pub bytes: usize,
}

/// What came out.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// The store's groups a second.
    pub store: f64,
    /// The plain file's.
    pub plain: f64,
    /// Sled's alone, as far as it was measured.
    pub sled: Option<f64>,
    /// Processor time for each slot, all threads together, in microseconds.
    pub cpu_us_per_slot: f64,
    /// Bytes written to the disk for each byte of the slots.
    pub written_per_byte: f64,
    /// How many times around the journal the log went.
    pub laps: f64,
}

impl Load {
    fn group_bytes(self) -> usize {
        usize::try_from(self.slots).unwrap_or(usize::MAX) * self.bytes
    }
}

/// Groups into a fresh journal, until it is full or the time is over.
pub fn in_the_journal(directory: &Path, load: Load) -> Rates {
    let journal_bytes = 256 << 20;
    measure(directory, load, journal_bytes, MEASURED, false)
}

/// Groups that are delivered, snapshots and trimming behind them, until the log has gone around the journal ten
/// times or the time is over.
pub fn sustained(directory: &Path, load: Load, journal_bytes: u64) -> Rates {
    measure(directory, load, journal_bytes, SUSTAINED, true)
}

fn measure(directory: &Path, load: Load, journal_bytes: u64, length: Duration, sustained: bool) -> Rates {
    let before = yardsticks(directory, load, sustained);
    let store = directory.join("store");
    let bytes_max = if sustained { 10 * journal_bytes } else { journal_bytes / 3 };
    let (mut bench, _) = Bench::open(&store, &options(journal_bytes));
    let me = [std::process::id()];
    let (cpu, written, clock) = (cpu_seconds(&me), written_bytes(), Ticks::start());
    let (groups, bytes) = run(&mut bench, load, &clock, length, bytes_max, sustained);
    let took = clock.passed().as_secs_f64();
    // What is still to be archived belongs to the cost.
    drop(bench);
    let (cpu, written) = (cpu_seconds(&me) - cpu, written_bytes() - written);
    std::fs::remove_dir_all(&store).expect("it was there");
    let after = yardsticks(directory, load, sustained);
    let slots = as_f64(groups * load.slots);
    Rates {
        store: as_f64(groups) / took,
        plain: (before.0 + after.0) / 2.0,
        sled: sustained.then(|| (before.1 + after.1) / 2.0 / as_f64(load.group_bytes() as u64)),
        cpu_us_per_slot: cpu * 1e6 / slots,
        written_per_byte: as_f64(written) / as_f64(groups * load.group_bytes() as u64),
        laps: as_f64(bytes) / as_f64(journal_bytes),
    }
}

fn yardsticks(directory: &Path, load: Load, sustained: bool) -> (f64, f64) {
    let plain = plain::groups_per_second(directory, load.group_bytes(), YARDSTICK);
    let sled = if sustained { plain::sled_bytes_per_second(directory, YARDSTICK) } else { 0.0 };
    if sustained {
        std::fs::remove_dir_all(directory.join("sled-alone")).expect("it was there");
    }
    (plain, sled)
}

/// How many groups became durable, and how many bytes they take in the journal, about.
fn run(bench: &mut Bench, load: Load, clock: &Ticks, length: Duration, bytes_max: u64, delivers: bool) -> (u64, u64) {
    // What a record and a slot in it take besides the content.
    let group_bytes = 64 + load.slots * (load.bytes as u64 + 32);
    let (mut asked, mut bytes, mut since_snapshot) = (0, 0, 0);
    let mut snapshot_at: Option<(u64, Digest)> = None;
    while bytes < bytes_max && clock.passed() < length {
        while asked < bench.durable / load.slots + UNDER_WAY {
            bench.append(load.slots, load.bytes);
            (asked, bytes, since_snapshot) = (asked + 1, bytes + group_bytes, since_snapshot + group_bytes);
        }
        bench.wait();
        if delivers {
            bench.deliver(bench.durable);
        }
        if delivers && since_snapshot > SNAPSHOT_EVERY_BYTES {
            since_snapshot = 0;
            if let Some((slot, _)) = snapshot_at {
                bench.submit(Job::Cut { below: Slot(slot) });
            }
            snapshot_at = Some(bench.end);
            let (slot, digest) = bench.end;
            bench.deliver(slot);
            bench.submit(Job::Snapshot { snapshot: snapshot(Slot(slot), digest) });
        }
    }
    while bench.durable < bench.end.0 {
        bench.wait();
    }
    (asked, bytes)
}

fn as_f64(number: u64) -> f64 {
    u32::try_from(number >> 8).map_or(f64::INFINITY, f64::from) * 256.0
        + f64::from(u8::try_from(number & 255).unwrap_or(0))
}
