//! The journal: what is accepted, durable with one synced write.
//!
//! ```text
//! | mark | mark |  … free … | oldest needed ▶ records ▶ newest | … free … |
//!                ^ offset 0, and again after each lap
//! ```
//!
//! Always:
//! - a group of records goes out in one write, and one sync makes it durable;
//! - the mark that rides with a group tells of the groups before it, so it is never early;
//! - nothing is written over that the last synced mark still needs.
//!
//! This is the file's side, which may block; `crate::disk::writer` is the thread around it.

mod mark;
mod record;
mod replay;
mod ring;
mod standing;
#[cfg(test)]
mod tests;

pub(super) use record::{Record, slots_bytes_max};
pub(super) use standing::{Misfit, Point};

use super::error::OpenError;
use ftq_core::electorate::Electorate;
use ftq_core::ids::{Ballot, Configuration, Slot, StoreId, View};
use ftq_core::store::SlotRecord;
use mark::Mark;
use record::Place;
use ring::Ring;
use standing::Standing;
use std::io;
use std::path::Path;

/// The smallest journal: a few records of each kind. Only tests want one so small.
pub(super) const AREA_BYTES_MIN: u64 = 64 << 10;

/// The largest: offsets within it and record lengths are 32 bits wide.
pub(super) const AREA_BYTES_MAX: u64 = 2 << 30;

/// An open journal.
#[derive(Debug)]
pub(super) struct Journal {
    ring: Ring,
    store: StoreId,
    boot: u64,
    standing: Standing,
    shown: ftq_core::store::Mark,
    /// Where the next record goes.
    head: Place,
    /// The last record that is synced.
    synced: u64,
    /// Records that are not written yet, and where the first of them goes.
    group: Vec<u8>,
    group_at: u64,
    /// The mark that goes out with the group.
    next_mark: Option<Mark>,
    /// The number of the mark that was made last.
    marks: u64,
    /// The last synced mark needs nothing before this offset.
    free_before: u64,
}

impl Journal {
    /// A new journal, in which nothing stands.
    pub(super) fn create(path: &Path, area_bytes: u64, store: StoreId, boot: u64) -> Result<(), OpenError> {
        let ring = Ring::create(path, area_bytes)?;
        let first = Place { offset: 0, ordinal: 1, chain: boot };
        let mark = |number| Mark { number, store, boot, ordinal: 0, oldest: first, standing: Standing::default() };
        let write = || {
            (0..2).try_for_each(|number| ring.write_mark(number, &mark(number).encode()))?;
            ring.sync()
        };
        write().map_err(OpenError::io("write", path))
    }

    /// Reads the journal back. The archive has synced everything up to `archived`, and where the two
    /// differ the archive wins: that is written down before anything else is.
    pub(super) fn open(
        path: &Path,
        area_bytes: u64,
        store: StoreId,
        boot: u64,
        archive: &ArchiveEnd,
    ) -> Result<Journal, OpenError> {
        let ring = Ring::open(path, area_bytes)?;
        ring.settle().map_err(OpenError::io("sync", path))?;
        let found = replay::replay(&ring, store).map_err(|trouble| trouble.at(path))?;
        let mut journal = Journal {
            ring,
            store,
            boot,
            shown: found.standing.shown(found.head.ordinal - 1),
            standing: found.standing,
            head: found.head,
            synced: found.mark.ordinal,
            group: Vec::new(),
            group_at: found.head.offset,
            next_mark: None,
            marks: found.mark.number,
            free_before: found.mark.oldest.offset,
        };
        let cuts = fit(&mut journal.standing, archive)?;
        journal.settle(cuts).map_err(OpenError::io("sync", path))?;
        Ok(journal)
    }

    /// What a journal holds, which is left as it is.
    pub(super) fn examine(path: &Path, area_bytes: u64, store: StoreId) -> Result<Examined, OpenError> {
        let ring = Ring::open(path, area_bytes)?;
        let found = replay::replay(&ring, store).map_err(|trouble| trouble.at(path))?;
        Ok(Examined {
            oldest: found.mark.oldest.ordinal,
            shown: found.standing.shown(found.head.ordinal - 1),
            standing: found.standing,
        })
    }

