//! A store in memory with a fault model, driven by virtual time and a seed: what the simulator runs on.
//!
//! ```text
//! submit ─▶ journal queue ──sync──▶ ┌──────┐ ──▶ reports, perhaps late ─▶ poll
//!        └▶ archive queue ──sync──▶ │ Disk │
//!                 waits until the   └──────┘ ──▶ crash, power_cut: the Disk alone is left
//!                 journal is there
//! ```
//!
//! Always: nothing is on the disk before the sync that covers it has ended (a crash or a power cut
//! may spare more); each lane syncs one group at a time, and what waited meanwhile goes into the next;
//! the archive never holds what the journal does not.
//!
//! It is a model of what the jobs mean, not of bytes. What goes wrong:
//!
//! | what a disk does | here |
//! | --- | --- |
//! | hangs, is slow, answers late | [`Faults`]: `hanging`, `slow`, `late_percent` |
//! | fails a write, a sync, a read; is full | [`Faults`]: `failing`, `failing_reads`, `full`, `accepted_max` |
//! | tears, keeps in part, reorders at a power cut | [`Memory::power_cut`], [`Faults`]: `reordering` |
//! | misdirects a write at a power cut | [`Faults`]: `misdirected_percent` |
//! | rots, is lost, in part or whole, is put back older | [`Disk::befall`], [`Memory::befall`] with a [`Mishap`] |
//! | is replaced by a new one | [`Disk::create`] |

mod archive;
mod disk;
mod faults;
mod journal;
mod loss;
mod mishap;
#[cfg(test)]
mod tests;

pub use disk::{Disk, Fact};
pub use faults::{Counts, Drawn, Faults};
pub use mishap::Mishap;

use crate::{Done, Store};
use archive::Archive;
use ftq_core::chance::Chance;
use ftq_core::replica::FetchId;
use ftq_core::store::{Fetch, Generation, Job, JobId, Opened, Report};
use ftq_core::time::Time;
use journal::{Journal, Point};
use std::collections::{BTreeMap, VecDeque};

/// A job of the journal lane.
#[derive(Debug)]
struct Journaled {
    id: JobId,
    job: Job,
}

/// A job of the archive lane.
#[derive(Debug)]
struct Archived {
    /// The last journal job before it that could replace slots: a slot number means the right slot
    /// only after that.
    after: JobId,
    job: Job,
}

/// A sync under way.
#[derive(Debug)]
struct Sync {
    /// How many jobs, from the front of the queue, it covers.
    jobs: usize,
    ends: Time,
}

/// An open store in memory.
#[derive(Debug)]
pub struct Memory {
    disk: Disk,
    faults: Faults,
    chance: Chance,
    now: Time,
    last: JobId,
    last_awaited: JobId,
    journal: VecDeque<Journaled>,
    journal_sync: Option<Sync>,
    journal_done: JobId,
    generation: Generation,
    archive: VecDeque<Archived>,
    archive_sync: Option<Sync>,
    reads: BTreeMap<(Time, u64), (FetchId, Fetch)>,
    done: BTreeMap<(Time, u64), Done>,
    /// Tells apart what falls on the same moment, in order.
    ordinal: u64,
    failed: bool,
    /// What has befallen the disk meanwhile: it shows when the disk is opened next.
    mishaps: Vec<Mishap>,
}

impl Store for Memory {
    fn submit(&mut self, id: JobId, job: Job) {
        assert_eq!(id.0, self.last.0 + 1, "job numbers rise by one");
        self.last = id;
        if self.failed {
            return;
        }
        match &job {
            Job::Append { .. } | Job::Promise { .. } => self.journal.push_back(Journaled { id, job }),
            Job::Install { .. } | Job::Electorate { .. } | Job::CatchUp { .. } | Job::Adopt { .. } => {
                self.last_awaited = id;
                self.journal.push_back(Journaled { id, job });
            }
            Job::Deliver { .. } | Job::Snapshot { .. } | Job::Cut { .. } | Job::Heard { .. } => {
                self.archive.push_back(Archived { after: self.last_awaited, job });
            }
        }
        self.start();
    }

    fn fetch(&mut self, id: FetchId, fetch: Fetch) {
        if !self.failed {
            let ends = self.now + self.faults.draw(self.faults.read, &mut self.chance);
            self.ordinal += 1;
            self.reads.insert((ends, self.ordinal), (id, fetch));
        }
    }

