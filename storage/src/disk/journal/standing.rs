//! What stands after the records so far: promise, view, configuration, electorate, and the accepted slots.
//!
//! Always: the accepted slots rise by one. They are everything that was accepted and is not known to
//! be in the archive. The journal's writer and its reader change them by the same code.

use super::record::{Place, Record};
use ftq_core::electorate::Electorate;
use ftq_core::ids::{Ballot, Configuration, Digest, Slot, View};
use ftq_core::store::{Mark, SlotRecord};
use std::collections::VecDeque;

/// A record that can't follow what stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::disk) struct Misfit;

/// A slot and the digest there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::disk) struct Point {
    pub(in crate::disk) slot: Slot,
    pub(in crate::disk) digest: Digest,
}

/// An accepted slot and the record that holds it.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) record: SlotRecord,
    pub(super) place: Place,
}

/// What stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    pub(super) promise: Ballot,
    pub(super) view: View,
    pub(super) configuration: Option<Configuration>,
    /// As of committed slots that may be in the archive alone.
    pub(super) electorate: Option<Electorate>,
    /// The archive has synced everything up to here.
    pub(super) archived: Point,
    /// The accepted slots.
    pub(super) tail: VecDeque<Accepted>,
}

impl Standing {
    /// What stands after one more record.
    pub(super) fn apply(&mut self, record: Record, place: Place) -> Result<(), Misfit> {
        match record {
            Record::Append(slots) => self.push(slots, place),
            Record::Promise(ballot) => {
                self.promise = self.promise.max(ballot);
                Ok(())
            }
            Record::Electorate(electorate) => {
                self.electorate = Some(electorate);
                Ok(())
            }
            Record::Install { view, configuration, keep, slots } => {
                self.view = view;
                self.configuration = Some(configuration);
                self.truncate(keep);
                self.push(slots, place)
            }
            Record::Base { slot, digest, adopted } => {
                let base = Point { slot, digest };
                let cuts = match adopted {
                    None => self.rebase(base),
                    Some(configuration) => self.adopt(base, &configuration),
                };
                cuts.map(|_| ())
            }
            Record::Rewrite(slots) => {
                self.tail.clear();
                self.push(slots, place)
            }
        }
    }

    /// The archive reaches up to `base`: accepted slots that don't chain onto it are cut. Says whether there
    /// were any. Below `archived` an archive that was lost is only on its way back, and cuts nothing.
    pub(super) fn rebase(&mut self, base: Point) -> Result<bool, Misfit> {
        if base.slot == self.archived.slot && base.digest != self.archived.digest {
            return Err(Misfit);
        }
        let reaches_tail = self.tail.front().is_some_and(|first| first.record.slot <= base.slot);
        let cuts = reaches_tail && base.slot > self.archived.slot && self.digest_at(base.slot) != Some(base.digest);
        if cuts {
            self.tail.clear();
        }
        self.advance(base);
        Ok(cuts)
    }

    /// Another replica's snapshot reaches up to `base`. What chains onto it stays, under the cluster that is
    /// known here; if nothing does, the cluster is the snapshot's.
    pub(super) fn adopt(&mut self, base: Point, configuration: &Configuration) -> Result<bool, Misfit> {
        let reaches_beyond = base.slot > self.archived.slot;
        let cuts = self.rebase(base)?;
        if reaches_beyond && self.tail.is_empty() {
            self.configuration = Some(configuration.clone());
        }
        Ok(cuts)
    }

    /// The archive has synced the accepted slots up to `to`: they are not needed here any more.
    pub(super) fn advance(&mut self, to: Point) {
        if to.slot >= self.archived.slot {
            self.archived = to;
        }
        while self.tail.front().is_some_and(|first| first.record.slot <= self.archived.slot) {
            self.tail.pop_front();
        }
    }

    fn push(&mut self, slots: Vec<SlotRecord>, place: Place) -> Result<(), Misfit> {
        for record in slots {
            if self.tail.back().is_some_and(|last| last.record.slot.next() != record.slot) {
                return Err(Misfit);
            }
            self.tail.push_back(Accepted { record, place });
        }
        Ok(())
    }

    fn truncate(&mut self, keep: Slot) {
        while self.tail.back().is_some_and(|last| last.record.slot > keep) {
            self.tail.pop_back();
        }
    }

    /// The same but for the accepted slots, as a mark holds it.
    pub(super) fn without_tail(&self) -> Standing {
        Standing {
            promise: self.promise,
            view: self.view.clone(),
            configuration: self.configuration.clone(),
            electorate: self.electorate.clone(),
            archived: self.archived,
            tail: VecDeque::new(),
        }
    }

    /// What a journal shows whose last record is `ordinal`.
    pub(super) fn shown(&self, ordinal: u64) -> Mark {
        Mark { ordinal, promise: self.promise, view: self.view.ballot, end: self.end() }
    }

    /// The end of the log.
    pub(super) fn end(&self) -> Slot {
        self.tail.back().map_or(self.archived.slot, |last| last.record.slot)
    }

    /// The digest of a slot that is held here.
    pub(super) fn digest_at(&self, slot: Slot) -> Option<Digest> {
        if slot == self.archived.slot {
            return Some(self.archived.digest);
        }
        self.from(slot).next().filter(|record| record.slot == slot).map(|record| record.digest)
    }

    /// The accepted slots from `slot` on.
    pub(super) fn from(&self, slot: Slot) -> impl Iterator<Item = &SlotRecord> {
        let first = self.tail.front().map_or(slot, |first| first.record.slot);
        let skip = usize::try_from(slot.0.saturating_sub(first.0)).unwrap_or(usize::MAX);
        self.tail.iter().skip(skip).map(|accepted| &accepted.record)
    }

    /// The oldest record that is still needed, if the next one goes to `head`.
    pub(super) fn oldest(&self, head: Place) -> Place {
        self.tail.front().map_or(head, |first| first.place)
    }
}
