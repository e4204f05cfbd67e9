//! The process that is killed: it opens a store, gives it work of all kinds, and says what it asks for before it
//! asks, and what was reported as soon as it was.
//!
//! Each line ends in a full stop, so that one which was cut off says nothing.

use super::log::{ballot, check, configuration, electorate, notices_of, slot, snapshot, view};
use ftq_core::chance::Chance;
use ftq_core::ids::{BootId, Digest, Slot, StoreId};
use ftq_core::replica::FetchId;
use ftq_core::store::{Fetch, Fetched, Generation, Heard, Job, JobId, Mark, Opened, Report, SlotRecord};
use ftq_storage::disk::{DiskStore, Options};
use ftq_storage::{Done, Store};
use std::collections::VecDeque;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A small journal, that goes around every few hundred jobs, and an archive that moves as soon as that pays.
const OPTIONS: Options = Options {
    cluster: None,
    journal_bytes: 1 << 20,
    log_keep_bytes: 1 << 20,
    slack_bytes: 12 << 20,
    low_bytes: 8 << 20,
    ballast_bytes: 4 << 20,
};

/// Jobs that are under way at once.
const UNDER_WAY_MAX: u64 = 24;

/// So many slots are kept below a snapshot.
const KEEP: u64 = 100;

/// A store that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How it ended, if nobody killed it.
#[derive(Debug)]
pub enum Ended {
    /// It had no more to do.
    Done,
    /// The store failed: the disk did.
    Failed,
}

/// Works on the store in `directory` until it has submitted so many jobs.
pub fn run(directory: &Path, seed: u64, jobs: u64) -> Result<Ended, String> {
    let (wake, woken) = channel();
    let opening = DiskStore::open(directory, &OPTIONS, move || {
        // Nobody listens any more when the store is closed.
        let _ = wake.send(());
    });
    let (store, opened) = opening.map_err(|error| error.to_string())?;
    check(&opened)?;
    let entries = std::fs::read_dir(directory).map_err(|error| error.to_string())?.flatten();
    let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    if let Some(aside) = names.iter().find(|name| name.contains("aside")) {
        return Err(format!("there is {aside}"));
    }
    // Each move of the archive raises its number.
    let moves = names.iter().filter_map(|name| name.strip_prefix("sled.")?.parse::<u64>().ok()).max();
    let notices = opened.electorate.as_ref().map_or(0, notices_of);
    say(format_args!("{} {} {notices}", describe(&opened), moves.unwrap_or(0)));
    Victim::new(store, woken, opened, seed).work(jobs)
}

/// One line: what became of it, what stands, and the digests from the last delivered slot on.
fn describe(opened: &Opened) -> String {
    let base = opened.snapshot.as_ref().map_or((Slot(0), Digest(0)), |found| (found.slot, found.digest));
    let delivered = opened.delivered.last().map_or(base, |last| (last.slot, last.digest));
    let heard = opened.heard.first().map_or(0, |heard| heard.mark.ordinal);
    format!(
        "opened {} {} {} {} {} {} {heard} {}",
        format!("{:?}", opened.condition).split(' ').next().unwrap_or_default(),
        opened.promise.number,
        opened.view.ballot.number,
        delivered.0,
        base.0,
        opened.shown.ordinal,
        digests(std::iter::once(delivered.1).chain(opened.tail.iter().map(|record| record.digest)))
    )
}

fn digests(digests: impl Iterator<Item = Digest>) -> String {
    digests.map(|digest| format!("{:032x}", digest.0)).collect::<Vec<_>>().join(",")
}