    /// Makes durable what was read, which a killed process may have left unsynced, and what the archive
    /// has changed in it. A cut is a record of its own, behind which nothing can bring the slots back.
    fn settle(&mut self, cuts: bool) -> io::Result<()> {
        self.ring.sync()?;
        self.synced = self.head.ordinal - 1;
        self.sync_mark()?;
        if cuts {
            let Point { slot, digest } = self.standing.archived;
            log::warn!("accepted slots do not fit the delivered ones up to slot {slot}: they are cut");
            // Nothing stands above the archive any more, so this fits: there is room, and no slot to contradict.
            let fits = self.write(Record::Base { slot, digest, adopted: None });
            assert!(fits.is_ok(), "nothing stands above the archive's end");
            self.sync()?;
            self.sync_mark()?;
        }
        Ok(())
    }

    /// Adds a record to the group that the next sync makes durable.
    pub(super) fn write(&mut self, record: Record) -> Result<(), Misfit> {
        assert!(record.bytes_max() as u64 <= self.room(), "the writer looks for room first");
        if self.group.is_empty() {
            self.group_at = self.head.offset;
            self.next_mark = Some(self.mark());
        }
        let at = self.head;
        self.head = record.encode(&mut self.group, at, self.synced, self.boot);
        self.standing.apply(record, at)
    }

    /// Makes the group durable. Its mark is not written yet.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.ring.write(self.group_at, &self.group)?;
        let mark = self.next_mark.take();
        if let Some(mark) = &mark {
            self.ring.write_mark(mark.number, &mark.encode())?;
        }
        self.ring.sync()?;
        self.group.clear();
        self.synced = self.head.ordinal - 1;
        self.free_before = mark.map_or(self.free_before, |mark| mark.oldest.offset);
        Ok(())
    }

    /// Makes a mark durable that tells of everything synced so far, and so frees what it doesn't need.
    pub(super) fn sync_mark(&mut self) -> io::Result<()> {
        assert!(self.group.is_empty(), "a mark tells of what is synced");
        let mark = self.mark();
        self.ring.write_mark(mark.number, &mark.encode())?;
        self.ring.sync()?;
        self.free_before = mark.oldest.offset;
        Ok(())
    }

    /// The archive has synced everything up to here.
    pub(super) fn archived(&mut self, to: Point) {
        self.standing.advance(to);
    }

    /// The next mark, of what stands now.
    fn mark(&mut self) -> Mark {
        self.marks += 1;
        Mark {
            number: self.marks,
            store: self.store,
            boot: self.boot,
            ordinal: self.synced,
            oldest: self.standing.oldest(self.head),
            standing: self.standing.without_tail(),
        }
    }

    /// Whether records wait for a sync.
    pub(super) fn has_group(&self) -> bool {
        !self.group.is_empty()
    }

    /// How many bytes of them.
    pub(super) fn group_bytes(&self) -> usize {
        self.group.len()
    }

    /// What [`Journal::rewrite`] takes at most.
    pub(super) fn rewrite_bytes_max(&self) -> u64 {
        Record::Rewrite(Vec::new()).bytes_max() as u64 + slots_bytes_max(self.slots(Slot(0))) as u64
    }

    /// Everything accepted, once more, as a record.
    pub(super) fn rewrite(&self) -> Record {
        Record::Rewrite(self.standing.tail.iter().map(|accepted| accepted.record.clone()).collect())
    }

    /// How many bytes can be written before something needed would be overwritten.
    pub(super) fn room(&self) -> u64 {
        self.ring.area_bytes() - self.used()
    }

    /// How many bytes are in use.
    pub(super) fn used(&self) -> u64 {
        self.head.offset - self.free_before
    }

    /// How many bytes would still be in use if a mark were synced now.
    pub(super) fn needed(&self) -> u64 {
        self.head.offset - self.standing.oldest(self.head).offset
    }

    /// How many bytes of records it can hold.
    pub(super) fn area_bytes(&self) -> u64 {
        self.ring.area_bytes()
    }

    /// Where the accepted slots begin: the archive has, or had, synced everything up to here.
    pub(super) fn base(&self) -> Point {
        self.standing.archived
    }

    /// The end of the log.
    pub(super) fn end(&self) -> Slot {
        self.standing.end()
    }

    /// The accepted slots from `slot` on.
    pub(super) fn slots(&self, slot: Slot) -> impl Iterator<Item = &SlotRecord> {
        self.standing.from(slot)
    }

    /// What a replica finds in it.
    pub(super) fn held(&self) -> Held {
        Held::of(&self.standing, self.shown)
    }

    /// The number of the last record.
    pub(super) fn last_ordinal(&self) -> u64 {
        self.head.ordinal - 1
    }

    /// Promise, view and configuration.
    pub(super) fn standing(&self) -> (Ballot, View, Option<Configuration>) {
        (self.standing.promise, self.standing.view.clone(), self.standing.configuration.clone())
    }
}

