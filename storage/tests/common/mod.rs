//! A store in a scratch directory with its job counter, and jobs to give it.

#![allow(dead_code, unreachable_pub, clippy::allow_attributes, reason = "each test file uses a part of it")]

use bytes::Bytes;
use ftq_core::electorate::Electorate;
use ftq_core::ids::{Ballot, Configuration, Digest, MemberId, MemberSet, Slot, StoreId, View};
use ftq_core::replica::FetchId;
use ftq_core::store::{Fetch, Fetched, Generation, Job, JobId, Opened, Position, Report, SlotRecord, Snapshot};
use ftq_core::time::SlotClock;
use ftq_storage::disk::{DiskStore, OpenError, Options};
use ftq_storage::{Done, Store};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Longer than any disk should take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The smallest journal there is: tests go around it often.
pub const SMALL: Options = Options {
    cluster: None,
    journal_bytes: 64 << 10,
    log_keep_bytes: 0,
    slack_bytes: 192 << 20,
    low_bytes: 0,
    ballast_bytes: 0,
};

/// An open store.
pub struct Bench {
    pub store: DiskStore,
    woken: Receiver<()>,
    last: u64,
    fetches: u64,
    seen: Vec<Report>,
}

impl Bench {
    pub fn open(directory: &Path) -> (Bench, Opened) {
        Bench::try_open(directory, &SMALL).expect("the store opens")
    }

    pub fn try_open(directory: &Path, options: &Options) -> Result<(Bench, Opened), OpenError> {
        let (wake, woken) = channel();
        let (store, opened) = DiskStore::open(directory, options, move || {
            // Nobody listens once the bench is gone.
            let _ = wake.send(());
        })?;
        Ok((Bench { store, woken, last: 0, fetches: 0, seen: Vec::new() }, opened))
    }

    pub fn submit(&mut self, job: Job) -> JobId {
        self.last += 1;
        self.store.submit(JobId(self.last), job);
        JobId(self.last)
    }

    /// The next thing that is done.
    pub fn next(&mut self) -> Done {
        loop {
            if let Some(done) = self.store.poll() {
                return done;
            }
            self.woken.recv_timeout(PATIENCE).expect("the store wakes the one who waits");
        }
    }

    /// Waits for a report for which `is_it` holds, and gives back all that came until then.
    pub fn wait(&mut self, is_it: impl Fn(&Report) -> bool) -> Vec<Report> {
        let mut seen = Vec::new();
        loop {
            if let Done::Report(report) = self.next() {
                seen.push(report);
                if is_it(&report) {
                    return seen;
                }
            }
        }
    }

    /// Submits a job of the journal and waits until it is durable.
    pub fn durable(&mut self, job: Job) -> Report {
        let id = self.submit(job);
        let is_it = |report: &Report| matches!(report, Report::Durable { job, .. } if *job == id);
        *self.wait(is_it).last().expect("it was waited for")
    }

    pub fn delivered(&mut self, upto: u64) {
        self.submit(Job::Deliver { upto: Slot(upto) });
        self.wait(|report| *report == Report::Delivered { upto: Slot(upto) });
    }

    pub fn snapshotted(&mut self, snapshot: Snapshot) {
        let slot = snapshot.slot;
        self.submit(Job::Snapshot { snapshot });
        self.wait(|report| *report == Report::Snapshotted { slot });
    }

    pub fn fetched(&mut self, fetch: Fetch) -> Fetched {
        self.fetches += 1;
        let id = FetchId(self.fetches);
        self.store.fetch(id, fetch);
        loop {
            if let Done::Fetched(of, fetched) = self.next()
                && of == id
            {
                return fetched;
            }
        }
    }
}

pub fn ballot(number: u64) -> Ballot {
    match number {
        0 => Ballot::default(),
        _ => Ballot { number, proposer: MemberId::new(1), store: StoreId([1; 16]) },
    }
}

/// A slot behind one with the digest `before`; what it says depends on all that came before it.
pub fn slot(k: u64, view: u64, before: Digest, bytes: usize) -> SlotRecord {
    let digest = before.0.rotate_left(7) ^ u128::from(view) << 64 ^ u128::from(k) << 1 ^ 1;
    let fill = digest.to_le_bytes()[0];
    SlotRecord {
        slot: Slot(k),
        view: ballot(view),
        clock: SlotClock(k),
        digest: Digest(digest),
        content: Bytes::from(vec![fill; bytes]),
    }
}

/// `n` slots of a view behind a slot.
pub fn slots(after: u64, before: Digest, n: u64, view: u64, bytes: usize) -> Vec<SlotRecord> {
    let mut digest = before;
    let next = |k| {
        let record = slot(k, view, digest, bytes);
        digest = record.digest;
        record
    };
    (after + 1..=after + n).map(next).collect()
}

pub fn append(slots: Vec<SlotRecord>) -> Job {
    Job::Append { generation: Generation(1), slots }
}

pub fn view(number: u64) -> View {
    View { ballot: ballot(number), members: Vec::new(), ring: vec![MemberId::new(1).unwrap()] }
}

pub fn configuration(members: u64) -> Configuration {
    Configuration::founding(MemberSet::from_bits(members << 1))
}

/// What it is when so many views have been: a change is under way at every other time.
pub fn electorate(number: u64) -> Electorate {
    let of = |number| Configuration { number, ..configuration(0b111) };
    Electorate { sealed: of(number / 2), proposed: (number % 2 == 1).then(|| of(number / 2 + 1)) }
}

pub fn install(number: u64, keep: u64, slots: Vec<SlotRecord>) -> Job {
    Job::Install {
        generation: Generation(number),
        view: view(number),
        configuration: configuration(0b111),
        keep: Slot(keep),
        slots,
    }
}

pub fn snapshot(of: &SlotRecord, pieces: &[&[u8]]) -> Snapshot {
    Snapshot {
        slot: of.slot,
        digest: of.digest,
        clock: of.clock,
        configuration: configuration(0b101),
        positions: vec![Position { origin: MemberId::new(3).unwrap(), view: of.view, number: of.slot.0 }],
        state: Digest(7),
        pieces: pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect(),
    }
}