fn say(line: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    // Who listened is gone: then nothing is to be done any more.
    if writeln!(out, "{line} .").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// What it has submitted so far.
struct Victim {
    store: DiskStore,
    woken: Receiver<()>,
    chance: Chance,
    last: u64,
    /// The last journal job, and the last that was reported.
    asked: u64,
    durable: u64,
    /// The log from the slot after `base` on.
    base: (u64, Digest),
    log: VecDeque<SlotRecord>,
    promise: u64,
    view: u64,
    delivered: u64,
    snapshotted: u64,
    /// Snapshots and deliveries that were not reported yet. Of several that wait only the last may be reported.
    snapshots: VecDeque<u64>,
    deliveries: VecDeque<u64>,
    heard: u64,
    notices: u64,
    fetches: u64,
}

impl Victim {
    fn new(store: DiskStore, woken: Receiver<()>, opened: Opened, seed: u64) -> Victim {
        let base = opened.snapshot.as_ref().map_or((0, Digest(0)), |found| (found.slot.0, found.digest));
        Victim {
            store,
            woken,
            chance: Chance::new(seed),
            last: 0,
            asked: 0,
            durable: 0,
            base,
            promise: opened.promise.number,
            view: opened.view.ballot.number,
            delivered: base.0 + opened.delivered.len() as u64,
            snapshotted: base.0,
            log: opened.delivered.into_iter().chain(opened.tail).collect(),
            snapshots: VecDeque::new(),
            deliveries: VecDeque::new(),
            heard: opened.heard.first().map_or(0, |heard| heard.mark.ordinal),
            notices: opened.electorate.as_ref().map_or(0, notices_of),
            fetches: 0,
        }
    }

    fn work(mut self, jobs: u64) -> Result<Ended, String> {
        loop {
            while let Some(done) = self.store.poll() {
                match done {
                    Done::Report(Report::Failed) => return Ok(Ended::Failed),
                    Done::Report(report) => self.heard_of(report),
                    Done::Fetched(_, fetched) => self.compare(&fetched)?,
                }
            }
            let archiving = (self.snapshots.len() + self.deliveries.len()) as u64;
            let under_way = self.asked - self.durable + archiving;
            let is_done = self.last >= jobs;
            if is_done && under_way == 0 {
                return Ok(Ended::Done);
            }
            if is_done || under_way > self.chance.below(UNDER_WAY_MAX) {
                self.woken.recv_timeout(PATIENCE).map_err(|_| "the store hangs".to_owned())?;
            } else {
                self.submit_one();
            }
        }
    }

    fn heard_of(&mut self, report: Report) {
        match report {
            Report::Durable { job, .. } => {
                self.durable = job.0;
                say(format_args!("durable {}", job.0));
            }
            Report::Delivered { upto } => {
                self.deliveries.retain(|asked| *asked > upto.0);
                say(format_args!("delivered {upto}"));
            }
            Report::Snapshotted { slot } => {
                self.snapshots.retain(|asked| *asked > slot.0);
                self.snapshotted = self.snapshotted.max(slot.0);
                say(format_args!("snapshotted {slot}"));
            }
            Report::NearlyFull(_) | Report::Failed => {}
        }
    }

    /// What was read back must be what is in the log, as far as that is still known.
    fn compare(&self, fetched: &Fetched) -> Result<(), String> {
        match fetched {
            Fetched::Slots(slots) => {
                let differs = |record: &&SlotRecord| self.at(record.slot.0).is_some_and(|known| known != *record);
                slots
                    .iter()
                    .find(differs)
                    .map_or(Ok(()), |record| Err(format!("slot {} was read back wrong", record.slot)))
            }
            Fetched::Piece(None) => Ok(()),
            Fetched::Piece(Some((head, count, piece))) => {
                let whole = snapshot(head.slot, head.digest);
                let is_it = *count == 3 && whole.pieces.contains(piece);
                if is_it { Ok(()) } else { Err(format!("a piece at slot {} was read back wrong", head.slot)) }
            }
        }
    }

    fn submit_one(&mut self) {
        match self.chance.below(100) {
            0..=4 => self.change_view(),
            5..=7 => self.catch_up(),
            8 => self.adopt(),
            9..=24 => self.deliver(),
            25..=28 => self.take_snapshot(),
            29..=31 => self.cut(),
            32..=35 => self.hear(),
            36..=40 => self.read(),
            _ => self.append(),
        }
    }

    fn append(&mut self) {
        // Most slots are small; some need several values in the archive, or several records in the journal.
        let (n, bytes_max) = [(1, 400), (8, 400), (20, 2_000), (3, 90_000)][self.index([60, 30, 8, 2])];
        let n = 1 + self.chance.below(n);
        let slots = self.next_slots(n, self.view, bytes_max);
        let line = format!("append {} {}", slots[0].slot, digests(slots.iter().map(|record| record.digest)));
        self.journal(&line, Job::Append { generation: Generation(self.view), slots });
    }

    fn change_view(&mut self) {
        self.promise += 1 + self.chance.below(3);
        self.journal(&format!("promise {}", self.promise), Job::Promise { ballot: ballot(self.promise) });
        if self.chance.below(4) == 0 {
            return;
        }
        self.view = self.promise;
        let keep = self.delivered + self.chance.below(self.end().0 - self.delivered + 1);
        self.truncate(keep);
        let n = self.chance.below(6);
        let slots = self.next_slots(n, self.view, 3_000);
        let line = format!("install {} {keep} {}", self.view, digests(slots.iter().map(|record| record.digest)));
        let (view, generation) = (view(self.view), Generation(self.view));
        self.journal(&line, Job::Install { generation, view, configuration: configuration(), keep: Slot(keep), slots });
    }

    /// Others have committed something: what is known, something new, or something else.
    fn catch_up(&mut self) {
        let from = self.delivered + 1;
        let same = self.delivered + self.chance.below(self.end().0 - self.delivered + 1);
        let known: Vec<SlotRecord> = self.log.iter().filter(|r| (from..=same).contains(&r.slot.0)).cloned().collect();
        let n = self.chance.below(20);
        if n > 0 {
            self.truncate(same);
        }
        let others = 1_000_000 + self.view;
        let slots = [known, self.next_slots(n, others, 30_000)].concat();
        let (Some(first), Some(last)) = (slots.first(), slots.last()) else { return };
        self.delivered = last.slot.0;
        let line = format!("catch-up {} {}", first.slot, digests(slots.iter().map(|record| record.digest)));
        self.journal(&line, Job::CatchUp { generation: Generation(self.view), slots });
    }

    /// Others are far ahead: all of it is replaced.
    fn adopt(&mut self) {
        let (end, digest) = self.end();
        let far = slot(end + 1 + self.chance.below(50), 2_000_000 + self.view, digest, 0);
        self.log.clear();
        self.base = (far.slot.0, far.digest);
        self.delivered = far.slot.0;
        let line = format!("adopt {} {:032x}", far.slot, far.digest.0);
        let snapshot = snapshot(far.slot, far.digest);
        self.journal(&line, Job::Adopt { generation: Generation(self.view), snapshot });
    }

    fn deliver(&mut self) {
        let upto = self.delivered + self.chance.below(self.end().0 - self.delivered + 1);
        if upto > self.delivered {
            if self.chance.below(20) == 0 {
                self.say_electorate();
            }
            self.delivered = upto;
            self.deliveries.push_back(upto);
            say(format_args!("deliver {upto}"));
            self.archive(Job::Deliver { upto: Slot(upto) });
        }
    }

    /// What is delivered next says something of the cluster.
    fn say_electorate(&mut self) {
        self.notices += 1;
        let line = format!("electorate {}", self.notices);
        self.journal(&line, Job::Electorate { electorate: electorate(self.notices) });
    }

    fn take_snapshot(&mut self) {
        let Some(record) = self.at(self.delivered).filter(|record| record.slot.0 > self.snapshotted) else { return };
        let snapshot = snapshot(record.slot, record.digest);
        self.snapshots.push_back(snapshot.slot.0);
        say(format_args!("snapshot {}", snapshot.slot));
        self.archive(Job::Snapshot { snapshot });
    }

    fn cut(&mut self) {
        let below = self.snapshotted.saturating_sub(self.chance.below(KEEP)) + 1;
        self.archive(Job::Cut { below: Slot(below) });
        while self.log.front().is_some_and(|first| first.slot.0 < below && first.slot.0 < self.delivered) {
            let gone = self.log.pop_front().expect("there is one");
            self.base = (gone.slot.0, gone.digest);
        }
    }

    fn hear(&mut self) {
        self.heard += 1;
        let mark = Mark { ordinal: self.heard, ..Mark::default() };
        say(format_args!("hear {}", self.heard));
        self.archive(Job::Heard { marks: vec![Heard { store: StoreId([9; 16]), boot: BootId([8; 16]), mark }] });
    }

    fn read(&mut self) {
        self.fetches += 1;
        let from = Slot(self.delivered.saturating_sub(self.chance.below(KEEP)));
        let fetch = match self.chance.below(3) {
            0 => Fetch::Piece { slot: Slot(self.snapshotted), index: 1 },
            _ => Fetch::Slots { from, bytes_max: 20_000 },
        };
        self.store.fetch(FetchId(self.fetches), fetch);
    }

    fn journal(&mut self, line: &str, job: Job) {
        self.asked = self.last + 1;
        say(format_args!("job {} {line}", self.asked));
        self.archive(job);
    }

    fn archive(&mut self, job: Job) {
        self.last += 1;
        self.store.submit(JobId(self.last), job);
    }

    fn next_slots(&mut self, n: u64, view: u64, bytes_max: u64) -> Vec<SlotRecord> {
        let mut slots = Vec::new();
        for _ in 0..n {
            let (end, digest) = self.end();
            let bytes = usize::try_from(self.chance.below(bytes_max)).unwrap_or(0);
            let record = slot(end + 1, view, digest, bytes);
            self.log.push_back(record.clone());
            slots.push(record);
        }
        slots
    }

    fn truncate(&mut self, keep: u64) {
        while self.log.back().is_some_and(|last| last.slot.0 > keep) {
            self.log.pop_back();
        }
    }

    fn end(&self) -> (u64, Digest) {
        self.log.back().map_or(self.base, |last| (last.slot.0, last.digest))
    }

    fn at(&self, k: u64) -> Option<&SlotRecord> {
        let first = self.log.front()?.slot.0;
        self.log.get(usize::try_from(k.checked_sub(first)?).ok()?)
    }

    /// One of four, with these weights in a hundred.
    fn index(&mut self, weights: [u64; 4]) -> usize {
        let mut rest = self.chance.below(100);
        weights.iter().position(|weight| rest.checked_sub(*weight).map(|left| rest = left).is_none()).unwrap_or(0)
    }
}