    fn poll(&mut self) -> Option<Done> {
        let next = self.done.first_entry()?;
        if next.key().0 > self.now { None } else { Some(next.remove()) }
    }
}

impl Memory {
    /// Opens a disk. What is on it counts as synced: opening a store syncs what it found. A store that has lost
    /// its journal draws a new id out of `seed`, which must be another one at each opening.
    pub fn open(mut disk: Disk, now: Time, faults: Faults, seed: u64) -> (Memory, Opened) {
        let mut chance = Chance::new(seed);
        disk.notice(&mut chance);
        let opened = disk.opened();
        let memory = Memory {
            disk,
            faults,
            chance,
            now,
            last: JobId(0),
            last_awaited: JobId(0),
            journal: VecDeque::new(),
            journal_sync: None,
            journal_done: JobId(0),
            generation: Generation(0),
            archive: VecDeque::new(),
            archive_sync: None,
            reads: BTreeMap::new(),
            done: BTreeMap::new(),
            ordinal: 0,
            failed: false,
            mishaps: Vec::new(),
        };
        (memory, opened)
    }

    /// The disk behaves like this from now on; what is under way keeps the time that was drawn for it.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
        // There may be room now.
        self.start();
    }

    /// Time moves on: what ends until `now` has ended. To be called before jobs are handed over at `now`.
    pub fn advance(&mut self, now: Time) {
        assert!(now >= self.now, "time never runs backwards");
        self.now = now;
        if self.faults.hanging {
            return;
        }
        while !self.failed && self.journal_sync.as_ref().is_some_and(|sync| sync.ends <= now) {
            self.end_journal_sync();
        }
        while !self.failed && self.archive_sync.as_ref().is_some_and(|sync| sync.ends <= now) {
            self.end_archive_sync();
        }
        while let Some(read) = self.reads.first_entry() {
            if self.failed || read.key().0 > now {
                break;
            }
            let (id, fetch) = read.remove();
            if self.faults.failing_reads {
                self.disk.counts.failed_reads += 1;
                return self.fail();
            }
            let fetched = self.disk.fetched(fetch);
            self.say(Done::Fetched(id, fetched));
        }
    }

    /// Starts the syncs that can start.
    fn start(&mut self) {
        if self.failed {
            return;
        }
        let jobs = self.journal_ready();
        if self.journal_sync.is_none() && jobs > 0 {
            let ends = self.now + self.faults.draw(self.faults.journal, &mut self.chance);
            self.journal_sync = Some(Sync { jobs, ends });
        }
        if self.archive_sync.is_none() && !self.archive.is_empty() {
            let ready = self.archive_ready();
            assert!(ready > 0 || !self.journal.is_empty(), "the archive waits for what was never handed over");
            if ready > 0 {
                let ends = self.now + self.faults.draw(self.faults.archive, &mut self.chance);
                self.archive_sync = Some(Sync { jobs: ready, ends });
            }
        }
    }

    /// How many jobs at the front of the journal's queue there is room for.
    fn journal_ready(&mut self) -> usize {
        let is_solemn = |journaled: &Journaled| {
            matches!(journaled.job, Job::Promise { .. } | Job::Install { .. } | Job::Electorate { .. })
        };
        let through = self.journal.iter().rposition(is_solemn).map_or(0, |last| last + 1);
        let mut accepted = self.disk.accepted();
        let has_room = |journaled: &&Journaled| {
            if let Job::Append { slots, .. } = &journaled.job {
                accepted += slots.len() as u64;
            }
            accepted <= self.faults.accepted_max
        };
        let ready = through + self.journal.iter().skip(through).take_while(has_room).count();
        self.disk.counts.waited += u64::from(ready < self.journal.len());
        ready
    }

    fn end_journal_sync(&mut self) {
        let Some(sync) = self.journal_sync.take() else { return };
        if self.faults.failing {
            return self.fail();
        }
        self.disk.counts.journal_syncs += 1;
        self.disk.begin_group();
        for _ in 0..sync.jobs {
            let job = self.apply_journal();
            let (end, ordinal) = (self.disk.end(), self.disk.ordinal());
            self.say(Done::Report(Report::Durable { job, generation: self.generation, end, ordinal }));
        }
        self.start();
    }

    /// Makes the next journal job durable.
    fn apply_journal(&mut self) -> JobId {
        let Journaled { id, job } = self.journal.pop_front().expect("a sync covers jobs of the queue");
        match &job {
            Job::Append { generation, .. }
            | Job::Install { generation, .. }
            | Job::CatchUp { generation, .. }
            | Job::Adopt { generation, .. } => self.generation = *generation,
            Job::Promise { .. } | Job::Electorate { .. } => {}
            Job::Deliver { .. } | Job::Snapshot { .. } | Job::Cut { .. } | Job::Heard { .. } => {
                unreachable!("not a job of the journal")
            }
        }
        self.disk.apply(job, usize::MAX);
        self.journal_done = id;
        id
    }

    fn end_archive_sync(&mut self) {
        let Some(sync) = self.archive_sync.take() else { return };
        if self.faults.failing || self.faults.full {
            self.disk.counts.full += u64::from(self.faults.full);
            return self.fail();
        }
        self.disk.counts.archive_syncs += 1;
        for _ in 0..sync.jobs {
            let Some(Archived { after: _, job }) = self.archive.pop_front() else { break };
            let report = match &job {
                Job::Deliver { upto } => Some(Report::Delivered { upto: *upto }),
                Job::Snapshot { snapshot } => Some(Report::Snapshotted { slot: snapshot.slot }),
                Job::Cut { .. } | Job::Heard { .. } => None,
                Job::Append { .. }
                | Job::Promise { .. }
                | Job::Install { .. }
                | Job::Electorate { .. }
                | Job::CatchUp { .. }
                | Job::Adopt { .. } => unreachable!("not a job of the archive"),
            };
            self.disk.apply(job, usize::MAX);
            report.into_iter().for_each(|report| self.say(Done::Report(report)));
        }
        self.start();
    }

    /// How many jobs at the front of the archive's queue the journal allows.
    fn archive_ready(&self) -> usize {
        let mut delivered = self.disk.delivered();
        let mut snapshot = self.disk.snapshot_slot();
        let ready = |archived: &&Archived| match &archived.job {
            Job::Deliver { upto } => {
                delivered = delivered.max(*upto);
                archived.after <= self.journal_done && *upto <= self.disk.end()
            }
            Job::Snapshot { snapshot: taken } => {
                snapshot = snapshot.max(taken.slot);
                taken.slot <= delivered
            }
            Job::Cut { below } => below.previous() <= snapshot,
            Job::Heard { .. } => true,
            Job::Append { .. }
            | Job::Promise { .. }
            | Job::Install { .. }
            | Job::Electorate { .. }
            | Job::CatchUp { .. }
            | Job::Adopt { .. } => unreachable!("not a job of the archive"),
        };
        self.archive.iter().take_while(ready).count()
    }

    /// The first failure is the last thing that is said: what was already on its way still comes.
    fn fail(&mut self) {
        self.disk.counts.failed_syncs += 1;
        self.failed = true;
        let last = self.done.last_key_value().map_or(self.now, |((due, _), _)| self.now.max(*due));
        self.ordinal += 1;
        self.done.insert((last, self.ordinal), Done::Report(Report::Failed));
    }

    fn say(&mut self, done: Done) {
        let lateness = self.faults.lateness(&mut self.chance);
        self.disk.counts.late_reports += u64::from(lateness.0 > 0);
        self.ordinal += 1;
        self.done.insert((self.now + lateness, self.ordinal), done);
    }

    /// A number from 0 to `most`.
    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.chance.below(most as u64 + 1)).unwrap_or(most)
    }

    /// When to call [`Memory::advance`] if nothing is submitted before.
    pub fn deadline(&self) -> Option<Time> {
        let said = self.done.first_key_value().map(|((due, _), _)| self.now.max(*due));
        if self.faults.hanging || self.failed {
            return said;
        }
        let syncs = [&self.journal_sync, &self.archive_sync].into_iter().flatten().map(|sync| sync.ends);
        let read = self.reads.first_key_value().map(|((ends, _), _)| *ends);
        syncs.chain(read).map(|ends| self.now.max(ends)).chain(said).min()
    }

    /// Whether a sync has failed: nothing will be done any more.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// How it behaves.
    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// What is durable: the truth that no crash and no power cut takes away.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The facts that became durable since this was asked last, see [`Disk::take_facts`].
    pub fn take_facts(&mut self) -> impl Iterator<Item = Fact> + '_ {
        self.disk.take_facts()
    }
}
