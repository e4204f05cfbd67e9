//! The store on a real disk, beside the least that such a store has to do: a synced write into a file that is
//! already there, and beside sled alone.

mod groups;
mod opening;
mod plain;
mod turnover;

pub use groups::{Load, Rates, in_the_journal, sustained};
pub use opening::{fill, open};
pub use turnover::turnover;

use crate::torture::slots;
use ftq_core::ids::{Digest, Slot};
use ftq_core::store::{Generation, Job, JobId, Opened, Report, SlotRecord};
use ftq_storage::disk::{DiskStore, Options};
use ftq_storage::{Done, Store as _};
use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A store that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A store with the end of its log.
pub(super) struct Bench {
    store: DiskStore,
    woken: Receiver<()>,
    last: u64,
    end: (u64, Digest),
    durable: u64,
    delivered: u64,
    snapshotted: u64,
}

impl Bench {
    fn open(directory: &Path, options: &Options) -> (Bench, Opened) {
        let (wake, woken) = channel();
        let opening = DiskStore::open(directory, options, move || {
            // Nobody listens any more when the store is closed.
            let _ = wake.send(());
        });
        let (store, opened) = opening.unwrap_or_else(|error| panic!("{error}"));
        let base = opened.snapshot.as_ref().map_or((0, Digest(0)), |found| (found.slot.0, found.digest));
        let last = opened.delivered.iter().chain(&opened.tail).last();
        let end = last.map_or(base, |last| (last.slot.0, last.digest));
        let bench = Bench { store, woken, last: 0, end, durable: end.0, delivered: 0, snapshotted: 0 };
        (bench, opened)
    }

    fn submit(&mut self, job: Job) {
        self.last += 1;
        self.store.submit(JobId(self.last), job);
    }

    /// Appends a group behind the end; gives its last slot.
    fn append(&mut self, n: u64, bytes: usize) -> SlotRecord {
        let slots = slots(self.end, n, bytes);
        let last = slots[slots.len() - 1].clone();
        self.end = (last.slot.0, last.digest);
        self.submit(Job::Append { generation: Generation(0), slots });
        last
    }

    fn deliver(&mut self, upto: u64) {
        self.submit(Job::Deliver { upto: Slot(upto) });
    }

    /// Takes what was reported; waits until it is something.
    fn wait(&mut self) {
        while !self.look() {
            self.woken.recv_timeout(PATIENCE).expect("the store goes on");
        }
    }

    /// Takes what was reported; whether it was something.
    fn look(&mut self) -> bool {
        let mut any = false;
        while let Some(done) = self.store.poll() {
            any = true;
            match done {
                Done::Report(Report::Durable { end, .. }) => self.durable = self.durable.max(end.0),
                Done::Report(Report::Delivered { upto }) => self.delivered = upto.0,
                Done::Report(Report::Snapshotted { slot }) => self.snapshotted = slot.0,
                Done::Report(Report::NearlyFull(_)) | Done::Fetched(..) => {}
                Done::Report(Report::Failed) => panic!("the store has failed"),
            }
        }
        any
    }
}

/// What this process has handed to the system to be written so far, in bytes; the disk writes whole blocks.
pub(super) fn written_bytes() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

/// What a directory takes on the disk, in bytes.
pub(super) fn disk_bytes(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let bytes = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        // A block is 512 bytes here, whatever the file system's are.
        Ok(metadata) => metadata.blocks() * 512,
        // It was removed meanwhile.
        Err(_) => 0,
    };
    entries.map(bytes).sum()
}

fn options(journal_bytes: u64) -> Options {
    Options { journal_bytes, ballast_bytes: 0, low_bytes: 1 << 20, ..Options::default() }
}
