//! A store on a real disk that is given groups of slots, and what stands beside it: a plain file, and bare sled.

use super::usage::cpu_seconds;
use crate::process::Ticks;
use bytes::Bytes;
use ftq_core::ids::{Digest, MemberId, Slot};
use ftq_core::store::{Generation, Job, JobId, Position, Report, SlotRecord, Snapshot};
use ftq_core::time::SlotClock;
use ftq_storage::disk::{DiskStore, Options};
use ftq_storage::{Done, Store};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// What sled is given between two syncs, as the store does it.
const SLED_SYNC_BYTES: usize = 512 << 10;

/// The largest value that the store gives to sled, nearly.
const SLED_VALUE_BYTES: usize = 47 << 10;

/// How much bare sled keeps; the rest is taken out.
const SLED_KEPT_BYTES: usize = 64 << 20;

/// Slots between two snapshots.
const SNAPSHOT_EVERY: u64 = 10_000;

/// What a run has done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Groups that became durable.
    pub groups: u64,
    /// How long it took.
    pub took: Duration,
    /// Processor seconds of this whole process.
    pub cpu_seconds: f64,
    /// Bytes that were handed to the system to write.
    pub written_bytes: u64,
}

impl Outcome {
    /// Groups a second.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn per_second(&self) -> f64 {
        self.groups as f64 / self.took.as_secs_f64()
    }
}

/// When a run is over.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    /// After so many groups.
    pub groups: u64,
    /// But after so long at the latest.
    pub longest: Duration,
}

/// Counts what `group` does, which makes the next group durable (or the next few: it says how many).
pub fn run(until: Until, mut group: impl FnMut() -> u64) -> Outcome {
    let (cpu, written, clock) = (own_cpu_seconds(), written_bytes(), Ticks::start());
    let mut groups = 0;
    while groups < until.groups && clock.passed() < until.longest {
        groups += group();
    }
    let took = clock.passed();
    Outcome { groups, took, cpu_seconds: own_cpu_seconds() - cpu, written_bytes: written_bytes() - written }
}

/// A preallocated file, written in a circle and synced after each group.
#[derive(Debug)]
pub struct Plain {
    file: File,
    bytes: u64,
    at: u64,
    group: Vec<u8>,
}

impl Plain {
    /// A file for groups of so many bytes.
    pub fn new(directory: &Path, bytes: u64, group_bytes: usize) -> Plain {
        let file = File::create(directory.join("plain")).expect("a file");
        let zeros = vec![0; 1 << 20];
        (0..bytes >> 20).for_each(|at| file.write_all_at(&zeros, at << 20).expect("a write"));
        file.sync_all().expect("a sync");
        Plain { file, bytes, at: 0, group: vec![7; group_bytes] }
    }

    /// Writes and syncs one group.
    pub fn group(&mut self) -> u64 {
        if self.at + self.group.len() as u64 > self.bytes {
            self.at = 0;
        }
        self.file.write_all_at(&self.group, self.at).expect("a write");
        self.file.sync_data().expect("a sync");
        self.at += self.group.len() as u64;
        1
    }
}

/// Bare sled, written in bulk: large values, one sync for many, what is old taken out.
pub struct BareSled {
    db: sled::Db,
    file: File,
    next: u64,
    kept: VecDeque<u64>,
}

impl BareSled {
    /// An empty one.
    pub fn new(directory: &Path) -> BareSled {
        let path = directory.join("bare-sled");
        let config = sled::Config::new().path(&path).cache_capacity(32 << 20).segment_size(8 << 20);
        let db = config.flush_every_ms(None).open().expect("sled opens");
        let file = File::open(path.join("db")).expect("sled has a file");
        BareSled { db, file, next: 0, kept: VecDeque::new() }
    }

    /// Writes and syncs one bulk; how many bytes.
    pub fn bulk(&mut self) -> u64 {
        let mut bytes = 0;
        while bytes < SLED_SYNC_BYTES {
            self.db.insert(self.next.to_be_bytes(), vec![7; SLED_VALUE_BYTES]).expect("an insert");
            self.kept.push_back(self.next);
            self.next += 1;
            bytes += SLED_VALUE_BYTES;
        }
        while self.kept.len() * SLED_VALUE_BYTES > SLED_KEPT_BYTES
            && let Some(old) = self.kept.pop_front()
        {
            self.db.remove(old.to_be_bytes()).expect("a removal");
        }
        self.db.flush().expect("a flush");
        self.file.sync_data().expect("a sync");
        bytes as u64
    }
}

/// A store and what it was given so far.
pub struct Rig {
    store: DiskStore,
    woken: Receiver<()>,
    job: u64,
    end: Slot,
    digest: Digest,
    durable: Slot,
    delivered: Slot,
    snapshotted: Slot,
    content: Bytes,
    slots: u64,
    /// The state that is snapshotted.
    pieces: Vec<Bytes>,
}

