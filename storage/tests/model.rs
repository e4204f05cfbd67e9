//! Random jobs come to the same on a disk as in memory.
//!
//! The store in memory says what each job means; the simulator's findings hold for the disk only as
//! far as the two agree. `FTQ_SEED=7 cargo test -p ftq-storage --test model` replays one seed.

mod common;

use common::*;
use ftq_core::chance::Chance;
use ftq_core::ids::{Digest, Slot};
use ftq_core::store::{Generation, Job, JobId, Opened, Report, SlotRecord};
use ftq_core::time::Time;
use ftq_storage::Store;
use ftq_storage::memory::{Disk, Faults, Memory};
use tempfile::tempdir;

const SEEDS: u64 = 24;
const OPENINGS: u64 = 4;
const JOBS_MAX: u64 = 60;

#[test]
fn random_jobs_come_to_the_same_as_in_memory() {
    let only = std::env::var("FTQ_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    for seed in only.map_or(1..SEEDS + 1, |seed| seed..seed + 1) {
        println!("FTQ_SEED={seed}");
        run(seed);
    }
}

fn run(seed: u64) {
    let directory = tempdir().unwrap();
    let mut chance = Chance::new(seed);
    let (bench, opened) = Bench::open(directory.path());
    drop(bench);
    let mut disk = Disk::create(opened.store);
    for opening in 0..OPENINGS {
        let (mut bench, found) = Bench::open(directory.path());
        let (mut memory, expected) = Memory::open(disk, Time(0), Faults::default(), seed);
        // Not `assert_eq`: two whole stores are too much to read.
        for (part, same) in [
            ("condition", found.condition == expected.condition),
            ("promise", found.promise == expected.promise),
            ("view", found.view == expected.view),
            ("configuration", found.configuration == expected.configuration),
            ("electorate", found.electorate == expected.electorate),
            ("snapshot", found.snapshot == expected.snapshot),
            ("delivered", found.delivered == expected.delivered),
            ("tail", found.tail == expected.tail),
        ] {
            assert!(same, "FTQ_SEED={seed}, opening {opening}: {part}\n{}\n{}", brief(&found), brief(&expected));
        }
        let mut jobs = Jobs::after(expected, opening);
        let n = 1 + chance.below(JOBS_MAX);
        let mut unsaved = None;
        for number in 1..=n {
            let job = jobs.draw(&mut chance);
            let is_archive = matches!(job, Job::Deliver { .. } | Job::Snapshot { .. });
            if let Job::Snapshot { snapshot } | Job::Adopt { snapshot, .. } = &job {
                unsaved = Some(snapshot.slot);
            }
            memory.submit(JobId(number), job.clone());
            let id = bench.submit(job);
            // The archive of both has to be idle now and then, or nothing could be snapshotted.
            if is_archive && chance.below(2) == 0 {
                let seen = bench.wait(|report| matches!(report, Report::Delivered { .. } | Report::Snapshotted { .. }));
                unsaved = unsaved.filter(|slot| !seen.contains(&Report::Snapshotted { slot: *slot }));
            }
            assert_eq!(id, JobId(number));
        }
        // A snapshot that was not reported when the store is closed counts for nothing.
        if let Some(slot) = unsaved {
            bench.wait(|report| *report == Report::Snapshotted { slot });
        }
        drop(bench);
        while let Some(at) = memory.deadline() {
            memory.advance(at);
            while memory.poll().is_some() {}
        }
        disk = memory.crash();
    }
}

/// Makes jobs that a replica could hand over.
struct Jobs {
    base: (Slot, Digest),
    /// The log above the base.
    log: Vec<SlotRecord>,
    delivered: u64,
    snapshot: u64,
    view: u64,
}

impl Jobs {
    fn after(opened: Opened, opening: u64) -> Jobs {
        let base = opened.snapshot.as_ref().map_or((Slot(0), Digest(0)), |s| (s.slot, s.digest));
        let delivered = base.0.0 + opened.delivered.len() as u64;
        let log = opened.delivered.into_iter().chain(opened.tail).collect();
        Jobs { base, log, delivered, snapshot: base.0.0, view: opened.view.ballot.number + 10 * opening }
    }

