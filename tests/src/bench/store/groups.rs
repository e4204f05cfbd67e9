//! Durable groups a second: while the journal has room, and over ten times its size.

use super::{Bench, options, plain, written_bytes};
use crate::bench::usage::cpu_seconds;
use crate::process::Ticks;
use crate::torture::snapshot;
use ftq_core::ids::Slot;
use ftq_core::store::Job;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The store and its yardsticks take turns, since on a shared machine no two seconds are alike.
const SLICE: Duration = Duration::from_millis(250);

/// How many turns there are, unless the journal is full before, or until the log has gone around it often enough.
const SLICES: u32 = 12;
const SLICES_SUSTAINED: u32 = 200;

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
    /// Bytes handed to the system to be written for each byte of the slots.
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
    let journal_bytes = 512 << 20;
    let mut run = Run::start(directory, load, journal_bytes, false);
    let mut plain = (0.0, 0.0);
    for _ in 0..SLICES {
        if run.bytes > journal_bytes / 3 {
            break;
        }
        add(&mut plain, plain::groups(directory, load.group_bytes(), SLICE));
        run.go_on(SLICE);
    }
    run.end(plain, None)
}

/// Groups that are delivered, snapshots and trimming behind them, until the log has gone around the journal ten
/// times or the time is over.
pub fn sustained(directory: &Path, load: Load, journal_bytes: u64) -> Rates {
    let mut run = Run::start(directory, load, journal_bytes, true);
    let mut sled = plain::Sled::open(directory);
    let (mut plain, mut alone) = ((0.0, 0.0), (0.0, 0.0));
    for _ in 0..SLICES_SUSTAINED {
        if run.bytes > 10 * journal_bytes {
            break;
        }
        add(&mut plain, plain::groups(directory, load.group_bytes(), SLICE));
        add(&mut alone, sled.take_in(SLICE));
        run.go_on(SLICE);
    }
    run.end(plain, Some(alone.0 / alone.1 / as_f64(load.group_bytes() as u64)))
}

fn add(sum: &mut (f64, f64), (count, seconds): (f64, f64)) {
    *sum = (sum.0 + count, sum.1 + seconds);
}

/// A store under load.
struct Run {
    directory: PathBuf,
    bench: Bench,
    load: Load,
    journal_bytes: u64,
    delivers: bool,
    groups: u64,
    /// What the groups take in the journal, about; and how much of that is not in a snapshot.
    bytes: u64,
    since_snapshot: u64,
    /// How long it went on, and what it took.
    seconds: f64,
    cpu_seconds: f64,
    written: u64,
}

impl Run {
    fn start(directory: &Path, load: Load, journal_bytes: u64, delivers: bool) -> Run {
        let directory = directory.join("store");
        let (bench, _) = Bench::open(&directory, &options(journal_bytes));
        let (groups, bytes, since_snapshot, seconds, cpu_seconds, written) = (0, 0, 0, 0.0, 0.0, 0);
        Run {
            directory,
            bench,
            load,
            journal_bytes,
            delivers,
            groups,
            bytes,
            since_snapshot,
            seconds,
            cpu_seconds,
            written,
        }
    }

    fn go_on(&mut self, length: Duration) {
        let me = [std::process::id()];
        let (cpu, written, clock) = (cpu_seconds(&me), written_bytes(), Ticks::start());
        // What a record and a slot in it take besides the content.
        let group_bytes = 64 + self.load.slots * (self.load.bytes as u64 + 32);
        while clock.passed() < length {
            while self.groups < self.bench.durable / self.load.slots + UNDER_WAY {
                self.bench.append(self.load.slots, self.load.bytes);
                self.groups += 1;
                self.bytes += group_bytes;
                self.since_snapshot += group_bytes;
            }
            self.bench.wait();
            if self.delivers {
                self.bench.deliver(self.bench.durable);
                self.take_snapshot();
            }
        }
        while self.bench.durable < self.bench.end.0 {
            self.bench.wait();
        }
        if self.delivers {
            // The archive's share of the work belongs to it.
            self.bench.deliver(self.bench.end.0);
            while self.bench.delivered < self.bench.end.0 {
                self.bench.wait();
            }
        }
        self.seconds += clock.passed().as_secs_f64();
        self.cpu_seconds += cpu_seconds(&me) - cpu;
        self.written += written_bytes() - written;
    }

    fn take_snapshot(&mut self) {
        if self.since_snapshot > SNAPSHOT_EVERY_BYTES {
            self.since_snapshot = 0;
            let (slot, digest) = self.bench.end;
            self.bench.deliver(slot);
            self.bench.submit(Job::Snapshot { snapshot: snapshot(Slot(slot), digest) });
            self.bench.submit(Job::Cut { below: Slot(slot) });
        }
    }

    fn end(self, plain: (f64, f64), sled: Option<f64>) -> Rates {
        drop(self.bench);
        for left in ["store", "sled-alone"] {
            // The one that was not made is not there.
            let _ = std::fs::remove_dir_all(self.directory.with_file_name(left));
        }
        let groups = as_f64(self.groups);
        Rates {
            store: groups / self.seconds,
            plain: plain.0 / plain.1,
            sled,
            cpu_us_per_slot: self.cpu_seconds * 1e6 / as_f64(self.groups * self.load.slots),
            written_per_byte: as_f64(self.written) / (groups * as_f64(self.load.group_bytes() as u64)),
            laps: as_f64(self.bytes) / as_f64(self.journal_bytes),
        }
    }
}

fn as_f64(number: u64) -> f64 {
    u32::try_from(number >> 8).map_or(f64::INFINITY, f64::from) * 256.0
        + f64::from(u8::try_from(number & 255).unwrap_or(0))
}
