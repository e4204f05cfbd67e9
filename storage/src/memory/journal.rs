//! The journal of a simulated disk: what is accepted.
//!
//! Always: the accepted slots rise by one, from `base` on. `base` is where the archive was synced when the
//! last record was written, as the mark of a real journal says: so an archive that is lost is missed only
//! up to there.

use ftq_core::electorate::Electorate;
use ftq_core::ids::{Ballot, Configuration, Digest, Slot, View};
use ftq_core::store::{Mark, SlotRecord};
use std::collections::VecDeque;

/// A slot and the digest there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) slot: Slot,
    pub(super) digest: Digest,
}

/// What stands after the records so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    /// The number of the last record.
    pub(super) ordinal: u64,
    pub(super) promise: Ballot,
    pub(super) view: View,
    pub(super) configuration: Option<Configuration>,
    pub(super) electorate: Option<Electorate>,
    pub(super) base: Point,
    tail: VecDeque<SlotRecord>,
    /// What the last group has added and no mark tells of: were it to rot, nobody could tell it from a torn tail.
    unmarked: Unmarked,
}

/// Records that only the next mark will tell of.
#[derive(Clone, Copy, Debug, Default)]
struct Unmarked {
    records: u64,
    slots: u64,
    /// A mark follows at once.
    is_solemn: bool,
}

impl Journal {
    /// A sync begins a new group, with a mark that tells of the groups before it.
    pub(super) fn begin_group(&mut self, archived: Point) {
        self.unmarked = Unmarked::default();
        self.advance(archived);
    }

    /// One more record. A promise, an electorate, an install and an adopted snapshot are solemn: before they are reported,
    /// a mark that tells of their whole group is synced.
    pub(super) fn record(&mut self, is_solemn: bool) {
        self.ordinal += 1;
        self.unmarked.records += 1;
        self.unmarked.is_solemn |= is_solemn;
    }

    /// A slot right behind the end.
    pub(super) fn push(&mut self, record: SlotRecord) {
        assert_eq!(record.slot, self.end().next(), "slots rise by one");
        self.unmarked.slots += 1;
        self.tail.push_back(record);
    }

    /// Takes out what is above `keep`.
    pub(super) fn truncate(&mut self, keep: Slot) {
        while self.end() > keep && self.tail.pop_back().is_some() {
            self.unmarked.slots = self.unmarked.slots.saturating_sub(1);
        }
    }

    /// The archive was cut down to `to`.
    pub(super) fn retreat(&mut self, to: Point) {
        self.tail.clear();
        self.base = to;
    }

    /// The archive reaches up to `to`: accepted slots that don't chain onto it are cut. Says how many were above
    /// it. Below `base` an archive that was lost is only on its way back.
    pub(super) fn rebase(&mut self, to: Point) -> u64 {
        assert!(to.slot != self.base.slot || to.digest == self.base.digest, "the archive is another one");
        let reaches = self.tail.front().is_some_and(|first| first.slot <= to.slot) && to.slot > self.base.slot;
        let mut cut = 0;
        if reaches && self.digest_at(to.slot) != Some(to.digest) {
            cut = self.end().0.saturating_sub(to.slot.0);
            self.tail.clear();
        }
        self.advance(to);
        cut
    }

    /// The archive has synced the accepted slots up to `to`.
    pub(super) fn advance(&mut self, to: Point) {
        if to.slot < self.base.slot {
            return;
        }
        self.base = to;
        while self.tail.front().is_some_and(|first| first.slot <= to.slot) {
            self.tail.pop_front();
        }
        self.unmarked.slots = self.unmarked.slots.min(self.tail.len() as u64);
    }

    /// What no mark tells of is gone, as if it had never been. Says whether there was anything.
    pub(super) fn lose_unmarked(&mut self) -> bool {
        let Unmarked { records, slots, is_solemn } = std::mem::take(&mut self.unmarked);
        if is_solemn || records == 0 {
            return false;
        }
        self.ordinal -= records;
        self.truncate(Slot(self.end().0 - slots.min(self.tail.len() as u64)));
        true
    }

    /// Opening syncs a mark that tells of everything.
    pub(super) fn settle(&mut self) {
        self.unmarked = Unmarked::default();
    }

    /// What it shows.
    pub(super) fn shown(&self) -> Mark {
        Mark { ordinal: self.ordinal, promise: self.promise, view: self.view.ballot, end: self.end() }
    }

    /// The end of the log.
    pub(super) fn end(&self) -> Slot {
        Slot(self.base.slot.0 + self.tail.len() as u64)
    }

    /// The accepted slots above `slot`.
    pub(super) fn above(&self, slot: Slot) -> impl Iterator<Item = &SlotRecord> {
        let skip = usize::try_from(slot.0.saturating_sub(self.base.slot.0)).unwrap_or(usize::MAX);
        self.tail.iter().skip(skip)
    }

    /// The digest at `base` or at an accepted slot.
    pub(super) fn digest_at(&self, slot: Slot) -> Option<Digest> {
        if slot == self.base.slot {
            return Some(self.base.digest);
        }
        let at = slot.0.checked_sub(self.base.slot.0 + 1)?;
        self.tail.get(usize::try_from(at).ok()?).map(|record| record.digest)
    }
}