/// What the archive holds, as far as the journal must know when it is opened.
#[derive(Clone, Debug, Default)]
pub(super) struct ArchiveEnd {
    /// Its last slot.
    pub(super) end: Point,
    /// If that is where an adopted snapshot ends: the cluster there.
    pub(super) adopted: Option<Configuration>,
    /// Whether it was lost, and may end below what it had synced.
    pub(super) is_rebuilding: bool,
}

/// What a look at a journal finds.
#[derive(Clone, Debug)]
pub(super) struct Examined {
    /// The ordinal of the oldest record that was read.
    pub(super) oldest: u64,
    /// What it would show.
    pub(super) shown: ftq_core::store::Mark,
    standing: Standing,
}

impl Examined {
    /// The archive had synced everything up to here.
    pub(super) fn archived(&self) -> Point {
        self.standing.archived
    }

    /// The accepted slots.
    pub(super) fn slots(&self) -> Vec<SlotRecord> {
        self.standing.from(Slot(0)).cloned().collect()
    }

    /// What a replica would find in it, beside this archive.
    pub(super) fn held(mut self, archive: &ArchiveEnd) -> Result<Held, OpenError> {
        fit(&mut self.standing, archive)?;
        Ok(Held::of(&self.standing, self.shown))
    }
}

/// What a replica finds in a journal that fits its archive.
pub(super) struct Held {
    pub(super) promise: Ballot,
    pub(super) view: View,
    pub(super) configuration: Option<Configuration>,
    pub(super) electorate: Option<Electorate>,
    /// The accepted slots above the archive.
    pub(super) tail: Vec<SlotRecord>,
    /// What the journal shows of itself: what it held before an opening wrote anything (RULES S13).
    pub(super) shown: ftq_core::store::Mark,
}

impl Held {
    fn of(standing: &Standing, shown: ftq_core::store::Mark) -> Held {
        Held {
            promise: standing.promise,
            view: standing.view.clone(),
            configuration: standing.configuration.clone(),
            electorate: standing.electorate.clone(),
            tail: standing.from(standing.archived.slot.next()).cloned().collect(),
            shown,
        }
    }
}

/// What stands follows the archive, which wins where the two differ. Says whether accepted slots were cut for that.
fn fit(standing: &mut Standing, archive: &ArchiveEnd) -> Result<bool, OpenError> {
    let end = archive.end.slot;
    let damaged = |what: String| OpenError::damaged(super::Part::Archive, what);
    let synced = standing.archived.slot;
    if end < synced && !archive.is_rebuilding {
        return Err(damaged(format!("it ends at slot {end}, and had synced {synced}")));
    }
    let cuts = match &archive.adopted {
        Some(configuration) => standing.adopt(archive.end, configuration),
        None => standing.rebase(archive.end),
    };
    let cuts = cuts.map_err(|Misfit| damaged(format!("slot {end} is another one")))?;
    let first = standing.tail.front().map(|first| first.record.slot);
    if first.is_some_and(|first| first > standing.archived.slot.next()) {
        return Err(damaged(format!("it ends at slot {end}, below the journal's oldest one")));
    }
    Ok(cuts)
}