impl Rig {
    /// An empty store that is given groups of `slots` slots of so many bytes.
    pub fn new(directory: &Path, options: &Options, slots: u64, content_bytes: usize) -> Rig {
        let (wake, woken) = channel();
        let wake = move || {
            // Nobody listens once the rig is gone.
            let _ = wake.send(());
        };
        let (store, _) = DiskStore::open(&directory.join("store"), options, wake).expect("the store opens");
        Rig {
            store,
            woken,
            job: 0,
            end: Slot(0),
            digest: Digest(1),
            durable: Slot(0),
            delivered: Slot(0),
            snapshotted: Slot(0),
            content: Bytes::from(vec![7; content_bytes]),
            slots,
            pieces: vec![Bytes::from_static(b"state")],
        }
    }

    /// Gives it one group and waits until that is durable; nothing is delivered.
    pub fn accept(&mut self) -> u64 {
        self.append();
        self.wait_until(|rig| rig.durable == rig.end);
        1
    }

    /// The same, with all that a replica does besides: delivering, snapshots, cutting.
    pub fn live(&mut self) -> u64 {
        self.append();
        self.wait_until(|rig| rig.durable == rig.end);
        self.submit(Job::Deliver { upto: self.durable });
        if self.end.0 / SNAPSHOT_EVERY > (self.end.0 - self.slots) / SNAPSHOT_EVERY {
            self.snapshot();
        }
        1
    }

    /// Takes a snapshot of the state at the end, and lets the log below it be cut.
    pub fn snapshot(&mut self) {
        let snapshot = Snapshot {
            slot: self.end,
            digest: self.digest,
            clock: SlotClock(self.end.0),
            positions: MemberId::new(1)
                .map(|origin| Position { origin, view: Default::default(), number: self.end.0 })
                .into_iter()
                .collect(),
            pieces: self.pieces.clone(),
            ..Snapshot::default()
        };
        let slot = snapshot.slot;
        self.submit(Job::Snapshot { snapshot });
        // What is cut is what the snapshot before this one covers: that one is durable.
        self.submit(Job::Cut { below: self.snapshotted.next() });
        self.snapshotted = slot;
    }

    /// The state has these pieces from now on.
    pub fn set_state(&mut self, pieces: Vec<Bytes>) {
        self.pieces = pieces;
    }

    /// Waits until everything is delivered.
    pub fn settle(&mut self) {
        self.submit(Job::Deliver { upto: self.durable });
        self.wait_until(|rig| rig.delivered == rig.end);
    }

    /// The last slot.
    pub fn end(&self) -> u64 {
        self.end.0
    }

    fn append(&mut self) {
        let slots = (0..self.slots).map(|_| {
            self.end = self.end.next();
            self.digest = Digest(self.digest.0.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).wrapping_add(1));
            SlotRecord {
                slot: self.end,
                view: Default::default(),
                clock: SlotClock(self.end.0),
                digest: self.digest,
                content: self.content.clone(),
            }
        });
        let slots = slots.collect();
        self.submit(Job::Append { generation: Generation(1), slots });
    }

    fn submit(&mut self, job: Job) {
        self.job += 1;
        self.store.submit(JobId(self.job), job);
    }

    fn wait_until(&mut self, is_done: impl Fn(&Rig) -> bool) {
        loop {
            while let Some(done) = self.store.poll() {
                match done {
                    Done::Report(Report::Durable { end, .. }) => self.durable = end,
                    Done::Report(Report::Delivered { upto }) => self.delivered = upto,
                    Done::Report(Report::Failed) => panic!("the store has failed"),
                    Done::Report(Report::Snapshotted { .. } | Report::NearlyFull(_)) | Done::Fetched(..) => {}
                }
            }
            if is_done(self) {
                return;
            }
            self.woken.recv().expect("the store wakes the one who waits");
        }
    }
}

/// What a directory takes on the disk.
pub fn disk_bytes(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let entries = entries.filter_map(Result::ok);
    let bytes = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        // A file that was just removed.
        Err(_) => 0,
    };
    entries.map(bytes).sum()
}

/// A line of a file below /proc/self, as a number.
pub fn own(file: &str, line: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
    let value = text.lines().find_map(|text| text.strip_prefix(line)).unwrap_or_default();
    value.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn own_cpu_seconds() -> f64 {
    cpu_seconds(&[std::process::id()])
}

/// What was handed to the system to write. (What it counts as written to the disk counts whole folios, which may
/// be a thousand times of what was changed in them.)
fn written_bytes() -> u64 {
    own("io", "wchar:")
}