    fn end(&self) -> (u64, Digest) {
        self.log.last().map_or((self.base.0.0, self.base.1), |last| (last.slot.0, last.digest))
    }

    fn at(&self, k: u64) -> Option<&SlotRecord> {
        self.log.iter().find(|record| record.slot.0 == k)
    }

    fn digest(&self, k: u64) -> Digest {
        self.at(k).map_or(self.base.1, |record| record.digest)
    }

    fn draw(&mut self, chance: &mut Chance) -> Job {
        let (end, digest) = self.end();
        let generation = Generation(self.view);
        match chance.below(15) {
            0 => {
                self.view += 1;
                Job::Promise { ballot: ballot(self.view - chance.below(2)) }
            }
            1 => {
                let keep = self.delivered + chance.below(end - self.delivered + 1);
                self.view += 1;
                let news = slots(keep, self.digest(keep), chance.below(4), self.view, 100);
                self.log.retain(|record| record.slot.0 <= keep);
                self.log.extend(news.clone());
                install(self.view, keep, news)
            }
            2 => {
                // Some that are known, some that may differ from here on.
                let from = self.delivered + chance.below(end - self.delivered + 1);
                let known: Vec<SlotRecord> = self.log.iter().filter(|r| r.slot.0 > self.delivered).cloned().collect();
                let known: Vec<SlotRecord> = known.into_iter().filter(|r| r.slot.0 <= from).collect();
                let news = slots(from, self.digest(from), chance.below(3), 500 + self.view, 2_000);
                let slots = [known, news.clone()].concat();
                if let Some(last) = slots.last() {
                    if !news.is_empty() {
                        self.log.retain(|record| record.slot.0 <= from);
                        self.log.extend(news);
                    }
                    self.delivered = last.slot.0;
                }
                Job::CatchUp { generation, slots }
            }
            3 => {
                let far = slot(end.max(self.delivered) + chance.below(20), 900 + self.view, digest, 0);
                if far.slot.0 <= self.delivered {
                    return Job::Promise { ballot: ballot(self.view) };
                }
                self.base = (far.slot, far.digest);
                self.log.clear();
                (self.delivered, self.snapshot) = (far.slot.0, far.slot.0);
                Job::Adopt { generation, snapshot: snapshot(&far, &[b"adopted", &[1; 60_000]]) }
            }
            4..=6 => {
                self.delivered += chance.below(end - self.delivered + 1);
                Job::Deliver { upto: Slot(self.delivered) }
            }
            7 if self.delivered > self.snapshot => {
                let k = self.snapshot + 1 + chance.below(self.delivered - self.snapshot);
                self.snapshot = k;
                let at = self.at(k).expect("a delivered slot above the snapshot is in the log").clone();
                Job::Snapshot { snapshot: snapshot(&at, &[b"same", &k.to_le_bytes()]) }
            }
            9 => Job::Electorate { electorate: electorate(self.view) },
            8 => Job::Cut { below: Slot(self.snapshot.saturating_sub(chance.below(3)) + 1) },
            _ => {
                let news = slots(end, digest, 1 + chance.below(5), self.view, 1 << chance.below(11));
                self.log.extend(news.clone());
                append(news)
            }
        }
    }
}

/// Where everything is, without the contents.
fn brief(opened: &Opened) -> String {
    let slots = |slots: &[SlotRecord]| slots.iter().map(|r| (r.slot.0, r.digest)).collect::<Vec<_>>();
    let snapshot = opened.snapshot.as_ref().map(|s| (s.slot, s.digest, s.pieces.len()));
    let (delivered, tail) = (slots(&opened.delivered), slots(&opened.tail));
    let configuration = &opened.configuration;
    format!("{:?} {:?} {configuration:?} {snapshot:?} {delivered:?} {tail:?}", opened.promise, opened.view.ballot)
}
